#!/usr/bin/env bash
# Does `journalctl POOL=...` find what it should? A real systemd-journald runs in a mount
# namespace of its own, beside whatever this machine logs to. 69: it cannot be had here.
#
#   sudo tests/journal.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug/smart-mining-proxy
readonly JOURNALD=/usr/lib/systemd/systemd-journald

say() { printf '%s\n' "$*" >&2; }
fail() { say "journal: $*"; exit 1; }

[ "$(id -u)" = 0 ] && [ -x "$JOURNALD" ] && command -v journalctl unshare systemd-cat >/dev/null ||
    { say "SKIPPED: needs root and systemd-journald"; exit 69; }
if [ -z "${IN_NAMESPACE:-}" ]; then
    [ -n "${SMART_MINING_BUILT:-}" ] || cargo build -q -p smart-mining-proxy --bin smart-mining-proxy
    IN_NAMESPACE=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}"
fi

mount -t tmpfs none /run
if [ ! -s /etc/machine-id ]; then
    echo 0123456789abcdef0123456789abcdef > /run/machine-id
    mount --bind /run/machine-id /etc/machine-id
fi
mkdir -p /run/systemd/journald.conf.d /run/systemd/journal /run/log/journal /run/farm
printf '[Journal]\nReadKMsg=no\nStorage=volatile\n' > /run/systemd/journald.conf.d/test.conf
STARTED=()
finish() {
    local pid
    for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
}
trap finish EXIT
trap 'exit 130' INT TERM

until_ok() { # WHAT COMMAND...: for half a minute at most
    local what=$1
    shift
    for _ in $(seq 150); do
        if "$@"; then return; fi
        sleep 0.2
    done
    journalctl -D /run/log/journal --no-pager -o cat >&2 || true
    fail "$what: not within half a minute"
}
"$JOURNALD" 2>/run/journald.log &
STARTED+=($!)
until_ok "journald" test -S /run/systemd/journal/socket

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
PORT=$(free_port)
PAGE=$(free_port)
# Nobody listens at the pool's address.
cat > /run/farm/farm.toml <<TOML
[farm]
name = "barn"
[[listener]]
algorithm = "sha256d"
bind = "127.0.0.1:$PORT"
[[pool]]
id = "pool-a"
algorithm = "sha256d"
coin = "BTC"
url = "stratum+tcp://127.0.0.1:1"
user = "the-payout-account.{worker}"
password = "the-pool-password"
[workers]
mode = "list"
[[worker]]
name = "rig1"
[status]
bind = "127.0.0.1:$PAGE"
TOML
# systemd says in JOURNAL_STREAM where standard error goes; systemd-cat leaves that out.
# shellcheck disable=SC2016 # the shell inside expands it
SMART_MINING_LOG=trace systemd-cat sh -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$0" run --config /run/farm/farm.toml' "$BIN" &
STARTED+=($!)

found() { # HOW MANY WHAT...: lines that journalctl finds, by their own words alone
    local count=$1
    shift
    [ "$(journalctl -D /run/log/journal --no-pager -q -o cat "$@" | wc -l)" = "$count" ]
}
until_ok "the page's line" found 1 EVENT=started
python3 - "$PORT" <<'PY'
import json, socket, sys

miner = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10)
lines = miner.makefile()
for number, (method, params) in enumerate([
    ("mining.subscribe", ["x/1"]),
    ("mining.authorize", ["any.rig07", "the-miner-password"]),
]):
    miner.sendall((json.dumps({"id": number, "method": method, "params": params}) + "\n").encode())
    print(lines.readline().strip(), file=sys.stderr)
PY
until_ok "WORKER" found 1 WORKER=rig07
until_ok "MINER" found 1 MINER=127.0.0.1 EVENT=worker-refused
until_ok "POOL" found 1 POOL=pool-a
until_ok "EVENT" found 2 EVENT=listening
until_ok "warnings" found 2 -p warning SYSLOG_IDENTIFIER=smart-mining-proxy
if journalctl -D /run/log/journal --no-pager -q -o export | grep -aE 'the-(payout-account|pool-password|miner-password)'; then
    fail "a secret stands in the journal"
fi
say "journal: found by WORKER, MINER, POOL and EVENT, and no secret in it"
