"""What an answer shows: how it came about, code, formulas, tables, and that it goes on."""

import json
import threading

import pytest
from ai_backend import answer, chunk
from broker import running
from selenium.webdriver.common.keys import Keys
from waiting import until

RICH = r"""Some `code`, a formula $E = mc^2$ and \(a_1 + b\), which cost $5 and $10.

$$
\int_0^1 x^2 \, dx = \frac{1}{3}
$$

\[ \sum_{n=1}^\infty \frac{1}{n^2} \]

An unknown one: $\nosuchcommand{x}$

```rust
fn main() { println!("<b>{}</b>", 42); } // a comment
```

```nosuchlanguage
<script>alert(1)</script>
```

| left | middle | right |
| :--- | :----: | ----: |
| a | b | c |

- [x] done
- [ ] to do
- plain

3. third
"""


@pytest.fixture(scope="module")
def broker(backend, tmp_path_factory):
    settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": backend.url, "OPENAI_API_KEY": "k", "SOPHIE__AI__MODEL": "test-model"}
    with running("memory", tmp_path_factory.mktemp("answers"), SOPHIE__CACHE__ENABLED="true", **settings) as broker:
        yield broker


def ask(page, text):
    before = len(page.answers())
    page.type(text, Keys.ENTER)
    return page.answer("done", 20, before)


def facts(page):
    return page.script("return [...document.querySelectorAll('#log .answer .facts')].map((row) => row.textContent)")


def test_below_an_answer_stands_how_it_came_about(browser, broker, backend):
    backend.push(answer("A short answer"))
    page = browser.chat(broker)
    kept = broker.admin("GET", "/cache")["entries"]
    ask(page, "Where do you come from?")
    (told,) = facts(page)
    assert told.startswith("About this answer: test-model · 12 tokens · first word after ") and told.endswith(" s in all"), told
    assert page.script("return document.querySelector('.facts').dataset.cache") == "miss"
    # An answer is told before it is kept.
    until(lambda: broker.admin("GET", "/cache")["entries"] > kept, "the answer to be kept")
    again = browser.chat(broker)
    ask(again, "Where do you come from?")
    (told,) = facts(again)
    assert "test-model · from the cache" in told and "first word" not in told, told
    # Who comes later reads the same in the log.
    again.script("location.reload()")
    again.online()
    until(lambda: facts(again), "the answer to be there again")
    assert facts(again) == [told]


def test_code_formulas_tables_and_tasks_look_like_what_they_are(browser, broker, backend):
    backend.push(answer(RICH))
    page = browser.chat(broker)
    ask(page, "Show me everything")
    until(lambda: page.script("return document.querySelectorAll('#log .hljs-keyword').length") > 0, "the code to be coloured")
    until(lambda: page.script("return document.querySelectorAll('#log math').length") == 4, "the formulas to be set")
    seen = page.script(
        "const body = document.querySelector('#log .answer .body');"
        "const style = (selector, name) => [...body.querySelectorAll(selector)].map((cell) => getComputedStyle(cell)[name]);"
        "return {math: [...body.querySelectorAll('math')].map((math) => math.getAttribute('display')),"
        " unknown: [...body.querySelectorAll('code.math')].map((code) => code.textContent),"
        " text: body.textContent, aligned: style('td', 'textAlign'), bullets: style('li', 'listStyleType'),"
        " code: [...body.querySelectorAll('pre')].map((pre) => pre.textContent), heads: [...body.querySelectorAll('.code-head > span')].map((span) => span.textContent),"
        " start: body.querySelector('ol').start, styles: body.querySelectorAll('[style]').length, dangerous: body.querySelectorAll('script, annotation, b').length}"
    )
    assert seen["math"] == [None, None, "block", "block"]
    assert seen["unknown"] == [r"\nosuchcommand{x}"], "what is no formula stays as it was written"
    assert "which cost $5 and $10." in seen["text"], "money is no formula"
    assert [way.removeprefix("-webkit-") for way in seen["aligned"]] == ["left", "center", "right"]
    assert seen["bullets"] == ["none", "none", "disc", "decimal"]
    assert seen["start"] == 3
    assert seen["heads"] == ["rust", "nosuchlanguage"]
    assert seen["code"][0] == 'fn main() { println!("<b>{}</b>", 42); } // a comment'
    assert seen["code"][1] == "<script>alert(1)</script>"
    assert (seen["styles"], seen["dangerous"]) == (0, 0)
    page.screenshot("markdown")
    page.find("#theme").click()
    page.screenshot("markdown-dark")


def test_a_caret_shows_that_an_answer_that_stalls_goes_on(browser, broker, backend):
    go_on = threading.Event()

    def stalling(handler, body):
        handler.begin_stream()
        handler.event(json.dumps(chunk({"role": "assistant", "content": "Let me think"})))
        go_on.wait(20)
        handler.event(json.dumps(chunk({"content": " again"}, "stop")))
        handler.event("[DONE]")
        handler.end_stream()

    backend.push(stalling)
    page = browser.chat(broker)
    page.type("Take your time", Keys.ENTER)
    caret = "const p = document.querySelector('#log .answer .body > p:last-child'); return p ? getComputedStyle(p, '::after').content : 'none'"
    until(lambda: page.script(caret) == '""', "the caret")
    page.screenshot("caret")
    go_on.set()
    page.answer("done")
    assert page.script(caret) == "none"
