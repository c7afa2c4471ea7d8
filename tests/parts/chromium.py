"""A real Chromium, and a record of everything that its tabs asked for, said and heard."""

import json
import secrets

from page import Page
from selenium import webdriver

QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Several tabs are looked at in turn: the one behind must go on drawing.
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    # Names of pages that are not the broker's own, as whoever owns a name may let it lead anywhere.
    "--host-resolver-rules=MAP *.rebound.example 127.0.0.1",
]
# This machine, by its names and those that are led to it above.
MINE = ("//127.0.0.1:", "//localhost:", ".rebound.example:")


class Browser:
    """One program for all tests; each begins with one empty tab, nothing stored and nothing on record."""

    def __init__(self, directory, results):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in [*QUIET, "--window-size=1280,860", f"--user-data-dir={directory}"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        self.results = results
        self.forget()

    def forget(self):
        self.console = []
        self.requests = []
        # (seconds, event or command) of every WebSocket, in order; and when each one was begun.
        self.heard = []
        self.said = []
        self.dialled = []

    def begin(self):
        driver = self.driver
        first, *others = driver.window_handles
        for handle in others:
            driver.switch_to.window(handle)
            driver.close()
        driver.switch_to.window(first)
        origins = {url.split("/#")[0] for url in self.requests if "/#" in url} | {driver.current_url.split("/#")[0]}
        driver.get("about:blank")
        for origin in origins:
            if origin.startswith("http"):
                driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]})
        self.collect()
        self.forget()

    def open(self, url):
        if self.driver.current_url.startswith("http"):
            self.driver.switch_to.new_window("tab")
        self.driver.get(url)
        return Page(self.driver, self.driver.current_window_handle, self.results)

    def chat(self, at, session=None):
        """The page of a conversation at a broker, or at the wire that leads to it."""
        return self.open(f"{at.url}/#session={session or secrets.token_hex(8)}").online()

    def collect(self):
        """Takes what the browser has logged since it was last asked."""
        self.console += self.driver.get_log("browser")
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            method, params = message["method"], message["params"]
            if method == "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            elif method == "Network.webSocketCreated":
                self.requests.append(params["url"])
            elif method == "Network.webSocketWillSendHandshakeRequest":
                self.dialled.append(params["timestamp"])
            elif method in ("Network.webSocketFrameSent", "Network.webSocketFrameReceived") and params["response"]["opcode"] == 1:
                into = self.said if method.endswith("Sent") else self.heard
                into.append((params["timestamp"], json.loads(params["response"]["payloadData"])))

    def commands(self, kind):
        self.collect()
        return [command for _, command in self.said if command["type"] == kind]

    def events(self, kind):
        self.collect()
        return [event for _, event in self.heard if event["type"] == kind]

    def strangers(self):
        return [url for url in self.requests if url.split(":", 1)[0] in ("http", "https", "ws", "wss") and not any(mine in url for mine in MINE)]

    def violations(self):
        return self.lines("Content Security Policy", "TrustedHTML")

    def faults(self):
        return self.lines("Uncaught")

    def lines(self, *marks):
        return [line["message"] for line in self.console if any(mark in line["message"] for mark in marks)]
