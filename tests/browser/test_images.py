"""Images in the composer: chosen, pasted, taken out, made small enough, sent, shown, and there after a reload."""

import base64
import secrets
import struct
import zlib

import pytest
from broker import running
from console import go, quiet, sign_in
from selenium.webdriver.common.keys import Keys
from waiting import until

MOST = 40_000


@pytest.fixture(scope="module")
def broker(backend, tmp_path_factory):
    settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": backend.url, "OPENAI_API_KEY": "k", "SOPHIE__AI__MODEL": "test-model"}
    images = {"SOPHIE__AI__IMAGES": "true", "SOPHIE__SESSION__MAX_IMAGES": "2", "SOPHIE__SESSION__MAX_IMAGE_BYTES": str(MOST)}
    with running("memory", tmp_path_factory.mktemp("images"), **settings, **images) as broker:
        yield broker


def png(path, side, noise=False):
    """A picture of its own, as large as it takes: of noise it cannot be compressed."""
    line = lambda y: b"\0" + bytes((x * y * 2_654_435_761 >> 7) % 256 if noise else y % 256 for x in range(3 * side))  # noqa: E731
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(line(y) for y in range(side)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", data) + part(b"IEND", b""))
    return path


def tray(page):
    return page.script("return [...document.querySelectorAll('#tray img')].map((image) => image.alt)")


def shown(page):
    return page.script("return [...document.querySelectorAll('#log .message:not([hidden]) .pictures img')].map((it) => [it.alt, it.naturalWidth > 0, it.src.slice(0, 16)])")


def test_images_are_chosen_taken_out_sent_and_shown_again_after_a_reload(browser, broker, backend, tmp_path):
    page = browser.chat(broker)
    small, large = png(tmp_path / "small.png", 20), png(tmp_path / "large.png", 700, noise=True)
    assert small.stat().st_size < MOST < large.stat().st_size
    chooser = page.find("#choose-image")
    chooser.send_keys(f"{small}\n{large}")
    until(lambda: tray(page) == ["small.png", "large.png"], "both to be there")
    (tmp_path / "none.png").write_text("this is no picture")
    chooser.send_keys(str(small))
    until(lambda: "2 images at most" in page.script("return document.querySelector('#composer-problem').textContent"), "the bound to be told")
    page.screenshot("images")
    page.find("#tray .remove").click()
    until(lambda: tray(page) == ["large.png"], "one to be taken out")
    chooser.send_keys(str(tmp_path / "none.png"))
    until(lambda: "none.png cannot be sent" in page.script("return document.querySelector('#composer-problem').textContent"), "what is wrong")
    chooser.send_keys(str(small))
    until(lambda: tray(page) == ["large.png", "small.png"], "it to be there again")
    page.type("What is it?", Keys.ENTER)
    page.answer("done")
    assert tray(page) == []
    expected = [["large.png", True, "data:image/jpeg;"], ["small.png", True, "data:image/png;b"]]
    until(lambda: shown(page) == expected, f"both in the chat: {shown(page)}")
    content = backend.calls[-1]["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "image_url"]
    for part in content[1:]:
        assert len(base64.b64decode(part["image_url"]["url"].split(",")[1])) <= MOST
    page.script("location.reload()")
    page.online()
    until(lambda: shown(page) == expected, "both to be there again")


def test_an_image_is_pasted_and_sent_without_a_word(browser, broker, backend, tmp_path):
    page = browser.chat(broker)
    data = base64.b64encode(png(tmp_path / "p.png", 10).read_bytes()).decode()
    page.script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (it) => it.charCodeAt(0));"
        "const transfer = new DataTransfer(); transfer.items.add(new File([bytes], 'pasted.png', { type: 'image/png' }));"
        "document.querySelector('#composer').dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }))",
        data,
    )
    until(lambda: tray(page) == ["pasted.png"], "the image")
    until(lambda: page.find("#send").is_enabled(), "it to be ready")
    page.find("#send").click()
    page.answer("done")
    until(lambda: shown(page) == [["pasted.png", True, "data:image/png;b"]], "it in the chat")
    assert page.script("return document.querySelectorAll('#log .message .body').length") == 0, "nothing is said beside it"


def drop(page, name, kind, data):
    """Drops a file on the page; says whether the browser was kept from opening it."""
    return page.script(
        "const [name, type, data] = arguments;"
        "const bytes = Uint8Array.from(atob(data), (it) => it.charCodeAt(0));"
        "const dataTransfer = new DataTransfer(); dataTransfer.items.add(new File([bytes], name, { type }));"
        "return !document.querySelector('#log').dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))",
        name,
        kind,
        base64.b64encode(data).decode(),
    )


def test_an_image_is_dropped_and_another_file_is_not_taken_nor_opened(browser, broker, backend, tmp_path):
    page = browser.chat(broker)
    assert drop(page, "report.pdf", "application/pdf", b"%PDF-1.7")
    assert "report.pdf cannot be sent" in page.script("return document.querySelector('#composer-problem').textContent")
    assert tray(page) == []
    assert drop(page, "dropped.png", "image/png", png(tmp_path / "d.png", 10).read_bytes())
    until(lambda: tray(page) == ["dropped.png"], "the image")
    page.type("And this?", Keys.ENTER)
    page.answer("done")
    until(lambda: shown(page) == [["dropped.png", True, "data:image/png;b"]], "it in the chat")


def test_an_operator_sees_the_images_of_a_chat(browser, broker, backend, tmp_path):
    session = secrets.token_hex(8)
    page = browser.chat(broker, session)
    for name, words in (("first.png", "What is it?"), ("second.png", "")):
        page.find("#choose-image").send_keys(str(png(tmp_path / name, 10)))
        until(lambda name=name: tray(page) == [name], "the image")
        page.type(words, Keys.ENTER)
        until(lambda name=name: [row[0] for row in shown(page)][-1:] == [name], "it in the chat")
    console = sign_in(browser, broker)
    go(console, f"group/chat_{session}")
    look = "return [...document.querySelectorAll('.talk img')].map((image) => [image.alt, image.naturalWidth])"
    until(lambda: console.script(look) == [["first.png", 10], ["second.png", 10]], f"both: {console.script(look)}")
    said = console.script("return document.querySelector('.talk').innerText")
    assert "What is it?" in said and "[image]" not in said
    console.screenshot("console-images")
    console.script("sessionStorage.clear()")
    quiet(browser)


def test_where_no_images_are_taken_there_is_no_way_to_add_one(browser, tmp_path):
    with running("memory", tmp_path) as plain:
        page = browser.chat(plain)
        assert page.script("return [document.querySelector('#attach').hidden, document.querySelector('#tray').hidden]") == [True, True]
