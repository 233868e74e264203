"""Central's fleet page in a real browser: every state, phone and desktop, with and without
script. `./dev page` runs it after the appliance's page, with the same browser and the same
database; its pictures are left beside those.
"""

import json
import os
import subprocess
import sys
import time
import traceback
import urllib.request

from browser import SIZES, Browser
from farm import BIN, FOLDER, Failed, free_port, must, until

OPERATOR = "the-operator-of-a-browser-test"
PAGE_BYTES = 100 * 1024
STATES = ["trouble", "silent", "holding", "mining-from-cache", "mining", "disabled", "new"]
STORIES = []


def story(function):
    STORIES.append(function)
    return function


class Fleet:
    """One replica of the API over the database of this checkout, and farms that report to it."""

    def __init__(self):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.tokens = {}
        key = os.path.join(FOLDER, "fleet.key")
        if os.path.exists(key):
            os.remove(key)
        self.central("smart-mining-aggregator", "keygen", key)
        self.publish = lambda: self.central(
            "smart-mining-aggregator", "import", "crates/central/data/starter.json", "--signing-key", key)
        self.sequence = int(self.publish())
        environment = dict(os.environ, SMART_MINING_OPERATOR_TOKEN=OPERATOR)
        self.api = subprocess.Popen(
            [f"{BIN}/smart-mining-api", "serve", "--listen", f"127.0.0.1:{self.port}", "--seen-every", "1",
             "--token-burst", "1000"],
            env=environment)
        until("the API is ready", lambda: urllib.request.urlopen(f"{self.address}/readyz").status == 200)

    def central(self, *words):
        done = subprocess.run([f"{BIN}/{words[0]}", *words[1:]], capture_output=True, text=True, check=False)
        must(done.returncode == 0, f"{words}: {done.stderr}")
        return done.stdout.strip()

    def sql(self, statement):
        subprocess.run(["psql", "-qAt", os.environ["DATABASE_URL"], "-c", statement], check=True)

    def ask(self, method, path, token, body=None):
        request = urllib.request.Request(self.address + path, method=method)
        request.add_header("Authorization", f"Bearer {token}")
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data) as answer:
            return json.loads(answer.read() or "null")

    def report(self, farm, state, at=None, pool="pool-a", hashrate=2e14):
        at = int(at or time.time())
        mines = {"hashrate": hashrate, "miners": 12,
                 "shares": {"accepted": 900, "rejected": 7, "stale": 2, "unknown": 0, "lost": 0}}
        if state != "holding":
            mines["route"] = {"pool": pool, "coin": "BTC", "since": at - 60}
        return {"id": f"{farm}-{state}-{at}-{pool}", "created_at": at, "appliance": "0.1.0", "uptime": 7200,
                "sequence": self.sequence, "state": state, "algorithms": {"sha256d": mines}}

    def tell(self, farm, *reports):
        for first in range(0, len(reports), 50):
            self.ask("POST", "/api/v1/reports", self.tokens[farm],
                     {"version": 1, "reports": reports[first:first + 50]})

    def enrol(self, farm):
        # What a former run left under this name goes.
        self.sql(f"DELETE FROM farms WHERE name = '{farm}'")
        self.tokens[farm] = self.ask("POST", "/api/v1/farms", OPERATOR, {"name": farm})["token"]

    def end(self):
        self.api.terminate()
        self.api.wait(20)


def sign_in(browser, path="/fleet"):
    browser.open("/login?next=" + path)
    browser.run("document.querySelector('#token').value = arguments[0]; document.querySelector('.sign').submit()",
                OPERATOR)
    until("it is signed in", lambda: browser.driver.current_url == browser.address + path)


def look(browser, path, name):
    """Phone and desktop, by day and by night: pictures, no sideways scrolling, no barrier."""
    for size in SIZES:
        for scheme in ("light", "dark"):
            browser.size(size)
            browser.colours(scheme)
            browser.open(path)
            where = f"fleet-{name}-{size}-{scheme}"
            wide = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
            must(wide[0] <= wide[1], f"{where}: the body scrolls sideways, {wide}")
            browser.picture(where)
            browser.check_axe(where)
    browser.colours("light")


@story
def nobody_sees_the_fleet_without_the_operators_token(fleet, browser):
    browser.size("desktop")
    browser.open("/fleet")
    must("/login" in browser.driver.current_url, browser.driver.current_url)
    look(browser, "/login", "login")
    browser.run("document.querySelector('#token').value = 'a-guess-of-a-stranger'; document.querySelector('.sign').submit()")
    browser.until_text("#wrong", "not the operator")
    browser.check_axe("login-wrong")
    sign_in(browser)
    must(browser.run("return document.cookie") == "", "a script can read the session")


@story
def one_glance_tells_how_each_farm_fares(fleet, browser):
    for state in STATES:
        farm = f"page-{state}"
        fleet.enrol(farm)
        # One that is silent has not been heard by this API, which would write down that it was just here.
        if state not in ("new", "silent"):
            told = "mining" if state == "disabled" else state
            fleet.tell(farm, fleet.report(farm, told))
    fleet.ask("PATCH", "/api/v1/farms/page-disabled", OPERATOR, {"disabled": True})
    fleet.sql("INSERT INTO farm_state (farm, last_seen_at, reported_at, report)"
              " SELECT silent.id, now() - interval '5 hours', now() - interval '5 hours', state.report"
              " FROM farms AS silent, farms AS mining JOIN farm_state AS state ON state.farm = mining.id"
              " WHERE silent.name = 'page-silent' AND mining.name = 'page-mining'")
    browser.size("desktop")
    browser.open("/fleet?q=page-")
    # What is shown may be some seconds old; it looks again by itself.
    browser.until_text(".fleet caption", "7 farms")
    browser.until_text(".fleet", "not seen")
    rows = browser.run("""return [].map.call(document.querySelectorAll(".fleet tbody tr"), function (row) {
        return [row.querySelector("th").innerText.trim(), row.querySelector(".state").innerText.trim()]; })""")
    words = {"trouble": "trouble", "silent": "not seen", "holding": "holding", "new": "no report yet",
             "mining-from-cache": "mining from cache", "mining": "mining", "disabled": "disabled"}
    must(dict(rows) == {f"page-{state}": words[state] for state in STATES}, f"{rows}")
    must([row[0] for row in rows][:3] == ["page-trouble", "page-silent", "page-holding"], f"{rows}")
    must("need attention" in browser.text(".top"), browser.text(".top"))
    look(browser, "/fleet?q=page-", "states")


@story
def a_farms_day_is_drawn(fleet, browser):
    now = int(time.time())
    reports = []
    for step in range(280, 0, -1):
        state = "holding" if 100 < step < 112 else "mining"
        pool = "pool-b" if step // 60 % 3 == 1 else "pool-a"
        reports.append(fleet.report("page-mining", state, now - step * 300, pool,
                                    0 if state == "holding" else 2e14 + step % 17 * 1e12))
    fleet.tell("page-mining", *reports)
    browser.open("/fleet/page-mining")
    must(browser.run("return document.querySelectorAll('figure svg').length") == 1, "there is no chart")
    must("pool-b (BTC)" in browser.text("#live") and "no pool" in browser.text("#live"), browser.text("#live"))
    look(browser, "/fleet/page-mining", "farm")
    weight = browser.run("return performance.getEntriesByType('navigation')[0].encodedBodySize")
    must(0 < weight < PAGE_BYTES, f"{weight} bytes")


@story
def it_changes_by_itself_and_leaves_the_focus_alone(fleet, browser):
    browser.size("desktop")
    browser.open("/fleet?q=page-mining&sort=seen")
    browser.run("window.mark = 1; document.querySelector('[aria-sort] a').focus()")
    where = browser.run("return document.activeElement.getAttribute('href')")
    fleet.tell("page-mining", fleet.report("page-mining", "trouble"))
    browser.until_text(".fleet", "trouble")
    must(browser.run("return window.mark") == 1, "the page was loaded again")
    must(browser.run("return document.activeElement.getAttribute('href')") == where, "the focus was lost")


@story
def without_script_everything_is_there(fleet, browser):
    browser.size("phone")
    browser.script_is(False)
    try:
        browser.open("/fleet?q=page-&state=holding")
        browser.driver.find_element("css selector", ".fleet tbody a").click()
        until("the farm's page", lambda: browser.driver.current_url.endswith("/fleet/page-holding"))
        browser.driver.find_element("css selector", ".bar form button").click()
        until("it is signed out", lambda: browser.driver.current_url.endswith("/login"))
        browser.open("/fleet")
        must("/login" in browser.driver.current_url, "the session goes on")
    finally:
        browser.script_is(True)


def main():
    fleet, failed = Fleet(), []
    browser = Browser(fleet.address)
    try:
        for tell in STORIES:
            began = time.monotonic()
            print(f"{tell.__name__} ...", flush=True)
            try:
                tell(fleet, browser)
                print(f"  ok, {time.monotonic() - began:.0f} s", flush=True)
            # A fault of a story's own is no reason to leave out those after it.
            except Exception as error:  # pylint: disable=broad-exception-caught
                if not isinstance(error, Failed):
                    traceback.print_exc(file=sys.stdout)
                failed.append(tell.__name__)
                browser.picture(f"failed-fleet-{tell.__name__}", whole=True)
                print(f"  FAILED after {time.monotonic() - began:.0f} s: {error}", flush=True)
    finally:
        browser.end()
        fleet.end()
    print(f"{len(failed)} failed {' '.join(failed)}")
    sys.exit(1 if failed else 0)


main()
