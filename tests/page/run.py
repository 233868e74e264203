"""The status page in a real browser: `./dev page`. Pictures are left in target/page.

The stories are told in order, for each goes on where the one before it ended.
"""

import os
import statistics
import sys
import time
import traceback

from browser import SIZES, Browser
from farm import Crowd, Failed, Farm, must, until

PAGE_BYTES = 100 * 1024
MINERS = int(os.environ.get("PAGE_MINERS", "5000"))
STORIES = []


def story(function):
    STORIES.append(function)
    return function


def look(browser, name):
    """Phone and desktop, by day and by night: pictures, no sideways scrolling, no barrier."""
    for size in SIZES:
        for scheme in ("light", "dark"):
            browser.size(size)
            browser.colours(scheme)
            browser.open()
            where = f"{name}-{size}-{scheme}"
            wide = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
            must(wide[0] <= wide[1], f"{where}: the body scrolls sideways, {wide}")
            browser.picture(where)
            browser.check_axe(where)
    browser.colours("light")


@story
def a_stranger_finds_on_the_first_screen_why_the_farm_is_on_pool_b(farm, browser):
    farm.start_central()
    farm.publish({"pool-a": 4.8e-5, "pool-b": 4.6e-5})
    for pool in ("pool-a", "pool-b"):
        farm.start_pool(pool)
    farm.start_pool("barn-solo", "scrypt")
    farm.start_appliance(farm.enrol())
    farm.start_miners()
    until("pool-a is the route", lambda: farm.route() == "pool-a")
    farm.publish({"pool-a": 4.8e-5, "pool-b": 5.2e-5})
    until("pool-b is the route", lambda: farm.route() == "pool-b")
    until("shares are accepted", lambda: farm.say()["algorithms"][0]["accepted"] > 20)
    until("it is mining", lambda: farm.state() == "mining")
    for size in SIZES:
        browser.size(size)
        browser.open()
        seen = browser.first_screen()
        for words in ("mining", "Mines BTC on pool-b", "pool-b pays 0.0515 USD per kH/s and day after fees",
                      "the most of", "pool-a (BTC), pays 7.7 % less", "the rule “profit”",
                      "8.3 % more"):
            must(words in seen, f"{size}: {words!r} is not in the first screen: {seen}")


@story
def mining_looks_well_and_has_no_barrier(farm, browser):
    look(browser, "mining")
    browser.size("desktop")
    browser.open()
    browser.picture("mining-desktop-whole", whole=True)
    browser.size("phone")
    browser.open()
    browser.picture("mining-phone-whole", whole=True)


@story
def the_page_is_light_and_quick(farm, browser):
    browser.size("desktop")
    paints = []
    for _ in range(7):
        browser.open()
        paint = until("something is painted", lambda: browser.run(
            "var e = performance.getEntriesByName('first-contentful-paint')[0]; return e && e.startTime"))
        paints.append(paint)
    weight = browser.run("return performance.getEntriesByType('navigation')[0].encodedBodySize")
    others = browser.run("return performance.getEntriesByType('resource').map(function (it) { return it.name })")
    print(f"  first paint: median {statistics.median(paints):.0f} ms, worst {max(paints):.0f} ms; {weight} bytes")
    must(0 < weight < PAGE_BYTES, f"{weight} bytes")
    must(not [it for it in others if "/live" not in it], f"it loads more: {others}")
    # Other work on this machine counts too; the figure above is what to look at.
    must(statistics.median(paints) < 2000, f"first paint after {paints} ms")


@story
def figures_arrive_without_a_reload_and_leave_what_is_open_alone(farm, browser):
    browser.size("desktop")
    browser.open()
    browser.run("window.mark = 1; document.querySelector('#b-sha256d').open = true;"
                "document.querySelector('#s-hour').focus()")
    before = browser.text("#lanes")
    miners = browser.text("#miners")
    until("the lanes change", lambda: browser.text("#lanes") != before)
    until("the miners change", lambda: browser.text("#miners") != miners)
    must(browser.run("return window.mark") == 1, "the page was loaded again")
    must(browser.run("return document.querySelector('#b-sha256d').open"), "what was open was closed")
    must(browser.run("return document.activeElement.id") == "s-hour", "the focus was lost")
    farm.stop("miners-cgminer")
    browser.until_text("#sum", "3 offline")
    browser.until_text("#miners", "offline for")


@story
def the_table_is_sorted_and_filtered_by_keyboard_alone(farm, browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    browser.size("desktop")
    browser.open()
    press = lambda *keys: ActionChains(browser.driver).send_keys(*keys).perform()
    focus = lambda: browser.run("var e = document.activeElement; return e.name || e.id || e.className || e.tagName")
    press(Keys.TAB)
    must(focus() == "skip", f"the first stop is {focus()}")
    box = browser.run("var b = document.querySelector('.skip').getBoundingClientRect(); return [b.left, b.top]")
    must(box[0] >= 0 and box[1] >= 0, "the skip link is not seen when it has the focus")
    press(Keys.ENTER)
    for _ in range(60):
        press(Keys.TAB)
        if focus() == "find":
            break
    must(focus() == "find", f"the filter cannot be reached, the last stop is {focus()}")
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    must(outline != "none", "the focus is not seen")
    press("shed1", Keys.ENTER)
    until("the filter is in the address", lambda: "find=shed1" in browser.driver.current_url)
    must("1 to 3 of 3 miners that match" in browser.text("#miners"), browser.text("#miners"))
    for _ in range(60):
        press(Keys.TAB)
        if focus() == "s-worker":
            break
    press(Keys.ENTER)
    until("it is sorted", lambda: "sort=worker" in browser.driver.current_url)
    sort = "return document.querySelector('#s-worker').parentNode.getAttribute('aria-sort')"
    must(browser.run(sort) == "ascending", f"aria-sort is {browser.run(sort)}")
    must("find=shed1" in browser.driver.current_url, "the filter was lost")


@story
def without_script_everything_is_there(farm, browser):
    browser.size("phone")
    browser.script_is(False)
    browser.open("/?find=shed2&sort=hour&dir=down")
    browser.script_is(True)
    text = browser.text()
    for words in ("Mines BTC on pool-b", "1 to 3 of 3 miners that match", "The past day and month"):
        must(words in text, f"{words!r} is not in {text}")
    refresh = browser.run("var e = document.querySelector('noscript'); return e.textContent || e.innerHTML")
    must("http-equiv" in refresh and "refresh" in refresh, f"it does not refresh itself: {refresh}")


@story
def five_thousand_miners_are_paged_sorted_and_found(farm, browser):
    crowd = Crowd(farm.sha256d, MINERS)
    try:
        until("all are there", lambda: farm.say()["miners"]["now"] >= MINERS, 90)
        browser.size("desktop")
        browser.open("/?find=hall&sort=worker")
        until("the table has them", lambda: browser.open("/?find=hall&sort=worker")
              or f"1 to 50 of {MINERS:,} miners" in browser.text("#miners"), 30)
        must("hall01-0000" in browser.text("#miners tbody tr"), browser.text("#miners tbody tr"))
        browser.run("document.querySelector('#p-after').click()")
        until("the second page", lambda: "page=2" in browser.driver.current_url)
        must("hall01-0050" in browser.text("#miners tbody tr"), browser.text("#miners tbody tr"))
        browser.open("/?find=hall&sort=worker&dir=down")
        must(f"-{MINERS - 1:04}" in browser.text("#miners tbody tr"), browser.text("#miners tbody tr"))
        browser.open("/?find=-0042")
        must("1 to 1 of 1 miners that match" in browser.text("#miners"), browser.text("#miners"))
        browser.open()
        weight = browser.run("return performance.getEntriesByType('navigation')[0].encodedBodySize")
        must(0 < weight < PAGE_BYTES, f"{weight} bytes with {MINERS} miners")
        times = []
        for _ in range(5):
            begin = time.monotonic()
            farm.ask("/?sort=hour&dir=down")
            times.append(1000 * (time.monotonic() - begin))
        print(f"  {weight} bytes with {MINERS} miners; answered in {statistics.median(times):.0f} ms")
        browser.picture("crowd-desktop")
        crowd.leave(MINERS // 2)
        browser.open("/?state=offline&find=hall")
        browser.until_text("#miners", f"of {MINERS // 2:,} miners that match")
    finally:
        crowd.end()


@story
def without_central_it_mines_from_cache(farm, browser):
    browser.size("desktop")
    browser.open()
    farm.stop("api")
    browser.until_text("#state", "mining from cache")
    look(browser, "cache")
    farm.start_central()
    until("central is back", lambda: farm.state() != "mining from cache")


@story
def a_ranking_of_another_s_is_trouble(farm, browser):
    farm.publish({"pool-a": 9.9e-5, "pool-b": 1.0e-5}, key=farm.other_key)
    until("it is refused", lambda: farm.state() == "trouble")
    # A part of the page may be some seconds old.
    browser.open()
    browser.until_text("#state", "trouble")
    look(browser, "trouble")
    browser.open()
    text = browser.text("#trouble")
    must("ranking is refused" in text, text)
    must(farm.route() == "pool-b", "a ranking of another's moved the farm")


@story
def without_pools_it_is_holding_and_says_so(farm, browser):
    browser.size("phone")
    browser.open()
    for pool in ("pool-a", "pool-b"):
        farm.stop(pool)
    browser.until_text("#state", "holding")
    must("No pool can be used for sha256d" in browser.text("#state"), browser.text("#state"))
    until("the title says it", lambda: "holding" in browser.driver.title)
    look(browser, "holding")
    seen = browser.text("#lanes")
    must("cannot connect" in seen, seen)


@story
def the_page_says_when_the_appliance_is_gone_and_when_it_is_back(farm, browser):
    browser.check_quiet()
    browser.size("phone")
    browser.open()
    word = farm.state()
    browser.until_text("#state", word)
    must(browser.run("return document.querySelector('#gone').hidden"), "it is not gone yet")
    farm.stop("appliance")
    browser.until_text("#gone", "No answer from the appliance since")
    browser.picture("gone-phone-light")
    farm.start("appliance", os.environ["BIN"] + "/smart-mining-proxy", "run", "--config",
               os.path.join(os.environ["PAGE_FOLDER"], "farm.toml"))
    until("it is back", lambda: browser.run("return document.querySelector('#gone').hidden"))
    until("the state is told again", lambda: browser.text("#state .state").strip() == farm.state())


def main():
    words = sys.argv[1:]
    farm, failed = Farm(), []
    browser = Browser(f"http://127.0.0.1:{farm.status}")
    try:
        for tell in STORIES:
            if words and tell is not STORIES[0] and not any(word in tell.__name__ for word in words):
                continue
            began = time.monotonic()
            print(f"{tell.__name__} ...", flush=True)
            try:
                tell(farm, browser)
                print(f"  ok, {time.monotonic() - began:.0f} s", flush=True)
            # A fault of a story's own is no reason to leave out those after it.
            except Exception as error:  # pylint: disable=broad-exception-caught
                if not isinstance(error, Failed):
                    traceback.print_exc(file=sys.stdout)
                failed.append(tell.__name__)
                browser.picture(f"failed-{tell.__name__}", whole=True)
                print(f"  FAILED after {time.monotonic() - began:.0f} s: {error}", flush=True)
    finally:
        browser.end()
        farm.end()
    print(f"{len(failed)} failed {' '.join(failed)}")
    sys.exit(1 if failed else 0)


main()
