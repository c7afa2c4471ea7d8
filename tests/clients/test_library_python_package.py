"""The package of the client library in Python: what is in it, that it can be installed, that its README is true."""

import filecmp
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest
from broker import ROOT, running
from sophie_chat._access import lifetime
from sophie_chat._backoff import Backoff
from sophie_chat._closing import ending
from sophie_chat._typist import Typist
from waiting import until
from world import token

PACKAGE = ROOT / "clients/python"
# The oldest that the package says it takes. The other tests use the newest.
OLDEST = "websockets==14.0"


def blocks(page="clients/python/README.md"):
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with running("memory", tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with both packages, as they would be published."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([ROOT / "scripts/packages.sh", folder], check=True, capture_output=True, text=True)
    return folder


@pytest.fixture(scope="module")
def python(built, tmp_path_factory):
    """A fresh Python that has the wheel, and nothing else but what that asks for."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    [wheel] = built.glob("*.whl")
    subprocess.run([venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", wheel, OLDEST], check=True)
    return venv / "bin/python"


def test_the_packages_hold_what_they_are_to_hold(built):
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    sources = {f"sophie_chat/{path.name}" for path in (PACKAGE / "src/sophie_chat").iterdir() if path.suffix == ".py"} | {"sophie_chat/py.typed"}
    licences = {"LICENSE-APACHE", "LICENSE-MIT"}
    for licence in licences:
        assert filecmp.cmp(PACKAGE / licence, ROOT / licence, shallow=False)
    with zipfile.ZipFile(built / f"sophie_chat-{version}-py3-none-any.whl") as wheel:
        about = f"sophie_chat-{version}.dist-info"
        assert set(wheel.namelist()) == sources | {f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL")} | {f"{about}/licenses/{name}" for name in licences}
        metadata = wheel.read(f"{about}/METADATA").decode()
    for line in (f"Version: {version}", "License-Expression: MIT OR Apache-2.0", "Requires-Python: >=3.10", "Requires-Dist: websockets>=14"):
        assert line in metadata.splitlines(), line
    assert "# sophie-chat" in metadata
    with tarfile.open(built / f"sophie_chat-{version}.tar.gz") as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    assert names == {f"src/{name}" for name in sources} | licences | {"PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
    [packed] = built.glob("*.tgz")
    assert packed.name == f"sophie-chat-{version}.tgz"
    with tarfile.open(packed) as package:
        assert {"package/dist/sophie.js", "package/README.md", "package/LICENSE-MIT"} <= set(package.getnames())


def run(python, folder, text, broker):
    program = folder / "example.py"
    assert text.count("http://127.0.0.1:8080") == 1
    program.write_text(text.replace("http://127.0.0.1:8080", broker.url))
    return subprocess.Popen([python, "-X", "dev", "-W", "error", program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_its_readme_runs_where_it_was_installed(broker, python, tmp_path):
    for _ in range(2):
        told, faults = run(python, tmp_path, blocks()[0], broker).communicate(timeout=60)
        assert not faults and "actor" in told and re.search(r"^done Usage\(prompt_tokens=\d+", told, re.MULTILINE), told + faults


def test_the_bot_of_its_readme_answers(broker, python, tmp_path):
    bot = run(python, tmp_path, blocks()[1], broker)
    try:
        until(lambda: any(each["session"] == "echo-bot" for each in broker.admin("GET", "/sessions")["sessions"]), "the bot to come")
        until(lambda: any(each["name"] == "team-7" for each in broker.admin("GET", "/groups")["groups"]), "the bot to be in its group")
        broker.say("somebody", "!echo as it stands", "not for you", group="team-7")
        until(lambda: "as it stands" in [each["message"]["text"] for each in broker.admin("GET", "/groups/team-7/messages")["events"]], "the bot to answer")
        broker.admin("DELETE", "/sessions/echo-bot")
        told, faults = bot.communicate(timeout=20)
        assert told.strip() and not faults, "why it ended is printed"
    finally:
        bot.kill()


def test_the_guide_runs(broker, python, tmp_path):
    [guide] = blocks("docs/clients.md")
    told, faults = run(python, tmp_path, guide, broker).communicate(timeout=60)
    assert not faults and "actor" in told, told + faults


def test_its_types_are_good(tmp_path):
    for number, text in enumerate([*blocks(), *blocks("docs/clients.md")]):
        (tmp_path / f"example{number}.py").write_text(text)
    wrong = "from sophie_chat import MessageSaid, Sophie\nSophie('http://a', sesion='x')\nasync def f(chat: Sophie) -> None:\n    async for e in chat.events(MessageSaid):\n        e.mesage\n"
    (tmp_path / "wrong.py").write_text(wrong)

    def checked(*files):
        options = ["--strict", "--python-version", "3.10", "--no-error-summary", "--cache-dir", tmp_path / "cache"]
        environment = {"MYPYPATH": str(PACKAGE / "src")}
        return subprocess.run([sys.executable, "-m", "mypy", *options, *files], cwd=tmp_path, capture_output=True, text=True, env=environment).stdout

    assert checked(PACKAGE / "src/sophie_chat") == ""
    told = [line for line in checked(*tmp_path.glob("example*.py")).splitlines() if "no-untyped" not in line and ": note:" not in line]
    assert told == []
    faults = checked("wrong.py")
    assert "sesion" in faults and "mesage" in faults


def test_close_codes_mean_what_the_protocol_says():
    page = (ROOT / "docs/protocol.md").read_text()
    table = dict(re.findall(r"^\| (\d{4}) \| .* \| ([^|]*) \|$", page, re.MULTILINE))
    assert len(table) > 12 and table["4001"] == "yes" and table["4502"] == "no"
    # Those of an application, by their range; and those that say nothing.
    expected = {int(code): word.startswith("no") for code, word in table.items() if word != "–"}
    expected |= {1000: True, 1001: False, 1005: False, 1006: False, 1008: True, 1012: False, 4000: False, 4499: False, 4999: True, 3000: False}
    assert {code: ending(code, "", None).final for code in expected} == expected
    goodbye = {"type": "session.closing", "code": 4001, "reason": "because", "retry_in_ms": 700}
    told = [ending(4001, "", goodbye | {"reconnect": reconnect}) for reconnect in (True, False)]
    assert [(end.final, end.retry_in, end.reason) for end in told] == [(False, 0.7, "because"), (True, 0.7, "because")], "the goodbye decides"


def test_waits_double_and_half_of_each_is_random():
    def series(backoff, *asked):
        return [backoff.next(*asked) for _ in range(40)]

    waits = series(Backoff())
    assert all(0.2 * 2**n <= wait <= 0.4 * 2**n for n, wait in enumerate(waits[:5]))
    assert all(10 <= wait <= 20 for wait in waits[6:]) and len(set(waits)) == 40
    assert max(series(Backoff(0.01, 0.05))) <= 0.05
    assert min(series(Backoff(), 5)) == 5 and max(series(Backoff(), 1e12)) == 600
    assert Backoff().next(0, True) >= 1.6


def test_how_long_a_token_is_good_for_is_read_of_it():
    assert 58 < lifetime(token("alice", 60)) <= 60
    assert [lifetime(odd) for odd in ("", "a.b.c", "opaque", "a.e30.c", "a.bnVsbA.c")] == [0] * 5


def test_typing_is_told_once_a_second_and_group():
    typist = Typist()
    assert [typist.may(group) for group in ("a", "a", "b", "a")] == [True, False, True, False]
    assert all(typist.may(f"group-{n}") for n in range(1_000)) and len(typist._told) <= 64
