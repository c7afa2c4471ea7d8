"""The blocks of all other documents than README: each is run by a test, or stands here with the reason why not. What can be said of those
that are not run is said here too."""

import json
import os
import pathlib
import re
import subprocess

import pytest
import yaml
from broker import PROGRAM, ROOT, running
from pages import block, blocks, named_by, pages

HERE = pathlib.Path(__file__).parent
# What tests beside these run. Each of them names the page.
ELSEWHERE = {
    ("ARCHITECTURE.md", "actors/src/ids/"): "tests/api/architecture.rs",
    ("docs/operations.md", "ACL SETUSER"): "tests/api/redis_refusals.rs",
    ("docs/migrating-from-django-channels.md", "map $cookie_sophie"): "tests/deploy/test_proxies.py",
    ("docs/responses.md", "wire_api"): "tests/clients/test_codex.py",
    ("docs/clients.md", "new Sophie"): "tests/clients/test_library_package.py",
    ("docs/widget.md", "data-position"): "tests/browser/test_widget.py",
    ("docs/widget.md", "frame_ancestors = ["): "tests/browser/test_widget.py",
    ("docs/widget.md", "chat-token"): "tests/browser/test_widget.py",
    ("docs/widget.md", "script-src https"): "tests/browser/test_widget.py",
    ("clients/js/README.md", "import { Sophie } from"): "tests/clients/test_library_package.py",
    ("clients/js/README.md", "client.js"): "tests/clients/test_library_package.py",
    ("clients/js/README.md", "type Answer"): "tests/clients/test_library_package.py",
    ("docs/clients.md", "from sophie_chat"): "tests/clients/test_library_python_package.py",
    ("clients/python/README.md", "my-first-chat"): "tests/clients/test_library_python_package.py",
    ("clients/python/README.md", "echo-bot"): "tests/clients/test_library_python_package.py",
}
NOT_HERE = {
    ("docs/deployment.md", "cp deploy/example.env"): "it takes Docker; the file is read by Docker Compose in tests/deploy/test_compose.py",
    ("docs/deployment.md", "--no-deps"): "it takes Docker",
    ("docs/operations.md", "jaegertracing"): "it takes Docker; tests/api/traces.rs reads what is sent",
    ("docs/deployment.md", "helm install"): "it takes a cluster; the chart is rendered in tests/deploy/test_helm.py",
    ("docs/deployment.md", "seriesQuery"): "it takes a cluster with prometheus-adapter",
    ("docs/deployment.md", "apt install"): "it takes a machine that systemd has started; scripts/package.sh builds and installs the package",
}
# A diagram is drawn by whoever shows the page.
DRAWN = "mermaid"


def whereabouts(page, places):
    """Where each block of a page is run; what it begins with, for one that is run nowhere."""
    return [next((place for where, words, place in places if where == page and words in each.text), each.text[:200]) for each in blocks(page) if each.kind != DRAWN]


def known_places():
    tests = [(page, words, "here") for page, words in named_by(*HERE.glob("test_*.py"))]
    return tests + [(page, words, place) for table in (ELSEWHERE, NOT_HERE) for (page, words), place in table.items()]


@pytest.mark.parametrize("page", pages())
def test_every_block_is_run_by_a_test_or_is_said_not_to_be(page):
    known = {place for _, _, place in known_places()}
    nowhere = [place for place in whereabouts(page, known_places()) if place not in known]
    assert not nowhere, f"nobody runs these blocks of {page}: {nowhere}"


def test_a_block_that_nobody_runs_is_found_and_nothing_is_named_that_is_not_there():
    assert "sophie check" in whereabouts("docs/operations.md", [])[0]
    for page, words, _ in known_places():
        block(page, words)
    for (page, _), place in ELSEWHERE.items():
        assert page in (ROOT / place).read_text(), f"{place} does not know {page}"


def test_each_line_of_make_is_a_target():
    lines = block("CONTRIBUTING.md", "make deny").splitlines()
    for line in lines:
        program, *words = line.split("#")[0].split()
        assert program == "make" or (ROOT / program).exists(), line
        if program == "make":
            subprocess.run(["make", "--dry-run", *words], cwd=ROOT, check=True, capture_output=True)


def test_what_docker_is_told_is_there():
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    text = block("docs/deployment.md", "cp deploy/example.env") + block("docs/deployment.md", "--no-deps")
    for file in re.findall(r"deploy/\S+\.(?:yaml|env)", text):
        assert file == "deploy/.env" or (ROOT / file).exists(), file
    assert set(re.findall(r"--wait (\S+)", text)) == {name for name in services if name.startswith("sophie")}


def test_what_helm_is_told_is_a_value_of_the_chart():
    values = yaml.safe_load((ROOT / "deploy/helm/sophie/values.yaml").read_text())
    for name in re.findall(r"--set ([\w.]+)=", block("docs/deployment.md", "helm install")):
        value = values
        for part in name.split("."):
            # Secrets have the names of the program's own variables.
            assert part in value or part.startswith("SOPHIE__"), name
            value = value.get(part, {})


def test_the_rule_of_prometheus_adapter_asks_for_a_metric_that_there_is(tmp_path):
    (rule,) = yaml.safe_load(block("docs/deployment.md", "seriesQuery"))["rules"]["custom"]
    metric = rule["seriesQuery"].split("{")[0]
    with running("memory", tmp_path) as broker:
        assert re.search(rf"^{metric} \d", broker.metrics(), re.M)
    assert metric in rule["metricsQuery"]


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    with running("memory", tmp_path_factory.mktemp("described")) as broker:
        yield broker.described


def test_the_first_frame_is_as_it_is_described(described):
    described.frame("sophie", json.loads(block("docs/protocol.md", "session.ready")))


def test_the_request_over_the_socket_of_responses_is_as_it_is_described(described):
    described.frame("responses", json.loads(block("docs/responses.md", "response.create")), "receive")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (block("docs/responses.md", "or in a table of"), 'api = "responses"'),
        (block("docs/support-case.md", "person = true"), "person = true"),
        (block("docs/settings.md", "[[auth.key]]"), "requests_per_minute = 300"),
        (block("docs/settings.md", "[[ai.prices]]"), "completion_per_million = 0.6"),
        (block("docs/settings.md", "[[ai.backends]]"), 'name = "azure"'),
    ],
)
def test_the_settings_that_are_shown_are_taken(text, shown, tmp_path):
    (tmp_path / "own.toml").write_text(text)
    environment = os.environ | {"OPENAI_API_KEY": "sk-as-the-page-says"}
    done = subprocess.run([PROGRAM, "--settings", "own.toml", "settings"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert shown in done.stdout
