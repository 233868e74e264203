#!/usr/bin/env bash
# Builds central's three images with a Docker engine, runs them as the README says, and
# looks at them from the host. Removes whatever it made, however it ends.
#
#     docker.sh [--require]
#
# Without an engine it is skipped, or, with --require, fails. docker-engine.sh beside it
# brings an engine. DOCKER_BUILD_ARGS holds further words for `docker build`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

readonly DATABASE=smart_mining_database API=smart_mining_api AGGREGATOR=smart_mining_aggregator
readonly IMAGES=("$DATABASE" "$API" "$AGGREGATOR")
readonly NETWORK=smart_mining_network OTHER_NETWORK=smart_mining_test_other
readonly FOLDER_OF_FILES=crates/central/docker
readonly PASSWORD="it's a \"test\" \\ password"

say() { printf 'docker: %s\n' "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }
step() { printf 'docker: [%3d s] %s\n' "$SECONDS" "$*" >&2; }

# --- is there an engine, and is the ground free ----------------------------------

if ! docker info >/dev/null 2>&1; then
    [ "${1:-}" != --require ] || fail "no Docker engine answers to 'docker info'"
    say "SKIPPED: no Docker engine answers to 'docker info'"
    exit 0
fi

compose_program() {
    if docker compose version >/dev/null 2>&1; then
        COMPOSE=(docker compose)
    elif command -v docker-compose >/dev/null; then
        COMPOSE=(docker-compose)
    else
        fail "there is neither 'docker compose' nor 'docker-compose'; install docker-compose-plugin or docker-compose"
    fi
}
compose_program

# Somebody's central may run here; it is not ours to remove.
for name in "${IMAGES[@]}"; do
    [ -z "$(docker ps --all --quiet --filter "name=^/$name\$")" ] ||
        fail "a container $name is there already; remove it (docker rm) or use another engine"
done
for name in "$NETWORK" "$OTHER_NETWORK"; do
    [ -z "$(docker network ls --quiet --filter "name=^$name\$")" ] ||
        fail "a network $name is there already; remove it (docker network rm) or use another engine"
done
for name in "$DATABASE" "$AGGREGATOR"; do
    [ -z "$(docker volume ls --quiet --filter "name=^$name\$")" ] ||
        fail "a volume $name is there already, of a central that was run with compose; use another engine"
done

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# Sets the variable named by $1 to port $2, or to the next free one.
choose_port() {
    local port=$2
    while port_is_taken "$port"; do port=$((port + 1)); done
    [ "$port" = "$2" ] || say "port $2 is taken on this host; using $port on its side"
    printf -v "$1" %s "$port"
}
choose_port API_PORT 3000
choose_port DATABASE_PORT 5432

FOLDER=$(mktemp -d -t smart-mining-images-XXXXXX)
# Containers read from it under user ids of their own.
chmod 755 "$FOLDER"
readonly FOLDER

# --- leave nothing -----------------------------------------------------------------

image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }
remove_containers() { docker rm --force --volumes "${IMAGES[@]}" "$DATABASE.old" >/dev/null 2>&1 || true; }

declare -A IMAGE_BEFORE
clean_up() {
    local status=$? name made
    trap - EXIT INT TERM
    if [ "$status" != 0 ]; then
        for name in "${IMAGES[@]}"; do
            say "last words of $name:"
            docker logs --tail 15 "$name" >&2 2>&1 || true
        done
    fi
    [ ! -e "$FOLDER/composed" ] || compose down --volumes >/dev/null 2>&1 || true
    remove_containers
    docker network rm "$NETWORK" "$OTHER_NETWORK" >/dev/null 2>&1 || true
    # An image that was there gets its name back. Layers stay: they are the cache of the
    # next build.
    for name in "${!IMAGE_BEFORE[@]}"; do
        made=$(image_id "$name")
        [ -n "$made" ] && [ "$made" != "${IMAGE_BEFORE[$name]}" ] || continue
        [ -z "${IMAGE_BEFORE[$name]}" ] || docker tag "${IMAGE_BEFORE[$name]}" "$name" || true
        [ -n "${IMAGE_BEFORE[$name]}" ] || made=$name
        docker rmi --no-prune "$made" >/dev/null 2>&1 || true
    done
    rm -rf "$FOLDER"
    [ "$status" != 0 ] || step "passed"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- words of the test -------------------------------------------------------------

health_of() { docker inspect --format '{{.State.Health.Status}}' "$1"; }

wait_until_healthy() {
    local name tries
    for name in "$@"; do
        for tries in $(seq 120); do
            [ "$(health_of "$name")" != healthy ] || continue 2
            [ "$(docker inspect --format '{{.State.Status}}' "$name")" = running ] || fail "$name ended by itself"
            sleep 0.5
        done
        fail "$name is $(health_of "$name") after $((tries / 2)) s: $(docker inspect --format '{{json .State.Health.Log}}' "$name")"
    done
}

# A command's success within 30 s.
eventually() {
    local tries
    for tries in $(seq 60); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.5
    done
    fail "not true after $((tries / 2)) s: $*"
}

http() { curl --silent --show-error --max-time 10 "$@"; }
api_url() { printf 'http://127.0.0.1:%s%s' "$API_PORT" "$1"; }
status_of() { http --output /dev/null --write-out '%{http_code}' "$(api_url "$1")"; }
ready_is() { [ "$(status_of /readyz)" = "$1" ]; }

best_pool() {
    http --fail-with-body "$(api_url '/api/best-pool?algo=sha256')" >"$FOLDER/best-pool" ||
        fail "the API has no best pool: $(cat "$FOLDER/best-pool")"
    grep -Eq '"pool": *\{[^}]*"id": *"[^"]+"' "$FOLDER/best-pool" && grep -q sha256d "$FOLDER/best-pool" ||
        fail "this is no best pool: $(cat "$FOLDER/best-pool")"
}

import_demonstration() {
    docker exec --interactive "$AGGREGATOR" smart-mining-aggregator import /dev/stdin \
        <crates/central/data/starter.json >/dev/null
}

# psql of the database image, on network $1 and with password $2 (may be empty), then its arguments.
psql_from() {
    local network=$1 password=$2
    shift 2
    docker run --rm --network "$network" --env PGPASSWORD="$password" --env PGCONNECT_TIMEOUT=5 \
        --entrypoint psql "$DATABASE" --no-password --no-psqlrc --tuples-only --no-align "$@" 2>&1
}
from_host() { psql_from host "$1" --host "${3:-127.0.0.1}" --port "$DATABASE_PORT" --username "${2:-smart_mining}" --dbname smart_mining --command 'SELECT 42'; }
from_network() { psql_from "$NETWORK" "$1" --host "$DATABASE" --username "${2:-smart_mining}" --dbname "${3:-smart_mining}" --command 'SELECT 42'; }

must_get_in() {
    local answer
    answer=$("$@") || fail "refused, but should get in: $*: $answer"
    [ "$answer" = 42 ] || fail "$* answered $answer"
}
# The refusal must be the server's word, not a broken way to it.
must_be_refused() {
    local words=$1 answer
    shift
    ! answer=$("$@") || fail "gets in, but should not: $*"
    [[ $answer =~ $words ]] || fail "not refused with '$words': $*: $answer"
}

must_stop_well() {
    local name=$1 before=$EPOCHREALTIME took code
    docker stop --time 10 "$name" >/dev/null
    took=$(((${EPOCHREALTIME/./} - ${before/./}) / 1000))
    code=$(docker inspect --format '{{.State.ExitCode}}' "$name")
    [ "$code" = 0 ] || fail "$name ended with code $code when it was stopped"
    [ "$took" -lt 5000 ] || fail "$name took $took ms to stop"
    step "$name stopped in $took ms"
}

compose() {
    SMART_MINING_SECRETS=$FOLDER/secrets SMART_MINING_API_PORT=$API_PORT SMART_MINING_DATABASE_PORT=127.0.0.1:$DATABASE_PORT \
        "${COMPOSE[@]}" --file "$FOLDER_OF_FILES/compose.yaml" "$@"
}

# --- build ---------------------------------------------------------------------------

build() {
    local name=$1 words=()
    read -ra words <<<"${DOCKER_BUILD_ARGS:-}"
    IMAGE_BEFORE[$name]=$(image_id "$name")
    docker build "${words[@]}" -t "$name" --target "${name#smart_mining_}" -f $FOLDER_OF_FILES/Dockerfile . >"$FOLDER/build" 2>&1 ||
        { tail -40 "$FOLDER/build" >&2; fail "docker build of $name"; }
    step "built $name, $(($(docker image inspect --format '{{.Size}}' "$name") / 1000000)) MB"
}
for name in "${IMAGES[@]}"; do build "$name"; done

# --- what the images are --------------------------------------------------------------

for name in "${IMAGES[@]}"; do
    user=$(docker run --rm --entrypoint id "$name" -u)
    [ "$user" -gt 0 ] || fail "$name runs as root"
    found=$(docker run --rm --user 0 --entrypoint bash "$name" -c \
        'type -P cc gcc g++ c++ clang ld as make cargo rustc rustup curl wget git python3 || true')
    [ -z "$found" ] || fail "$name carries tools that it does not need: $found"
    commands=$(docker image inspect --format '{{json .Config.Healthcheck.Test}}{{json .Config.Entrypoint}}' "$name")
    [[ $commands != *CMD-SHELL* && $commands != *null* ]] || fail "$name lacks a health check or an entry point in exec form: $commands"
    docker image inspect --format '{{json .Config.Labels}}' "$name" | grep -c org.opencontainers.image.title >/dev/null ||
        fail "$name has no labels"
    ! { docker image inspect --format '{{json .Config.Env}}' "$name"; docker history --no-trunc "$name"; } |
        grep -Ei '(password|token|secret|api_key)(_file)?=' >&2 || fail "$name has a secret baked in"
done
[ -z "$(docker run --rm --entrypoint find "$AGGREGATOR" /var/lib/smart-mining -type f)" ] || fail "a signing key is part of the image"
step "no root, no tools, no secrets in the images"

# --- the lines of the README -----------------------------------------------------------

docker network create smart_mining_network >/dev/null
docker run -d -p "$DATABASE_PORT":5432 --name smart_mining_database --network smart_mining_network smart_mining_database >/dev/null
docker run -d -p "$API_PORT":3000 --name smart_mining_api --network smart_mining_network smart_mining_api >/dev/null
docker run -d --name smart_mining_aggregator --network smart_mining_network smart_mining_aggregator >/dev/null
wait_until_healthy "${IMAGES[@]}"
step "the three containers are healthy"

docker logs "$AGGREGATOR" 2>&1 | grep -c 'made a new one in /var/lib/smart-mining/signing.key' >/dev/null || fail "the aggregator does not say that it made a key"
key=$(docker exec "$AGGREGATOR" smart-mining-aggregator public-key /var/lib/smart-mining/signing.key)
docker logs "$AGGREGATOR" 2>&1 | grep -cF "public key $key" >/dev/null || fail "the aggregator does not say its public key $key"

import_demonstration
eventually ready_is 200
best_pool
step "the host asked the API for the best pool: $(cut -c 1-120 "$FOLDER/best-pool")..."

token=$(docker exec "$API" smart-mining-api enrol hill)
[[ $token == smf_* ]] || fail "enrol printed '$token'"
code=$(http --output "$FOLDER/snapshot" --write-out '%{http_code}' --header "Authorization: Bearer $token" "$(api_url /api/v1/snapshot)")
[ "$code" = 200 ] && [ -s "$FOLDER/snapshot" ] || fail "the farm's snapshot was answered $code"
[ "$(status_of /api/v1/snapshot)" = 401 ] || fail "a snapshot without a token was not answered 401"

# --- without a password ------------------------------------------------------------------

docker logs "$DATABASE" 2>&1 | grep -c 'NO PASSWORD IS SET' >/dev/null || fail "the database does not say that it has no password"
must_get_in from_network ''
must_be_refused 'no password supplied|pg_hba.conf rejects' from_network '' postgres postgres
must_be_refused 'no password supplied|pg_hba.conf rejects' from_network '' smart_mining postgres
must_be_refused 'pg_hba.conf rejects' from_host ''
must_be_refused 'pg_hba.conf rejects' from_host '' postgres
# By another address of the host, and from a container on another network.
for address in $(hostname -I 2>/dev/null | tr ' ' '\n' | grep -E '^[0-9.]+$' | head -3); do
    must_be_refused 'no password supplied|pg_hba.conf rejects' from_host '' smart_mining "$address"
done
docker network create "$OTHER_NETWORK" >/dev/null
gateway=$(docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' "$OTHER_NETWORK")
must_be_refused 'no password supplied|pg_hba.conf rejects|timeout expired' psql_from "$OTHER_NETWORK" '' \
    --host "$gateway" --port "$DATABASE_PORT" --username smart_mining --dbname smart_mining --command 'SELECT 42'
docker network rm "$OTHER_NETWORK" >/dev/null
owned=$(docker exec "$DATABASE" psql -d smart_mining -Atc \
    "SELECT rolsuper, rolcreatedb, rolcreaterole, (SELECT string_agg(datname, ',') FROM pg_database WHERE datdba = pg_roles.oid) FROM pg_roles WHERE rolname = 'smart_mining'")
[ "$owned" = 'f|f|f|smart_mining' ] || fail "role smart_mining may more than own its database: $owned"
step "without a password: the network gets in, the host does not"

# --- restarts and stops -------------------------------------------------------------------

must_stop_well "$DATABASE"
eventually ready_is 503
best_pool
docker start "$DATABASE" >/dev/null
wait_until_healthy "$DATABASE"
eventually ready_is 200
docker exec "$API" smart-mining-api farms | grep -c '^hill' >/dev/null || fail "the farm is gone after a restart of the database"
docker kill "$DATABASE" >/dev/null
docker start "$DATABASE" >/dev/null
wait_until_healthy "$DATABASE"
eventually ready_is 200
docker exec "$API" smart-mining-api farms | grep -c '^hill' >/dev/null || fail "the farm is gone after the database was killed"
step "the database was restarted and killed, and has its data"

wait_until_healthy "$AGGREGATOR"
sequence=$(http --dump-header - --output /dev/null --header "Authorization: Bearer $token" "$(api_url /api/v1/snapshot)" |
    tr -d '\r' | sed -n 's/^x-sequence: //Ip')
# A farm that waits for the next snapshot does not hold the API up.
http --max-time 60 --output /dev/null --header "Authorization: Bearer $token" \
    "$(api_url "/api/v1/snapshot?after=$((sequence + 1000))&wait=50")" 2>/dev/null &
waiting=$!
must_stop_well "$API"
wait "$waiting" || true
must_stop_well "$AGGREGATOR"
docker start "$AGGREGATOR" >/dev/null
eventually docker exec "$AGGREGATOR" true
[ "$(docker exec "$AGGREGATOR" smart-mining-aggregator public-key /var/lib/smart-mining/signing.key)" = "$key" ] ||
    fail "the aggregator has another key after a restart"

# --- with a password ------------------------------------------------------------------------

printf '%s\n' "$PASSWORD" >"$FOLDER/password"
chmod 644 "$FOLDER/password"
volume=$(docker inspect --format '{{range .Mounts}}{{if eq .Destination "/var/lib/postgresql"}}{{.Name}}{{end}}{{end}}' "$DATABASE")
docker stop "$DATABASE" >/dev/null
docker rename "$DATABASE" "$DATABASE.old"
docker run -d -p "$DATABASE_PORT":5432 --name "$DATABASE" --network "$NETWORK" \
    --volume "$volume:/var/lib/postgresql" --env SMART_MINING_DATABASE_PASSWORD_FILE=/password \
    --volume "$FOLDER/password:/password:ro" "$DATABASE" >/dev/null
docker rm "$DATABASE.old" >/dev/null
wait_until_healthy "$DATABASE"
must_get_in from_host "$PASSWORD"
must_get_in from_network "$PASSWORD"
must_be_refused 'no password supplied' from_host ''
must_be_refused 'no password supplied' from_network ''
must_be_refused 'password authentication failed' from_host wrong
must_be_refused 'password authentication failed' from_network "$PASSWORD" postgres
docker run --rm --network "$NETWORK" --env SMART_MINING_DATABASE_PASSWORD="$PASSWORD" "$API" farms | grep -c '^hill' >/dev/null ||
    fail "the API does not get in with the password of its environment"
docker run --rm --network "$NETWORK" --env SMART_MINING_DATABASE_PASSWORD_FILE=/password \
    --volume "$FOLDER/password:/password:ro" "$API" farms | grep -c '^hill' >/dev/null ||
    fail "the API does not get in with the password of a file"
! docker logs "$DATABASE" 2>&1 | grep -F "it's a" >&2 || fail "the password is in the database's log"
remove_containers
docker volume rm "$volume" >/dev/null 2>&1 || true
docker network rm "$NETWORK" >/dev/null
step "with a password: host and network get in with it, and nobody without"

# --- compose ----------------------------------------------------------------------------------

mkdir -m 700 "$FOLDER/secrets"
printf 'composed-secret\n' >"$FOLDER/secrets/database_password"
printf 'operator-of-the-test\n' >"$FOLDER/secrets/operator_token"
chmod 644 "$FOLDER"/secrets/*
: >"$FOLDER/composed"
compose up --detach >"$FOLDER/compose" 2>&1 || { cat "$FOLDER/compose" >&2; fail "compose up"; }
wait_until_healthy "${IMAGES[@]}"
import_demonstration
eventually ready_is 200
best_pool
must_be_refused 'no password supplied' from_host ''
must_get_in from_host composed-secret
code=$(http --output /dev/null --write-out '%{http_code}' --header 'Authorization: Bearer operator-of-the-test' "$(api_url /api/v1/farms)")
[ "$code" = 200 ] || fail "the operator's token was answered $code"
[ "$(status_of /api/v1/farms)" = 401 ] || fail "the list of farms without the operator's token was not answered 401"
compose down --volumes >"$FOLDER/compose" 2>&1 || { cat "$FOLDER/compose" >&2; fail "compose down"; }
rm "$FOLDER/composed"
left=$(docker ps --all --quiet --filter name=smart_mining; docker volume ls --quiet --filter name=smart_mining; docker network ls --quiet --filter name=smart_mining)
[ -z "$left" ] || fail "compose down left $left"
step "compose brought the three up and took them down"
