#!/usr/bin/env bash
# Is the API what its OpenAPI document says? Starts PostgreSQL and the API with the
# starter data, all of it private to this run, and lets schemathesis ask: with good and
# bad data, as nobody, as a farm and as the operator.
#
#   crates/central/tests/contract.sh [CASES]     cases for each operation, 100 if left out
#
# What it needs and installs: schemathesis from PyPI, in .cache/contract of this checkout.
# What it leaves there: report-*.xml for each caller, and the logs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

readonly CASES=${1:-100}
readonly SCHEMATHESIS=4.32.5
readonly CACHE=$PWD/.cache/contract
readonly BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug
readonly OPERATOR=contract-operator-token-000000000000

say() { printf '%s\n' "$*" >&2; }
fail() { say "contract: $*"; exit 1; }

mkdir -p "$CACHE"
if [ "$("$CACHE/venv/bin/schemathesis" --version 2>/dev/null)" != "schemathesis, version $SCHEMATHESIS" ]; then
    say "Installing schemathesis $SCHEMATHESIS into .cache/contract/venv"
    python3 -m venv --clear "$CACHE/venv" || fail "python3 needs its module venv (Debian: python3-venv)"
    "$CACHE/venv/bin/pip" install -q --disable-pip-version-check "schemathesis==$SCHEMATHESIS"
fi
[ -n "${SMART_MINING_BUILT:-}" ] || cargo build -q -p smart-mining-central

PG_BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -Vr | while read -r folder; do
    if [ -x "$folder/initdb" ]; then echo "$folder"; break; fi
done)
[ -n "$PG_BIN" ] || fail "PostgreSQL's server programs are not installed; run ./dev setup"

FOLDER=$(mktemp -d)
API=
SERVER=(env -C /)
if [ "$(id -u)" = 0 ]; then
    # The server refuses to run as root.
    SERVER=(setpriv --reuid postgres --regid postgres --init-groups -- env -C /)
    chown postgres "$FOLDER"
fi
finish() {
    [ -z "$API" ] || { kill "$API" && wait "$API"; } 2>/dev/null || true
    "${SERVER[@]}" "$PG_BIN/pg_ctl" stop -s -w -m immediate -D "$FOLDER/data" 2>/dev/null || true
    rm -rf "$FOLDER"
}
trap finish EXIT
trap 'exit 130' INT TERM

"${SERVER[@]}" "$PG_BIN/initdb" -D "$FOLDER/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >/dev/null
"${SERVER[@]}" "$PG_BIN/pg_ctl" start -s -w -D "$FOLDER/data" -l "$FOLDER/pg.log" \
    -o "-k $FOLDER -c listen_addresses='' -c fsync=off -c synchronous_commit=off" >/dev/null
export DATABASE_URL="postgres://postgres@localhost/postgres?host=$FOLDER"
export SMART_MINING_SIGNING_KEY_FILE=$FOLDER/keys/signing.key
mkdir "$FOLDER/keys"
"$BIN/smart-mining-aggregator" keygen "$SMART_MINING_SIGNING_KEY_FILE" >/dev/null
"$BIN/smart-mining-aggregator" import crates/central/data/starter.json >/dev/null 2>"$CACHE/import.log"
FARM=$("$BIN/smart-mining-api" enrol contract 2>/dev/null)

# Rows of the kinds that the starter data has none of, so that answers are not all empty.
"${SERVER[@]}" "$PG_BIN/psql" -q -h "$FOLDER" -U postgres -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
UPDATE coins SET price_usd = 65000.5, price_margin = 0.001, price_at = now(), price_sources = '{a,b}' WHERE id = 'BTC';
INSERT INTO chains VALUES ('BTC', 'sha256d', 1.2e14, 5.1e23, 8.5e20, 3.125, 0.05, 900000, 5.3e-19, 0.02, 'node', 'node', now());
CREATE TABLE profitability_history_all PARTITION OF profitability_history DEFAULT;
INSERT INTO profitability_history
    SELECT at, 'BTC', 'pool-a', 'sha256d', 4e-14, 3.96e-14, 0.02
    FROM generate_series(now() - interval '2 days', now(), interval '10 minutes') AS at ON CONFLICT DO NOTHING;
INSERT INTO profitability_hourly
    SELECT hour, 'BTC', 'pool-a', 'sha256d', 6, 2.4e-13, 3.9e-14, 4.1e-14, 4e-14
    FROM generate_series(date_trunc('hour', now()) - interval '9 days', now(), interval '1 hour') AS hour ON CONFLICT DO NOTHING;
INSERT INTO source_health (source, state, updated_at, last_error_at, last_error)
    VALUES ('coingecko', 'ok', now(), NULL, NULL), ('minerstat', 'no-key', now(), now(), 'no key');
INSERT INTO rejections (day, source, fact, rule, value, detail, first_at, last_at)
    SELECT current_date, 'source-' || n, 'price', 'outlier', '1e9', 'too far off', now(), now() FROM generate_series(1, 300) AS n;
INSERT INTO releases (version, board, url, sha256, size, rollback_index, wave_percent, halted, halted_at, halted_reason)
    VALUES ('0.9.0', 'pi', 'https://x.example/i', repeat('0', 64), 5, 1, 10, true, now(), 'rolled back by 1 of 1 farms');
INSERT INTO release_outcomes (version, farm, outcome, reason, reported_at) SELECT '0.9.0', id, 'rolled-back', 'why', now() FROM farms;
SQL

# Limits are for another test; here every case has to be judged.
SMART_MINING_OPERATOR_TOKEN=$OPERATOR "$BIN/smart-mining-api" serve --max-connections 1000 --listen 127.0.0.1:0 \
    --token-rate 1000000 --token-burst 1000000 --address-rate 1000000 --address-burst 1000000 \
    2>"$CACHE/api.log" &
API=$!
URL=
for _ in $(seq 150); do
    URL=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$CACHE/api.log")
    if [ -n "$URL" ] && curl -fs -o /dev/null "$URL/readyz"; then break; fi
    kill -0 "$API" || fail "the API did not start: $(cat "$CACHE/api.log")"
    sleep 0.2
done
curl -fsS -o "$CACHE/openapi.json" "$URL/openapi.json"

# A poll that waits for a minute is right, and of no use a hundred times over.
cat > "$CACHE/schemathesis.toml" <<'TOML'
[[operations]]
include-path = "/api/v1/snapshot"
parameters = { "query.wait" = 0 }
TOML

check() { # NAME TOKEN ARGUMENT...
    local name=$1 token=$2
    shift 2
    local auth=()
    [ -z "$token" ] || auth=(-H "Authorization: Bearer $token")
    say "== as $name"
    "$CACHE/venv/bin/schemathesis" --config-file "$CACHE/schemathesis.toml" run "$CACHE/openapi.json" \
        --url "$URL" "${auth[@]}" --max-examples "$CASES" --mode all --checks all --seed 1 \
        --continue-on-failure --request-timeout 20 --no-color \
        --warnings off \
        --report junit --report-junit-path "$CACHE/report-$name.xml" "$@"
}

status=0
check anybody "" --include-tag ranking --include-tag service || status=1
check farm "$FARM" --include-tag farm || status=1
check operator "$OPERATOR" --include-tag operator || status=1
check stranger "" --include-tag farm --include-tag operator || status=1
grep -E ' (ERROR|WARN)| panicked ' "$CACHE/api.log" && { say "contract: the API's log has errors"; status=1; }
[ "$status" = 0 ] && say "contract: the API is what its document says"
exit "$status"
