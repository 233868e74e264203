#!/usr/bin/env bash
# Runs a command with a Docker engine: the one that answers, else a private one that
# lives as long as the command. Base images that it lacks are brought, too.
#
#     docker-engine.sh COMMAND [ARGUMENT...]
#
# This is set-up for tests and no part of the product. A private engine needs root; what
# it lacks is installed with apt-get. Its images stay in $SMART_MINING_CACHE/docker, if
# that variable names a folder, else they go with it. Where Docker Hub cannot be reached,
# base images are made from Debian's packages and from the Rust of this machine.
#
# Exit code: the command's; 69 when there is no engine and none can be started.
set -euo pipefail

readonly NO_ENGINE=69
# Megabytes; one set of layers takes 4000.
readonly MOST_CACHED=16000
readonly DEBIAN=debian:bookworm-slim
readonly RUST=rust:1.95-bookworm

say() { printf 'docker-engine: %s\n' "$*" >&2; }
give_up() { say "$*"; exit "$NO_ENGINE"; }

[ $# -gt 0 ] || { say "name the command to run"; exit 64; }

# --- an engine that answers already --------------------------------------------

ANSWERS=
! command -v docker >/dev/null || ! docker info >/dev/null 2>&1 || ANSWERS=1
readonly ANSWERS

# --- what a private one needs --------------------------------------------------

[ -n "$ANSWERS" ] || [ "$(id -u)" = 0 ] || give_up "no Docker engine answers, and starting one needs root"

# Debian starts a service that it installs, unless this file says no; ours is private.
install_quietly() {
    command -v apt-get >/dev/null || give_up "these are missing, and this is not Debian or Ubuntu: $*"
    say "installing with apt-get: $*"
    local policy=/usr/sbin/policy-rc.d ours='' status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        ours=1
    fi
    apt-get update -qq >&2 || say "apt-get update failed; trying with the lists that are there"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "$@" >&2 </dev/null || status=$?
    [ -z "$ours" ] || rm -f "$policy"
    [ "$status" = 0 ] || give_up "apt-get could not install $*"
}

missing=()
if [ -z "$ANSWERS" ]; then
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v docker >/dev/null || missing+=(docker.io)
    command -v iptables >/dev/null || missing+=(iptables)
    command -v ip >/dev/null || missing+=(iproute2)
fi
docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || missing+=(docker-compose)
[ ${#missing[@]} = 0 ] || install_quietly "${missing[@]}"

# --- the engine ----------------------------------------------------------------

FOLDER=$(mktemp -d -t smart-mining-docker-XXXXXX)
DATA=$FOLDER/data
if [ -z "$ANSWERS" ] && [ -n "${SMART_MINING_CACHE:-}" ]; then
    DATA=$SMART_MINING_CACHE/docker
    mkdir -p "$DATA"
    # Two engines on one folder would destroy it; the lock goes with this script.
    exec 9>"$DATA.lock"
    flock -n 9 || give_up "another private engine uses $DATA; wait until it is done"
    # Each change of a dependency leaves its layers behind.
    size=$(du -sm "$DATA" | cut -f 1)
    if [ "$size" -gt "$MOST_CACHED" ]; then
        say "$DATA has grown to $size MB; starting with an empty one"
        rm -rf "$DATA"
    fi
fi
readonly FOLDER DATA
DAEMON=
BRIDGE_WAS_THERE=
[ ! -e /sys/class/net/docker0 ] || BRIDGE_WAS_THERE=1

# shellcheck disable=SC2317 # The trap calls it.
stop_engine() {
    local status=$?
    trap - EXIT INT TERM
    if [ -n "$DAEMON" ]; then
        kill "$DAEMON" 2>/dev/null || true
        wait "$DAEMON" 2>/dev/null || true
        # The daemon leaves its bridge and its hold on our network behind.
        umount "$FOLDER"/exec/netns/* 2>/dev/null || true
        [ -n "$BRIDGE_WAS_THERE" ] || ip link delete docker0 2>/dev/null || true
    fi
    rm -rf "$FOLDER"
    exit "$status"
}
trap stop_engine EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_engine() {
    # Should this script be killed, the engine still ends.
    setpriv --pdeathsig TERM dockerd --data-root "$DATA" --exec-root "$FOLDER/exec" --pidfile "$FOLDER/pid" \
        --host "unix://$FOLDER/socket" --log-level warn >"$FOLDER/log" 2>&1 9>&- &
    DAEMON=$!
    export DOCKER_HOST=unix://$FOLDER/socket
    local waited
    for waited in $(seq 300); do
        docker info >/dev/null 2>&1 && return
        kill -0 "$DAEMON" 2>/dev/null || break
        sleep 0.1
    done
    tail -20 "$FOLDER/log" >&2
    give_up "dockerd did not come up${waited:+ after $((waited / 10)) s}; its last words are above"
}

# --- base images ---------------------------------------------------------------

have_image() { docker image inspect "$1" >/dev/null 2>&1; }
pulled() { timeout 120 docker pull --quiet "$1" >/dev/null 2>&1; }

# A Debian with its sources, and this machine's way to the mirrors and its authorities.
debian_tree() {
    local tree=$1
    shift
    command -v mmdebstrap >/dev/null || install_quietly mmdebstrap
    mmdebstrap --quiet --variant=minbase "$@" bookworm "$tree"
    # Not more than "date checks are off" or "there is a proxy".
    apt-config dump | grep -E '^Acquire::(Check-|http)' >"$tree/etc/apt/apt.conf.d/90host" || true
    rm -rf "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/*.bin
}

import_tree() {
    local tree=$1 image=$2
    shift 2
    tar -C "$tree" --numeric-owner -c . | docker import "$@" - "$image" >/dev/null
    rm -rf "$tree"
}

stand_in_debian() {
    say "$DEBIAN cannot be pulled; making a stand-in from Debian's packages"
    debian_tree "$FOLDER/debian"
    import_tree "$FOLDER/debian" "$DEBIAN" --change 'CMD ["bash"]' --change "ENV PATH=$SYSTEM_PATH"
}

stand_in_rust() {
    local tree=$FOLDER/rust own from version
    own=$(realpath -m "$(dirname "${BASH_SOURCE[0]}")/../../../.cache")
    # The Rust that ./dev brings along.
    [ ! -x "$own/cargo/bin/rustc" ] || export RUSTUP_HOME=$own/rustup CARGO_HOME=$own/cargo PATH=$own/cargo/bin:$PATH
    command -v rustc >/dev/null || give_up "$RUST cannot be pulled, and there is no Rust here to make a stand-in of"
    from=$(rustc --print sysroot)
    [ "$from" != /usr ] || give_up "$RUST cannot be pulled, and the Rust here is spread over /usr; install one with rustup"
    version=$(rustc --version)
    say "$RUST cannot be pulled; making a stand-in with this machine's $version"
    debian_tree "$tree" --include=gcc,libc6-dev,ca-certificates
    # Without documentation and sources, which are most of its size.
    tar -C "$from" --exclude='share' --exclude='lib/rustlib/src' --exclude='bin/*clippy*' --exclude='lib/rustlib/*-none*' \
        -c bin lib | tar -C "$tree/usr/local" --no-same-owner -x
    # The registry may stand behind an authority that only this machine knows.
    [ ! -e /etc/ssl/certs/ca-certificates.crt ] ||
        cp --dereference /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"
    import_tree "$tree" "$RUST" --change "ENV PATH=$SYSTEM_PATH" --change 'ENV CARGO_HOME=/usr/local/cargo' \
        --change 'ENV CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt'
}
readonly SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

base_images() {
    have_image "$DEBIAN" || pulled "$DEBIAN" || stand_in_debian
    have_image "$RUST" || pulled "$RUST" || stand_in_rust
}

# What a run that was killed has left in the cached folder. Nobody else uses this engine.
remove_leftovers() {
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
    docker volume ls --quiet | xargs --no-run-if-empty docker volume rm >/dev/null
    docker network prune --force >/dev/null
}

if [ -z "$ANSWERS" ]; then
    start_engine
    remove_leftovers
fi
base_images
status=0
"$@" || status=$?
exit "$status"
