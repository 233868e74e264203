#!/usr/bin/env bash
# Real nodes for tests/real_nodes.rs, where the system's own packages have none.
#
#     fetch-real-nodes.sh DIR     prints the two lines BITCOIND=.. and MONEROD=..
#
# Debian's unstable distribution has both, signed and built for every machine. They
# are unpacked into DIR with their libraries and their loader, so that they run on an
# older system; nothing is installed, and no root is needed.
set -euo pipefail

fail() { printf 'fetch-real-nodes: %s\n' "$*" >&2; exit 1; }

[ $# = 1 ] || fail "say where to: $0 DIR"
readonly MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly KEYRING=${DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
mkdir -p "$1"
DIR=$(cd "$1" && pwd)
readonly DIR

works() { "$DIR/bin/bitcoind" --version && "$DIR/bin/monerod" --version; } >/dev/null 2>&1

fetch() {
    local tool
    for tool in apt-get dpkg; do
        command -v "$tool" >/dev/null ||
            fail "$tool is missing: this needs Debian or Ubuntu; elsewhere set BITCOIND and MONEROD yourself"
    done
    [ -r "$KEYRING" ] || fail "no $KEYRING to check the packages with: install debian-archive-keyring"

    rm -rf "$DIR/apt" "$DIR/root" "$DIR/bin"
    mkdir -p "$DIR"/apt/{state/lists/partial,cache/archives/partial,parts} "$DIR/root" "$DIR/bin"
    echo "deb [signed-by=$KEYRING] $MIRROR sid main" >"$DIR/apt/sources.list"
    # As if nothing were installed: then apt names every library as well.
    : >"$DIR/apt/state/status"
    cat >"$DIR/apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$DIR/apt/sources.list";
Dir::Etc::sourceparts "$DIR/apt/parts";
Dir::Etc::preferencesparts "$DIR/apt/parts";
Dir::State "$DIR/apt/state";
Dir::State::status "$DIR/apt/state/status";
Dir::Cache "$DIR/apt/cache";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    export APT_CONFIG="$DIR/apt/apt.conf"
    apt-get update -qq >&2
    apt-get install -qq -y --download-only bitcoin-knots monero >&2
    local package
    for package in "$DIR"/apt/cache/archives/*.deb; do
        dpkg -x "$package" "$DIR/root"
    done
    rm -rf "$DIR/apt"

    local loader libraries
    loader=$(find "$DIR/root/usr/lib" "$DIR/root/usr/lib64" -name 'ld-linux*.so.*' 2>/dev/null | head -n 1)
    [ -n "$loader" ] || fail "libc6 brought no loader; look into $DIR/root"
    libraries=$(dirname "$(find "$DIR/root/usr/lib" -name 'libc.so.6' | head -n 1)")
    local program
    for program in bitcoind bitcoin-cli monerod; do
        [ -x "$DIR/root/usr/bin/$program" ] || fail "the packages hold no $program; look into $DIR/root"
        cat >"$DIR/bin/$program" <<RUN
#!/bin/sh
exec '$loader' --library-path '$libraries' '$DIR/root/usr/bin/$program' "\$@"
RUN
        chmod +x "$DIR/bin/$program"
    done
    works || fail "what was fetched does not start; try $DIR/bin/bitcoind --version"
}

works || fetch
printf 'BITCOIND=%s\nMONEROD=%s\n' "$DIR/bin/bitcoind" "$DIR/bin/monerod"
