#!/usr/bin/env bash
# Does a real Prometheus read an appliance, and do the dashboard and the alerts ask for what
# it has? Debian's Prometheus is unpacked into .cache of this checkout, not installed, so that
# no service starts. 69: it cannot be had here.
#
#   tests/prometheus.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly CACHE=${SMART_MINING_CACHE:-$PWD/.cache}/prometheus
readonly BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug
readonly PROMETHEUS=$CACHE/root/usr/bin/prometheus PROMTOOL=$CACHE/root/usr/bin/promtool

say() { printf '%s\n' "$*" >&2; }
fail() { say "metrics: $*"; exit 1; }

unpack() {
    [ -x "$PROMETHEUS" ] && [ -x "$PROMTOOL" ] && return
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return
    mkdir -p "$CACHE/packages"
    say "Fetching Debian's Prometheus into $CACHE"
    (cd "$CACHE/packages" && apt-get download -qq prometheus) || return
    rm -rf "$CACHE/root"
    dpkg-deb -x "$CACHE"/packages/prometheus_*.deb "$CACHE/root"
}

unpack || { say "SKIPPED: Prometheus cannot be fetched (after apt-get update it may)"; exit 69; }

say "== rules"
"$PROMTOOL" check rules docs/grafana/alerts.yml
"$PROMTOOL" test rules docs/grafana/alerts.test.yml

[ -n "${SMART_MINING_BUILT:-}" ] || cargo build -q -p smart-mining-proxy --bin smart-mining-proxy
FOLDER=$(mktemp -d)
STARTED=()
finish() {
    local pid
    for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
    rm -rf "$FOLDER"
}
trap finish EXIT
trap 'exit 130' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
APPLIANCE=127.0.0.1:$(free_port)
SCRAPER=127.0.0.1:$(free_port)

# Nothing listens there: a farm without a route has every name that a farm with one has, but
# for those that the program's own tests hold against the dashboard.
cat > "$FOLDER/farm.toml" <<TOML
[farm]
name = "barn"
[[listener]]
algorithm = "sha256d"
bind = "127.0.0.1:0"
[[pool]]
id = "barn-solo"
algorithm = "sha256d"
coin = "BTC"
url = "stratum+tcp://127.0.0.1:1"
user = "account.{worker}"
[status]
bind = "$APPLIANCE"
[store]
path = "$FOLDER/farm.sqlite"
TOML
"$BIN/smart-mining-proxy" run --config "$FOLDER/farm.toml" 2>"$FOLDER/appliance.log" &
STARTED+=($!)

until_ok() { # WHAT COMMAND...: for a minute at most
    local what=$1 tries
    shift
    for tries in $(seq 300); do
        if "$@"; then return; fi
        kill -0 "${STARTED[@]}" 2>/dev/null || break
        sleep 0.2
    done
    cat "$FOLDER"/*.log >&2
    fail "$what: it ended, or took more than a minute"
}
until_ok "the appliance" curl -fs -o /dev/null "http://$APPLIANCE/api/device"

say "== both forms"
curl -fsS "http://$APPLIANCE/metrics" | tee "$FOLDER/plain" | "$PROMTOOL" check metrics
curl -fsS -H 'Accept: application/openmetrics-text; version=1.0.0' "http://$APPLIANCE/metrics" > "$FOLDER/open"
[ "$(tail -n 1 "$FOLDER/open")" = "# EOF" ] || fail "OpenMetrics has to end with # EOF"

say "== a scrape"
cat > "$FOLDER/prometheus.yml" <<YML
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [$PWD/docs/grafana/alerts.yml]
scrape_configs:
  - job_name: smart_mining
    static_configs: [{ targets: ["$APPLIANCE"] }]
YML
"$PROMTOOL" check config "$FOLDER/prometheus.yml" >/dev/null
"$PROMETHEUS" --config.file="$FOLDER/prometheus.yml" --storage.tsdb.path="$FOLDER/data" \
    --web.listen-address="$SCRAPER" --log.level=warn 2>"$FOLDER/prometheus.log" &
STARTED+=($!)

ask() { curl -fsS "http://$SCRAPER/api/v1/$1" "${@:2}"; }
scraped() { ask query --data-urlencode 'query=up{job="smart_mining"} == 1' 2>/dev/null | grep -q '"metric"'; }
evaluated() { ask rules 2>/dev/null | python3 -c '
import json, sys
rules = [rule for group in json.load(sys.stdin)["data"]["groups"] for rule in group["rules"]]
sys.exit(not rules or any(rule["health"] != "ok" for rule in rules))'; }
until_ok "a scrape" scraped
until_ok "the rules" evaluated

python3 - "$SCRAPER" "$APPLIANCE" "$FOLDER/plain" <<'PY'
import json, re, sys, urllib.parse, urllib.request

scraper, appliance, plain = sys.argv[1:]

def ask(path, **query):
    url = f"http://{scraper}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)["data"]

target = ask("targets")["activeTargets"][0]
assert target["health"] == "up" and not target["lastError"], target

# What was served is what was stored.
served = {re.split(r"[{ ]", line)[0] for line in open(plain) if not line.startswith("#")}
stored = set(ask("label/__name__/values"))
assert served <= stored, served - stored

# The types came along, so it was read as what it is.
types = {name: entry[0]["type"] for name, entry in ask("metadata").items()}
assert types["smart_mining_state"] == "gauge", types
assert types.get("smart_mining_shares_total", types.get("smart_mining_shares")) == "counter", types

board = json.load(open("docs/grafana/smart-mining.json"))
queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
queries += [note["expr"] for note in board["annotations"]["list"]]
filled = 0
for query in queries:
    query = query.replace("$job", "smart_mining").replace("$instance", ".*").replace("$__rate_interval", "1m")
    filled += bool(ask("query", query=query)["result"])
print(f"{len(served)} names, {len(queries)} queries of the dashboard, {filled} of them with data at once")
assert filled >= len(queries) // 2
PY
say "metrics: a real Prometheus reads them"
