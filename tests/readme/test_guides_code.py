"""What the guides print in Python and JavaScript, started as it stands and twice in a row. Only addresses are the test's; what a guide has for the
reader's own name (an id, `…`) is put there."""

import contextlib
import functools
import json
import re
import secrets
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ai_backend import Backend, answer, chunk, stream
from broker import ROOT, Broker, running
from chromium import Browser
from pages import block
from waiting import until

CLIENTS = ROOT / "tests/clients"
SAID = "Hello from the test."
ANSWER = "It is warm in Rome."


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """Whatever it is asked, its model answers at once."""
    with contextlib.closing(Backend()) as model:
        settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": model.url}
        with running("memory", tmp_path_factory.mktemp("broker"), **settings) as broker:
            yield broker


def python(text, broker, directory):
    program = directory / "client.py"
    program.write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{broker.port}"))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_openai_s_sdk_prints_an_answer_as_it_comes(broker, tmp_path):
    for _ in range(2):
        assert python(block("docs/http.md", "from openai import OpenAI"), broker, tmp_path) == SAID


def test_a_response_goes_on_from_another_and_is_read_on(broker, tmp_path):
    asked = block("docs/responses.md", "previous_response_id=first.id")
    read_on = block("docs/responses.md", "responses.retrieve(id")
    more = f"\nid = second.id\n{read_on}\nprint([event.sequence_number for event in stream])"
    for _ in range(2):
        text, _, numbers = python(asked + more, broker, tmp_path).strip().rpartition("\n")
        assert (text, json.loads(numbers)[0]) == (SAID, 8)


def node(text, directory, broker):
    """A module beside the published clients."""
    here = directory / "node_modules"
    if not here.exists():
        here.symlink_to(CLIENTS / "node_modules")
    program = directory / f"{secrets.token_hex(4)}.mjs"
    for name in ("chat.example.com", "chat.example"):
        text = text.replace(f"https://{name}/", f"{broker.url}/").replace(f"wss://{name}/", f"{broker.url.replace('http', 'ws')}/")
    program.write_text(text)
    done = subprocess.run([CLIENTS / "node_modules/node/bin/node", program], cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_agent_of_ag_ui_shows_an_answer(broker, tmp_path):
    for _ in range(2):
        assert node(block("docs/agui.md", "HttpAgent"), tmp_path, broker) == f"{SAID}\n"


# As `useChat` uses a transport.
ASK = """
const message = { id: crypto.randomUUID(), role: "user", parts: [{ type: "text", text: "What can you do?" }] };
const chat = { trigger: "submit-message", chatId: crypto.randomUUID(), messageId: undefined, messages: [message], abortSignal: undefined };
for await (const chunk of await transport.sendMessages(chat)) if (chunk.type === "text-delta") process.stdout.write(chunk.delta);
process.exit(0);
"""


@pytest.mark.parametrize("text", [block("docs/ai-sdk.md", "new WebSocketChatTransport"), block("docs/streams.md", "createDurableChatTransport")])
def test_a_transport_of_the_ai_sdk_brings_an_answer(broker, tmp_path, text):
    for _ in range(2):
        assert node(text + ASK, tmp_path, broker) == SAID


# A group never ends: the program does when it has printed what it was to print.
END_WHEN_TOLD = """
const print = console.log;
console.log = (...told) => {
  print(...told);
  if (JSON.stringify(told).includes("The build is green.")) process.exit(0);
};
"""


def test_a_group_is_followed(broker, tmp_path):
    broker.say("s1", "The build is green.", group="team")
    for _ in range(2):
        told = node(END_WHEN_TOLD + block("docs/streams.md", "durable-streams/client"), tmp_path, broker)
        assert "The build is green." in told


@pytest.fixture(scope="module")
def model():
    backend = Backend()
    yield backend
    backend.close()


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Site:
    """A React page on an origin of its own, in Chromium. What its component gives to `shown` is `window.chat`."""

    PAGE = """
import { createRoot } from "react-dom/client";
import { Chat } from "./Chat.tsx";
createRoot(document.getElementById("root")).render(<Chat id={location.hash.slice(1)} messages={[]} />);
"""

    def __init__(self, directory):
        self.directory = directory
        (directory / "node_modules").symlink_to((ROOT / "examples/vite-chat/node_modules").resolve())
        (directory / "index.html").write_text('<link rel="icon" href="data:," /><div id="root"></div><script type="module" src="page.js"></script>')
        (directory / "page.tsx").write_text(self.PAGE)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=directory))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.browser = Browser(directory / "chromium", ROOT / "test-results")

    def open(self, text, broker):
        (self.directory / "Chat.tsx").write_text(text.replace("http://127.0.0.1:8080", broker.url))
        options = ["--bundle", "--format=esm", "--jsx=automatic", '--define:process.env.NODE_ENV="production"', "--outfile=page.js"]
        subprocess.run([CLIENTS / "copilotkit/node_modules/.bin/esbuild", "page.tsx", *options], cwd=self.directory, check=True, capture_output=True)
        self.page = self.browser.open(f"{self.url}/#{secrets.token_hex(8)}")
        until(lambda: self.page.script("return window.chat !== undefined"), "the page to be drawn")

    def text(self):
        """Of the last message, with what came of tools."""
        return self.page.script("return (window.chat.shown.at(-1)?.parts ?? []).map((part) => part.text ?? part.output ?? '').join('')")

    def close(self):
        self.browser.driver.quit()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, model):
    """The page, and the broker that lets it in."""
    site = Site(tmp_path_factory.mktemp("site"))
    settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": model.url, "SOPHIE__SERVER__ALLOWED_ORIGINS": site.url}
    broker = Broker(tmp_path_factory.mktemp("broker"), settings=settings)
    broker.start()
    yield site, broker
    site.close()
    broker.close()


def filled(text, *more):
    """The component of a guide, with more lines in the place of its `…`."""
    assert text.count("// …") == 1
    return text.replace("// …", "\n".join([*more, "return null;"]))


def test_use_chat_asks_and_ends_an_answer(site, model):
    page, broker = site
    end = block("docs/ai-sdk.md", "const end = async")
    shown = "window.chat = { shown, sendMessage, end };"
    page.open(filled(block("docs/ai-sdk.md", "resume: true, transport"), end, shown), broker)
    for _ in range(2):
        text = f"{ANSWER} {secrets.token_hex(4)}"
        model.push(answer(text))
        page.page.script("window.chat.sendMessage({ text: arguments[0] })", secrets.token_hex(4))
        until(lambda text=text: page.text() == text, "the answer")
    model.push(stream(*[chunk({"content": "more "})] * 400, pause=0.05))
    page.page.script("window.chat.sendMessage({ text: 'Go on.' })")
    until(lambda: page.text().startswith("more more"), "an answer to be under way")
    page.page.script("window.chat.end()")
    running = re.compile(r"^sophie_answers_running 0", re.M)
    until(lambda: running.search(broker.metrics()), "the answer to have ended")


def test_a_page_calls_what_the_model_asks_for(site, model):
    page, broker = site
    imports, _, rest = block("docs/ai-sdk.md", "onToolCall").partition("\n\n")
    top, _, inside = rest.partition("// In the component:\n")
    given = 'const SOPHIE = "http://127.0.0.1:8080";\nconst weather = async ({ city }) => `warm in ${city}`;\n'
    shown = "window.chat = { shown: messages, sendMessage };\nreturn null;"
    page.open(f"{imports}\n{given}{top}export function Chat() {{\n{inside}{shown}\n}}", broker)
    begun = len(model.calls)
    for number in range(2):
        call = {"index": 0, "id": f"call-{number}", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
        model.push(stream(chunk({"tool_calls": [call]}), chunk({}, "tool_calls")), answer(ANSWER))
        page.page.script("window.chat.sendMessage({ text: arguments[0] })", secrets.token_hex(4))
        until(lambda number=number: page.text() == f"warm in Rome{ANSWER}" and len(model.calls) == begun + 2 * number + 2, "the answer with the tool's result")
    assert model.calls[-1]["messages"][-1]["content"] == "warm in Rome"
