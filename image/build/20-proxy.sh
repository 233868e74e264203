#!/usr/bin/env bash
# The appliance's own program, for arm64.
. "$(dirname "$0")/lib.sh"

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$IMAGE/../target}/cross
folder=$("$IMAGE/../cross/build" aarch64 build --profile appliance --locked --bin smart-mining-proxy)
program=$folder/appliance/smart-mining-proxy
"$IMAGE/../cross/must-unwind" "$program"
install -D -m 755 "$program" "$WORK/smart-mining-proxy"
say "smart-mining-proxy: $(stat -c %s "$program") bytes"
