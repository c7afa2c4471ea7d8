"""The package of the client library: what is in it, that it is built from its source, that its README is true."""

import filecmp
import json
import os
import re
import subprocess

import pytest
from broker import ROOT, running
from stage import Stage
from waiting import until

PACKAGE = ROOT / "clients/js"
NODE = ROOT / "tests/clients/node_modules/node/bin/node"
TSC = PACKAGE / "node_modules/typescript/bin/tsc"
HINT = "built from another source: run `make clients` and commit clients/js/dist"


def blocks(language, page="clients/js/README.md"):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def stage():
    stage = Stage({})
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory, stage):
    with running("memory", tmp_path_factory.mktemp("broker"), SOPHIE__SERVER__ALLOWED_ORIGINS=stage.url) as broker:
        yield broker


@pytest.fixture
def installed(tmp_path):
    """A folder in which the package is installed, as it would be published."""
    done = subprocess.run(["npm", "pack", "--json", "--pack-destination", tmp_path], cwd=PACKAGE, capture_output=True, text=True, check=True)
    packed = json.loads(done.stdout)
    [told] = packed if isinstance(packed, list) else packed.values()
    folder = tmp_path / "node_modules/sophie-chat"
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xzf", tmp_path / told["filename"], "-C", folder, "--strip-components=1"], check=True)
    return tmp_path, [file["path"] for file in told["files"]]


def test_what_is_committed_is_built_from_the_source(tmp_path):
    subprocess.run([NODE, PACKAGE / "build.mjs", tmp_path / "dist"], check=True)
    built = {path.relative_to(tmp_path / "dist") for path in (tmp_path / "dist").rglob("*.*")}
    kept = {path.relative_to(PACKAGE / "dist") for path in (PACKAGE / "dist").rglob("*.*")}
    assert built == kept, HINT
    for name in built:
        assert filecmp.cmp(tmp_path / "dist" / name, PACKAGE / "dist" / name, shallow=False), f"{name} is {HINT}"


def test_the_package_holds_what_it_is_to_hold(installed):
    _, files = installed
    assert {file for file in files if not file.startswith("dist/types/")} == {
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "dist/sophie.global.js",
        "dist/sophie.js",
        "package.json",
    }
    manifest = json.loads((PACKAGE / "package.json").read_text())
    assert manifest["version"] == re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    assert "dependencies" not in manifest
    for licence in ("LICENSE-APACHE", "LICENSE-MIT"):
        assert filecmp.cmp(PACKAGE / licence, ROOT / licence, shallow=False)


def test_its_readme_runs_in_node(broker, installed):
    folder, _ = installed
    [example] = blocks("js")
    assert "http://127.0.0.1:8080" in example
    (folder / "example.mjs").write_text(example.replace("http://127.0.0.1:8080", broker.url))
    done = subprocess.run([NODE, "example.mjs"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "actor" in done.stdout and "done { prompt_tokens" in done.stdout
    assert done.stderr.split()[0] == "connecting" and "closed" in done.stderr


def test_the_guide_runs(broker, stage, installed):
    folder, _ = installed
    [example] = blocks("js", "docs/clients.md")
    stage.files["/my-token"] = ("text/plain", b"")
    there = example.replace("https://chat.example.com", broker.url).replace("/my-token", f"{stage.url}/my-token")
    assert there.count("http://") == 2
    (folder / "guide.mjs").write_text(f"import {{ Sophie }} from 'sophie-chat';\n{there}\nchat.on('answer.end', () => chat.close());\n")
    done = subprocess.run([NODE, "guide.mjs"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "What is an actor?" in done.stdout and "closed This client was closed." in done.stdout


def test_its_readme_runs_in_a_page(broker, stage, browser):
    [example] = blocks("html")
    assert "http://127.0.0.1:8080" in example
    stage.files["/"] = ("text/html", example.replace("http://127.0.0.1:8080", broker.url).encode())
    page = browser.open(f"{stage.url}/")
    until(lambda: page.script("return document.querySelector('#answer')?.textContent.length > 50"), "the answer to be read", 30)


def test_its_types_are_good(installed):
    folder, _ = installed
    for number, example in enumerate(blocks("ts")):
        (folder / f"example{number}.ts").write_text(example)
    (folder / "wrong.ts").write_text("import { Sophie } from 'sophie-chat';\nnew Sophie({ sesion: 'x' });\nnew Sophie().on('mesage', () => {});\n")
    options = ["--noEmit", "--strict", "--target", "ES2022", "--module", "nodenext", "--moduleResolution", "nodenext", "--types", "", "--lib", "ES2023,DOM"]
    (folder / "package.json").write_text('{"type": "module"}')

    def checked(*files):
        done = subprocess.run([NODE, TSC, *options, *files], cwd=folder, capture_output=True, text=True, env=os.environ)
        return done.stdout

    assert checked(*(path.name for path in folder.glob("example*.ts"))) == ""
    faults = checked("wrong.ts")
    assert "sesion" in faults and "mesage" in faults


def test_close_codes_mean_what_the_protocol_says():
    page = (ROOT / "docs/protocol.md").read_text()
    table = dict(re.findall(r"^\| (\d{4}) \| .* \| ([^|]*) \|$", page, re.MULTILINE))
    assert len(table) > 12 and table["4001"] == "yes" and table["4502"] == "no"
    # Those of an application, by their range; and those that say nothing.
    expected = {code: word.startswith("no") for code, word in table.items() if word != "–"}
    expected |= {"1000": True, "1001": False, "1005": False, "1006": False, "1008": True, "1012": False, "4000": False, "4499": False, "4999": True, "3000": False}
    done = subprocess.run([NODE, "library_rules.mjs", json.dumps({"codes": [int(code) for code in expected]})], cwd=ROOT / "tests/clients", capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["final"] == expected
    assert [(end["final"], end["retryInMs"], end["reason"]) for end in told["told"]] == [(False, 700, "because"), (True, 700, "because")], "the goodbye decides"
    assert all(200 * 2**n <= wait <= 400 * 2**n for n, wait in enumerate(told["waits"][:5])), "doubled each time, half of it at random"
    assert all(10_000 <= wait <= 20_000 for wait in told["waits"][6:]) and len(set(told["waits"])) == 40
    assert max(told["short"]) <= 50
    assert min(told["asked"]) == 5_000 and max(told["hostile"]) == 600_000
    assert told["overloaded"] >= 1_600
