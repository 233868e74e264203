"""Chromium without a screen, and what a person would see of the page in it."""

import json
import os
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from farm import must, until

PICTURES = os.environ["PAGE_PICTURES"]
AXE = os.environ["AXE"]
SIZES = {"phone": (390, 844), "desktop": (1366, 768)}


class Browser:
    def __init__(self, address):
        self.address = address
        self.profile = tempfile.TemporaryDirectory(prefix="chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        for word in (
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--no-default-browser-check", "--force-device-scale-factor=1",
            # The internet is away: no name can be resolved.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"--user-data-dir={self.profile.name}",
        ):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_script_timeout(60)
        self.asked = []
        self.complaints = []

    def end(self):
        self.driver.quit()
        self.profile.cleanup()

    def command(self, name, **words):
        return self.driver.execute_cdp_cmd(name, words)

    def size(self, name):
        width, height = SIZES[name]
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=name == "phone")

    def colours(self, scheme):
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": scheme}])

    def script_is(self, on):
        self.command("Emulation.setScriptExecutionDisabled", value=not on)

    def open(self, path="/"):
        self.driver.get(self.address + path)

    def run(self, script, *words):
        return self.driver.execute_script(script, *words)

    def text(self, selector="body"):
        return self.run("var e = document.querySelector(arguments[0]); return e ? e.innerText : null", selector)

    def until_text(self, selector, part):
        return until(f"{selector} says {part!r}", lambda: part in (self.text(selector) or ""))

    def picture(self, name, whole=False):
        if whole:
            box = self.command("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": box["width"], "height": min(box["height"], 6000), "scale": 1}
            data = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        else:
            data = self.command("Page.captureScreenshot", format="png")
        import base64
        with open(os.path.join(PICTURES, f"{name}.png"), "wb") as file:
            file.write(base64.b64decode(data["data"]))

    def first_screen(self):
        """The text that is visible without scrolling."""
        return self.run("""
            var found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), node;
            while ((node = walk.nextNode())) {
                var range = document.createRange();
                range.selectNodeContents(node);
                var box = range.getBoundingClientRect();
                if (box.height > 1 && box.width > 1 && box.bottom > 0 && box.bottom <= innerHeight
                    && box.left >= 0) found.push(node.nodeValue);
            }
            return found.join(" ").replace(/\\s+/g, " ");""")

    def collect(self):
        """What it asked for, and what it complained of, up to now."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
        for entry in self.driver.get_log("browser"):
            if entry["level"] in ("SEVERE", "WARNING"):
                self.complaints.append(entry["message"])

    def check_quiet(self):
        """It asked nobody else, and nothing on the page complained."""
        self.collect()
        foreign = [url for url in self.asked
                   if not url.startswith((self.address, "data:", "chrome", "about:"))]
        must(not foreign, f"it asked others: {foreign}")
        must(any(url.startswith(self.address) for url in self.asked), "it asked for nothing at all")
        must(not self.complaints, f"the console says {self.complaints}")

    def check_axe(self, where):
        with open(AXE, encoding="utf-8") as file:
            # By the driver, for the page itself would not let a foreign script in.
            self.command("Runtime.evaluate", expression=file.read())
        result = self.command("Runtime.evaluate", awaitPromise=True, returnByValue=True, expression="""
            axe.run(document, {resultTypes: ["violations", "incomplete"]}).then(function (result) {
                return {passes: result.passes.length, found: result.violations.map(function (it) {
                    return it.id + " (" + it.impact + "): " + it.nodes.slice(0, 3).map(function (node) {
                        return node.target.join(" ") + " " + (node.failureSummary || "").slice(0, 300); }).join("; ");
                })};
            })""")["result"]["value"]
        must(result["passes"] > 10, f"{where}: the checker looked at almost nothing: {result}")
        must(not result["found"], f"{where}: " + "\n".join(result["found"]))
        return result["passes"]
