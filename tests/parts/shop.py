"""A site of somebody else with the widget in its pages, and what a visitor sees of it: the button, the dialog, the chat in its frame."""

import http.server
import threading

from page import Page
from selenium.webdriver.common.by import By
from waiting import until

# What a site may do to its own elements must not reach the widget.
STYLE = """
body { font: 16px/1.5 serif; margin: 0; background: #fff; color: #222; } main { padding: 1.5rem; max-width: 40rem; }
div, dialog, iframe, sophie-chat { position: static !important; opacity: .2 !important; transform: rotate(9deg) !important; display: none; }
body button { width: 20rem !important; border-radius: 0 !important; background: #ff0 !important; color: #000; }
"""
# What docs/widget.md says that it needs, and nothing else.
POLICY = "default-src 'none'; script-src 'self' {broker}; style-src 'self'; frame-src {broker}; require-trusted-types-for 'script'; base-uri 'none'"
HTML = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A shop</title><link rel="stylesheet" href="/site.css"><script src="/site.js"></script></head>
<body><main><h1>A shop</h1><p>Its page has a chat in the corner.</p><p><a id="next" href="/next">The next page</a> <button id="own" type="button">A button of the shop</button></p></main>{body}</body></html>"""


class Shop:
    """A server of its own origin. `data`: the attributes of the script, or `tag` is all of it; `script`: what the site's own script does before it;
    `files`: texts at other addresses. `broker` is to be set before the first page is opened."""

    def __init__(self, host="localhost", language="en", script="", times=1, policy=POLICY, tag=None, files=None, **data):
        self.broker, self.language, self.policy, self.tag = None, language, policy, tag
        self.times, self.data, self.files = times, data, {"/site.css": STYLE, "/site.js": script, "/favicon.ico": "", **(files or {})}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"shop": self}))
        self.server.daemon_threads = True
        self.url = f"http://{host}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def html(self):
        data = "".join(f' data-{name.replace("_", "-")}="{value}"' for name, value in self.data.items())
        return HTML.format(language=self.language, body=self.tag or f'<script src="{self.broker.url}/widget.js"{data}></script>' * self.times)


class Handler(http.server.BaseHTTPRequestHandler):
    shop = None

    def do_GET(self):
        body = self.shop.files.get(self.path)
        kind = {"css": "text/css", "js": "text/javascript"}.get(self.path.split(".")[-1], "text/plain") if body is not None else "text/html"
        if body is None:
            body = self.shop.html()
        self.send_response(200)
        self.send_header("content-type", f"{kind}; charset=utf-8")
        self.send_header("content-security-policy", self.shop.policy.format(broker=self.shop.broker.url))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Visit(Page):
    """A tab with a page of the shop."""

    PART = "return document.querySelector('sophie-chat')?.shadowRoot.querySelector(arguments[0])"

    def part(self, selector):
        """An element of the widget; None if it is not there."""
        return self.script(self.PART, selector)

    @property
    def launcher(self):
        return self.part(".launcher")

    def is_open(self):
        return self.launcher.get_attribute("aria-expanded") == "true"

    def focus(self):
        """What has the focus: an element of the widget by its class or name, else one of the shop by its id."""
        return self.script(
            "const root = document.querySelector('sophie-chat')?.shadowRoot; const it = root?.activeElement ?? document.activeElement;"
            "return it.className || it.id || it.localName"
        )

    @property
    def chat(self):
        return Framed(self)

    def opened(self):
        """Opens it, and waits until the chat runs."""
        self.launcher.click()
        return self.chat.online()


class Framed(Page):
    """The chat page in the frame."""

    def __init__(self, visit):
        super().__init__(visit.driver, visit.handle, visit.results)

    def enter(self):
        self.driver.switch_to.window(self.handle)
        frame = until(lambda: self.driver.execute_script(Visit.PART, "iframe"), "the frame")
        self.driver.switch_to.frame(frame)

    def script(self, text, *arguments):
        self.enter()
        return self.driver.execute_script(text, *arguments)

    def asynchronous(self, text, *arguments):
        self.enter()
        return self.driver.execute_async_script(text, *arguments)

    def find(self, selector):
        self.enter()
        return self.driver.find_element(By.CSS_SELECTOR, selector)


def visit(browser, url):
    page = browser.open(url)
    page = Visit(page.driver, page.handle, page.results)
    until(lambda: page.part(".launcher"), "the button of the widget")
    return page
