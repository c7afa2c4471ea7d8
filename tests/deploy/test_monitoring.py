"""The alert rules by promtool, and the dashboard's queries at a real Prometheus that reads two live nodes."""

import contextlib
import json
import re
import secrets
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml
from ai_backend import Backend
from broker import ROOT, free_port
from pair import KEY, two_nodes
from proxies import program
from waiting import until

RULES = ROOT / "deploy/prometheus/alerts.yml"
BOARD = json.loads((ROOT / "deploy/grafana/sophie.json").read_text())
ALERTS = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
OPERATIONS = (ROOT / "docs/operations.md").read_text()
PROTOCOL = (ROOT / "docs/protocol.md").read_text()


def queries():
    """(where it stands, PromQL) of every query of the dashboard, as Grafana would ask it."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "1m")
            yield panel["title"], text.replace("$job", "sophie").replace("$instance", ".*")


def promtool(*arguments):
    done = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, cwd=RULES.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_rules():
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", str(RULES))


def test_each_alert_fires_at_what_it_is_for_and_at_nothing_else():
    promtool("test", "rules", "alerts.test.yml")
    tried = set(re.findall(r'alertname="(\w+)"', (RULES.parent / "alerts.test.yml").read_text()))
    assert tried == {alert["alert"] for alert in ALERTS}


def test_each_alert_says_what_to_look_at_and_what_to_do():
    sections = re.findall(r"^### (Sophie\w+)$\n(.*?)(?=^##)", OPERATIONS, re.M | re.S)
    assert [name for name, _ in sections] == [alert["alert"] for alert in ALERTS], "one section each, in the order of the rules"
    for name, text in sections:
        assert "**Look at**" in text and "**Do**" in text, name
    for alert in ALERTS:
        assert alert["annotations"]["runbook_url"] == f"docs/operations.md#{alert['alert'].lower()}"


def test_the_log_lines_that_operators_are_sent_to_exist():
    sources = "".join(path.read_text() for folder in ("src", "actors/src") for path in (ROOT / folder).rglob("*.rs"))
    named = set(re.findall(r"`event=(\w+)", OPERATIONS))
    assert len(named) > 10
    for name in named:
        assert f'"{name}"' in sources, f"nothing logs event={name}"


class Prometheus:
    """A real one, which reads these nodes each second."""

    def __init__(self, directory, nodes):
        self.url = f"http://127.0.0.1:{free_port()}"
        targets = [f"127.0.0.1:{node.port}" for node in nodes]
        job = {"job_name": "sophie", "scrape_interval": "1s", "static_configs": [{"targets": targets}]}
        settings = {"global": {"evaluation_interval": "1s"}, "rule_files": [str(RULES)], "scrape_configs": [job]}
        (directory / "prometheus.yml").write_text(yaml.safe_dump(settings))
        options = [f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data", f"--web.listen-address={self.url[7:]}"]
        self.output = open(directory / "prometheus.log", "ab")
        self.process = subprocess.Popen([program("prometheus"), *options], stdout=self.output, stderr=self.output)
        with contextlib.ExitStack() as stack:
            stack.callback(self.close)
            until(lambda: len(self.ask("sophie_sockets")) == len(nodes), "Prometheus to have read the nodes", 30)
            stack.pop_all()

    def ask(self, query):
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as refusal:
            if refusal.code == 503:  # It is still starting.
                return []
            pytest.fail(f"{query}: {refusal.read().decode()}")
        except OSError:
            return []

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.output.close()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """With a backend whose answers cost something, so that every family has figures."""
    price = [{"name": "*", "prompt_per_million": 1.0, "completion_per_million": 2.0}]
    with contextlib.closing(Backend()) as backend:
        settings = {"SOPHIE__CACHE__ENABLED": "true", "SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": backend.url, "OPENAI_API_KEY": "sk", "SOPHIE__AI__PRICES": json.dumps(price)}
        with two_nodes(tmp_path_factory, **settings) as nodes:
            yield nodes


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory, nodes):
    with contextlib.closing(Prometheus(tmp_path_factory.mktemp("prometheus"), nodes)) as prometheus:
        yield prometheus


def ask_something(nodes):
    """Over both roads; what is asked by the second is new, and then the same again, so that something is saved."""
    for node in nodes:
        node.say("somebody", "Hello", assistant=True)
        question = {"model": "any", "stream": True, "temperature": 0, "messages": [{"role": "user", "content": secrets.token_hex(4)}]}
        body = json.dumps(question).encode()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        for _ in range(2):
            urllib.request.urlopen(urllib.request.Request(f"{node.url}/v1/chat/completions", body, headers), timeout=20).read()


def test_each_query_of_the_dashboard_has_figures_at_live_nodes(prometheus, nodes):
    asked = list(queries())
    assert len(asked) > 40

    def empty():
        ask_something(nodes)
        return {title for title, query in asked if not prometheus.ask(query)}

    until(lambda: not empty(), f"figures in every panel: at first there are none in {empty()}", 40)


def test_each_rule_is_evaluated_at_the_live_nodes_without_a_fault_and_none_fires(prometheus):
    def groups():
        with urllib.request.urlopen(f"{prometheus.url}/api/v1/rules", timeout=10) as answer:
            rules = json.load(answer)["data"]["groups"][0]["rules"]
        return rules if all(rule["health"] != "unknown" for rule in rules) else None

    rules = until(groups, "every rule to have been evaluated", 30)
    assert len(rules) == len(ALERTS)
    assert all(rule["health"] == "ok" and rule["state"] == "inactive" for rule in rules), rules


def test_every_metric_that_is_named_exists(nodes):
    ask_something(nodes)
    live = "".join(node.metrics() for node in nodes)
    # Without the names of labels.
    texts = [re.sub(r"by \([^)]*\)", "", text) for text in [*(query for _, query in queries()), *(alert["expr"] for alert in ALERTS)]]
    named = {name for text in texts for name in re.findall(r"\b(?:sophie|gen_ai|process)_\w+(?=[{\[)]|$)", text)}
    assert len(named) > 35
    for name in named:
        family = re.sub(r"_(bucket|count|sum)$", "", name)
        assert re.search(rf"^# TYPE {family} ", live, re.M), f"there is no {family}"
        assert f"`{family}`" in OPERATIONS, f"{family} is not in docs/operations.md"
    # What a rule or a query asks of a label's value is a value that there is.
    for family, label, value in re.findall(r'(sophie_\w+)\{[^}]*?\b(?!job|instance)(\w+)=~?"([a-z0-9_|]+)"', " ".join(texts)):
        row = next((line for line in OPERATIONS.splitlines() if line.startswith("|") and f"`{family}`" in line), "")
        # The reasons of closes have a table of their own.
        known = row + PROTOCOL if label == "reason" else row
        for word in value.split("|"):
            assert f"`{word}`" in known, f"{family} has no {label} {word!r}"
