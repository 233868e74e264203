#!/usr/bin/env bash
# Measures how the API grows with the farms: a private PostgreSQL, the API as it is
# released, and a crowd of farms that poll it as appliances do. Prints tables.
#
#     scale.sh [FARMS]                 10000 unless told; within 4 minutes
#
# ./dev scale is the way in: it brings PostgreSQL. docs/scale.md says what the figures mean.
# Fails when the database's load grows with the farms, or when a farm misses a snapshot.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

readonly FARMS=${1:-10000}
# What a farm asks for; the appliance says 25, which gives a little less to do.
readonly WAIT=${SCALE_WAIT:-20}
# Entries of the snapshot, in place of the handful of the starter data.
readonly COINS=25 POOLS=8
# Seconds without publications, in which each farm asks once; and between two of them, which
# must be less than WAIT.
readonly QUIET=${SCALE_QUIET:-$WAIT} EVERY=2.5 PUBLICATIONS=4
# Twelve times as often as by default, so that each measurement holds the same number.
readonly SEEN_EVERY=5

say() { printf 'scale: [%3d s] %s\n' "$SECONDS" "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

case $FARMS in '' | *[!0-9]* | 0*) fail "FARMS is a number, not '$FARMS'" ;; esac
ulimit -n "$(ulimit -H -n)"
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge $((FARMS + 500)) ] ||
    fail "each farm is an open file, and 'ulimit -H -n' allows $(ulimit -n); raise it, or measure fewer farms"
read -r first last < /proc/sys/net/ipv4/ip_local_port_range
[ $((last - first)) -gt $((FARMS + 1000)) ] ||
    fail "one address has $((last - first)) ports for connections (net.ipv4.ip_local_port_range); measure fewer farms"
PG_BIN=${PG_BIN:-$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
[ -x "$PG_BIN/initdb" ] || fail "no PostgreSQL under $PG_BIN; ./dev setup installs it"

BIN=${CARGO_TARGET_DIR:-$PWD/target}/release
if [ -z "${SCALE_NO_BUILD:-}" ]; then
    say "building as for a release"
    cargo build --release --quiet -p smart-mining-central -p smart-mining-farmsim --bins
fi
SECONDS=0

# --- what is started here ends here ----------------------------------------------

FOLDER=$(mktemp -d -t smart-mining-scale-XXXXXX)
readonly FOLDER
PIDS=()
clean_up() {
    local status=$? pid
    trap - EXIT INT TERM
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    [ ! -e "$FOLDER/data/postmaster.pid" ] || "${AS[@]}" "$PG_BIN/pg_ctl" stop -s -m immediate -D "$FOLDER/data" || true
    [ "$status" = 0 ] || tail -n 5 "$FOLDER"/*.log >&2 || true
    rm -rf "$FOLDER"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The server refuses to run as root.
AS=(env -C /)
if [ "$(id -u)" = 0 ]; then
    AS=(env -C / setpriv --reuid=postgres --regid=postgres --init-groups --)
    chown postgres "$FOLDER"
    chmod 755 "$FOLDER"
fi
"${AS[@]}" "$PG_BIN/initdb" -D "$FOLDER/data" -U postgres --auth=trust -E UTF8 --locale=C --no-sync > "$FOLDER/initdb.log"
"${AS[@]}" "$PG_BIN/pg_ctl" start -s -w -D "$FOLDER/data" -l "$FOLDER/data/log" \
    -o "-k $FOLDER -c listen_addresses='' -c shared_preload_libraries=pg_stat_statements -c track_commit_timestamp=on"

sql() { "$PG_BIN/psql" -h "$FOLDER" -U postgres -d postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
url() { echo "postgres://$1@localhost:5432/postgres?host=$FOLDER"; }

# A role for each replica, so that pg_stat_statements knows whose statement it was.
sql -c "CREATE EXTENSION pg_stat_statements" \
    -c "CREATE ROLE api1 SUPERUSER LOGIN" -c "CREATE ROLE api2 SUPERUSER LOGIN" -c "CREATE ROLE publisher SUPERUSER LOGIN"

# --- farms and a ranking ------------------------------------------------------------

dataset() {
    awk -v coins=$COINS -v pools=$POOLS 'BEGIN {
        printf "{\"coins\": ["
        for (c = 1; c <= coins; c++) printf "%s{\"id\": \"COIN%d\", \"name\": \"Coin %d\"}", (c > 1 ? "," : ""), c, c
        printf "], \"pools\": ["
        for (p = 1; p <= pools; p++) {
            printf "%s{\"id\": \"pool-%d\", \"name\": \"Pool %d\", \"offers\": [", (p > 1 ? "," : ""), p, p
            for (c = 1; c <= coins; c++)
                printf "%s{\"coin\": \"COIN%d\", \"algorithm\": \"sha256d\", \"url\": \"stratum+tcp://coin%d.pool-%d.example:3333\", \"fee\": 0.0%d, \"scheme\": \"PPLNS\"}", (c > 1 ? "," : ""), c, c, p, p
            printf "]}"
        }
        printf "], \"profitability\": ["
        for (p = 1; p <= pools; p++) for (c = 1; c <= coins; c++)
            printf "%s{\"coin\": \"COIN%d\", \"pool\": \"pool-%d\", \"algorithm\": \"sha256d\", \"usd_per_hash_day\": %.6e, \"margin\": 0.01}", (p + c > 2 ? "," : ""), c, p, 4e-14 * (1 + (p * 31 + c * 17) % 97 / 1000)
        print "]}"
    }' > "$FOLDER/data.json"
}

publish() {
    "$BIN/smart-mining-aggregator" import "$FOLDER/data.json" --database-url "$(url publisher)" \
        --signing-key "$FOLDER/signing.key" 2>> "$FOLDER/aggregator.log"
}

# Tokens as `enrol` makes them, and of each what the database keeps.
enrol_all() {
    head -c $((FARMS * 33)) /dev/urandom | basenc --base64url -w 0 > "$FOLDER/random"
    fold -w 43 "$FOLDER/random" | head -n "$FARMS" | sed 's/^/smf_/' > "$FOLDER/tokens"
    sql -c "CREATE TEMP TABLE given (number serial, token text)" -c "\\copy given (token) FROM $FOLDER/tokens" \
        -c "INSERT INTO farms (name, token_sha256)
            SELECT 'farm-' || number, sha256(token::bytea) FROM given" \
        -c "ANALYZE farms" -c "NOTIFY farms"
    [ "$(sql -c "SELECT count(*) FROM farms")" = "$FARMS" ] || fail "the farms were not enrolled"
}

say "PostgreSQL $("$PG_BIN/postgres" --version | sed 's/[^0-9]*//'), $FARMS farms, $((COINS * POOLS)) entries a snapshot"
dataset
"$BIN/smart-mining-aggregator" keygen "$FOLDER/signing.key" > /dev/null
publish > /dev/null
enrol_all

# --- the API, and what it takes ---------------------------------------------------------

declare -A API_PID API_URL

# start_api NUMBER: a replica, on a port of its own.
start_api() {
    local log="$FOLDER/api$1.log" tries port=0
    # The same port again after a restart: that is where the farms look for it.
    [ -z "${API_URL[$1]:-}" ] || port=${API_URL[$1]##*:}
    : > "$log"
    # shellcheck disable=SC2086
    "$BIN/smart-mining-api" serve --listen "127.0.0.1:$port" --database-url "$(url "api$1")" --seen-every $SEEN_EVERY \
        --max-connections $((FARMS + 100)) --address-rate 1000000 --address-burst 1000000 2> "$log" &
    API_PID[$1]=$!
    PIDS+=("$!")
    for ((tries = 0; tries < 200; tries++)); do
        API_URL[$1]=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$log")
        [ -z "${API_URL[$1]}" ] || ! curl -sf -o /dev/null "${API_URL[$1]}/readyz" || return 0
        sleep 0.05
    done
    fail "the API does not get ready"
}

stop_api() {
    kill "-${2:-TERM}" "${API_PID[$1]}"
    # Of a killed one, bash would say so.
    wait "${API_PID[$1]}" 2>/dev/null || [ "${2:-TERM}" != TERM ] || fail "the API ended badly"
}

ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13}'; }
memory() { awk -v what="$2:" '$1 == what {print $2}' "/proc/$1/status"; }
polls() { curl -s "${API_URL[$1]}/metrics" | awk '$1 == "smart_mining_api_open_polls" {print $2}'; }
now() { date +%s.%N; }
# Statements of a replica so far, and the milliseconds that they took the server.
load() {
    sql -F ' ' -c "SELECT coalesce(sum(calls), 0), coalesce(round(sum(total_exec_time)::numeric, 1), 0)
        FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE rolname = 'api$1'"
}
connections() { sql -c "SELECT count(*) FROM pg_stat_activity WHERE usename = 'api$1'"; }

wait_for_polls() {
    local tries open
    for ((tries = 0; tries < 600; tries++)); do
        open=$(polls "$1")
        # At every moment some have just been answered and are not back yet.
        [ "${open:-0}" -lt $(($2 - $2 / 50)) ] || return 0
        sleep 0.1
    done
    fail "$(polls "$1") of $2 farms wait at replica $1 after a minute"
}

start_farms() {
    local count=$1 number urls=()
    shift
    for number in "$@"; do urls+=(--api "${API_URL[$number]}"); done
    : > "$FOLDER/commits"
    "$BIN/smart-mining-farmsim" farms "${urls[@]}" --tokens "$FOLDER/tokens" --count "$count" --wait "$WAIT" \
        --seconds 200 --commits "$FOLDER/commits" > "$FOLDER/farms.json" 2> "$FOLDER/farms.log" &
    FARMS_PID=$!
    PIDS+=("$!")
}

stop_farms() {
    # The transaction that wrote a snapshot's row is the one that announced it.
    sql -F ' ' -c "SELECT sequence, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM snapshots" > "$FOLDER/commits"
    kill -TERM "$FARMS_PID"
    wait "$FARMS_PID" || fail "the farms ended badly"
}

# An SQL expression over the farms' JSON, which is j; PostgreSQL reads JSON well.
told() { sql -v doc="$(cat "$FOLDER/farms.json")" <<< "SELECT $1 FROM (SELECT :'doc'::jsonb AS j) AS told"; }
# Of the last PUBLICATIONS: what the step published itself.
PUBLISHED="(SELECT p FROM jsonb_array_elements(j -> 'publications') AS p ORDER BY p -> 'sequence' DESC LIMIT $PUBLICATIONS)"
worst() { echo "(SELECT round(max((p -> 'ms' ->> '$1')::numeric)) FROM $PUBLISHED AS last)"; }

sleep_until() { sleep "$(awk -v t="$1" -v n="$(now)" 'BEGIN {printf "%.3f", (t > n ? t - n : 0)}')"; }

publish_some() {
    local i start
    for ((i = 0; i < PUBLICATIONS; i++)); do
        start=$(now)
        publish > /dev/null
        sleep_until "$(awk -v s="$start" 'BEGIN {printf "%.3f", s + '$EVERY'}')"
    done
}

# Sets, for replica $1: MS, CALLS and DB_MS of what "$2..." takes.
measure() {
    local number=$1 before after
    shift
    before="$(ticks "${API_PID[$number]}") $(load "$number") $(now)"
    "$@"
    after="$(ticks "${API_PID[$number]}") $(load "$number") $(now)"
    read -r MS CALLS DB_MS WINDOW <<< "$(echo "$before $after" | awk -v hz="$(getconf CLK_TCK)" \
        '{print ($5 - $1) * 1000 / hz, $6 - $2, $7 - $3, $8 - $4}')"
}

# step NAME COUNT REPLICA...: appends a line for each replica to the table.
step() {
    local name=$1 count=$2 number bare share quiet_ms quiet_calls quiet_db window busy_ms busy_calls busy_db busy
    shift 2
    for number in "$@"; do start_api "$number"; done
    number=$1
    share=$((count / $#))
    bare=$(memory "${API_PID[$number]}" VmRSS)
    if [ "$count" -gt 0 ]; then
        start_farms "$count" "$@"
        for number in "$@"; do wait_for_polls "$number" "$share"; done
        number=$1
        # All have the snapshot, and the first write of when they were seen is over.
        sleep 2
    fi
    measure "$number" sleep "$QUIET"
    quiet_ms=$MS quiet_calls=$CALLS quiet_db=$DB_MS window=$WINDOW
    measure "$number" publish_some
    busy_ms=$MS busy_calls=$CALLS busy_db=$DB_MS busy=$WINDOW
    local full high links latency="- - - -"
    full=$(memory "${API_PID[$number]}" VmRSS) high=$(memory "${API_PID[$number]}" VmHWM) links=$(connections "$number")
    if [ "$count" -gt 0 ] && [ "${RESTART:-}" = "$name" ]; then restart "$number" "$count"; fi
    if [ "$count" -gt 0 ]; then
        stop_farms
        latency=$(told "concat_ws(' ', $(worst first), $(worst p50), $(worst p99), $(worst last))")
        say "$name: $(told "j - 'publications' - 'lost_and_back'")"
        [ "$(told "(SELECT count(*) FROM $PUBLISHED AS last WHERE (p -> 'farms')::int = $count)")" = $PUBLICATIONS ] ||
            fail "not every farm got every snapshot: $(told "jsonb_path_query_array(j, '$.publications[*].farms')") of $count farms"
        [ "${RESTART:-}" = "$name" ] || [ "$(told "j -> 'faults'")" = "{}" ] || fail "polls failed: $(told "j -> 'faults'")"
    fi
    for number in "$@"; do stop_api "$number"; done
    awk -v name="$name" -v n="$share" -v bare="$bare" -v full="$full" -v high="$high" -v qm="$quiet_ms" -v qc="$quiet_calls" \
        -v qd="$quiet_db" -v w="$window" -v bm="$busy_ms" -v bc="$busy_calls" -v bd="$busy_db" -v b="$busy" -v k=$PUBLICATIONS \
        -v latency="$latency" -v links="$links" 'BEGIN {
        split(latency, l, " ")
        # Nothing is taken off for polls: no farm waits to the end between publications.
        each = bm / k
        printf "%s|%d|%.1f|%.1f|%s|%.1f|%.0f|%s|%s / %s / %s|%.1f|%.1f|%.2f|%d\n", name, n, full / 1024, high / 1024,
            n ? sprintf("%.1f", (full - bare) / n) : "-", qm / w / 10, each, n ? sprintf("%.0f", each * 1000 / n) : "-",
            l[2], l[3], l[4], qc / w, bc / b, (qd / w + bd / b) / 2, links }' >> "$FOLDER/table"
    echo "$name $quiet_calls $window $busy_calls $busy" >> "$FOLDER/calls"
}

# Killed, not asked to stop: every farm loses its connection at the same moment.
restart() {
    local number=$1 count=$2 ended ready back calls_before calls_after
    say "killing the API with $count polls open, and starting it again"
    stop_api "$number" KILL
    ended=$(now)
    read -r calls_before _ <<< "$(load "$number")"
    start_api "$number"
    ready=$(now)
    wait_for_polls "$number" "$count"
    back=$(now)
    sleep 2
    read -r calls_after _ <<< "$(load "$number")"
    awk -v e="$ended" -v r="$ready" -v b="$back" -v c=$((calls_after - calls_before)) -v m="$(ticks "${API_PID[$number]}")" -v hz="$(getconf CLK_TCK)" \
        -v h="$(memory "${API_PID[$number]}" VmHWM)" 'BEGIN {
        printf "ready again %.2f s after the kill, all polls open after %.1f s; until then %d statements, %.1f s of CPU, %.0f MB at most\n",
            r - e, b - e, c, m / hz, h / 1024 }' > "$FOLDER/restart"
}

RESTART=all
step none 0 1
step tenth $((FARMS / 10)) 1
step half $((FARMS / 2)) 1
step all "$FARMS" 1
{ echo "farms that had to wait a second or more to connect: $(told "j -> 'lost_and_back'"); faults: $(told "j -> 'faults'")"; } >> "$FOLDER/restart"
step two-replicas "$FARMS" 1 2

say "asking for the best pool"
start_api 1
before=$(ticks "${API_PID[1]}")
"$BIN/smart-mining-farmsim" requests "${API_URL[1]}/api/best-pool?algo=sha256" --seconds 5 > "$FOLDER/best.json"
best_ticks=$(($(ticks "${API_PID[1]}") - before))
stop_api 1

cat <<TEXT

$(nproc) cores, shared by the farms, the API and PostgreSQL; wait=$WAIT; times since the commit, the worst of $PUBLICATIONS publications

TEXT
{
    echo "step|farms|MB|MB most|KB/farm|CPU %|CPU ms/publ.|us/farm|p50 / p99 / last ms|stmts/s|stmts/s publ.|DB ms/s|DB conns"
    cat "$FOLDER/table"
} | column -t -s '|'
echo
cat "$FOLDER/restart"
echo "best pool: $(cat "$FOLDER/best.json"), CPU of the API $((best_ticks * 1000 / $(getconf CLK_TCK))) ms"
say "done"

# One round of the API's own more or less falls into a window, with 6 statements, and two
# more connections greet the server; a statement a farm would be a hundred.
awk 'NR == 1 { quiet = $2 / $3; busy = $4 / $5; next }
    $2 > quiet * $3 + 12 || $4 > busy * $5 + 12 { print "more statements with farms than without: " $0; bad = 1 }
    END { exit bad }' "$FOLDER/calls" >&2 || fail "the load of the database grows with the farms"
