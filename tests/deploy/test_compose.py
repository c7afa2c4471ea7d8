"""compose.yaml as Docker Compose reads it, and its commands without containers: only names of hosts, ports and paths are this machine's."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.request

import pytest
import yaml
from broker import PROGRAM, ROOT, Broker, free_port
from proxies import program
from waiting import until

FOLDER = ROOT / "deploy"
# Any ports: nobody listens there while something is only looked at.
HERE = {"SOPHIE__SERVER__BIND": "0.0.0.0:0", "SOPHIE__ADMIN__BIND": ""}
SECRETS = {"SOPHIE__ADMIN__TOKEN": "of-an-operator", "REDIS_PASSWORD": "of-redis", "GRAFANA_PASSWORD": "of-grafana"}


def composed(folder):
    """What Docker Compose makes of the file, in this folder."""
    # The wheel's own command loses the exit code.
    compose = pathlib.Path(importlib.util.find_spec("compose").origin).with_name("docker-compose")
    done = subprocess.run([compose, "-f", folder / "compose.yaml", "config", "--format", "json"], capture_output=True, text=True)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


@pytest.fixture
def folder(tmp_path):
    """deploy/ as somebody has it who follows its first lines: example.env copied and filled in."""
    folder = tmp_path / "deploy"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".env"))
    shutil.copy(ROOT / "Dockerfile", tmp_path)
    text = (folder / "example.env").read_text()
    for name, value in SECRETS.items():
        assert f"\n{name}=\n" in text
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    (folder / ".env").write_text(text)
    return folder


@pytest.fixture
def services(folder):
    code, text = composed(folder)
    assert code == 0, text
    return json.loads(text)["services"]


def test_every_file_that_is_named_is_there(services, folder):
    files = {volume["source"] for each in services.values() for volume in each.get("volumes", []) if volume["type"] == "bind"}
    assert len(files) >= 6
    for file in files:
        assert os.path.exists(file), file
    assert (folder / services["sophie-1"]["build"]["context"] / "Dockerfile").exists()


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_was_forgotten_is_named(folder, name):
    text = (folder / ".env").read_text()
    (folder / ".env").write_text(text.replace(f"{name}={SECRETS[name]}", f"{name}="))
    code, said = composed(folder)
    assert code != 0 and name in said and "deploy/.env" in said, said


def test_nothing_but_the_chat_is_reached_from_other_machines(services):
    published = {name: [port.get("host_ip", "everywhere") for port in each.get("ports", [])] for name, each in services.items()}
    assert {name for name, at in published.items() if "everywhere" in at} == {"proxy"}


def test_the_nodes_start_on_the_redis_and_the_caddy_that_are_described(services, folder, tmp_path):
    ports = {"redis": free_port(), "proxy": free_port()}
    (tmp_path / "data").mkdir()
    server = services["redis"]
    command = [word.replace("/etc/redis.conf", str(folder / "redis.conf")) for word in server["command"]]
    options = ["--port", str(ports["redis"]), "--dir", str(tmp_path / "data"), "--daemonize", "no"]
    running = [subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)]
    brokers = []
    try:
        check = ["redis-cli", "-p", str(ports["redis"]), *server["healthcheck"]["test"][2:]]
        environment = os.environ | server["environment"]
        until(lambda: subprocess.run(check, env=environment, capture_output=True, text=True).stdout.strip() == "PONG", "its health check to pass")
        asked = subprocess.run([*check[:-1], "CONFIG", "GET", "*"], env=environment, capture_output=True, text=True).stdout.splitlines()
        known = dict(zip(asked[::2], asked[1::2]))
        assert (known["maxmemory-policy"], known["appendonly"], known["timeout"]) == ("noeviction", "yes", "0")

        for name in ("sophie-1", "sophie-2"):
            directory = tmp_path / name
            directory.mkdir()
            settings = {key: value for key, value in services[name]["environment"].items() if key != "REDIS_PORT"}
            assert settings["REDIS_HOST"] == "redis"
            settings |= {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(ports["redis"]), "SOPHIE__SERVER__TRUSTED_PROXIES": "127.0.0.1"}
            environment = {word: value for word, value in os.environ.items() if not word.startswith(("SOPHIE__", "REDIS_", "OPENAI_"))}
            checked = subprocess.run([PROGRAM, "check"], env=environment | settings | HERE, cwd=directory, capture_output=True, text=True)
            assert "no faults, no warnings" in checked.stdout, checked
            broker = Broker(directory)
            admin = free_port()
            broker.url = f"http://127.0.0.1:{admin}"
            brokers.append(broker)
            broker.start(**settings | {"SOPHIE__SERVER__BIND": f"0.0.0.0:{broker.port}", "SOPHIE__ADMIN__BIND": f"0.0.0.0:{admin}"})
            with urllib.request.urlopen(f"{broker.url}/health/ready", timeout=5) as answer:
                assert not json.load(answer)["details"].get("warnings"), "this Redis suits the nodes"
            # What the image asks of itself, by the same settings.
            subprocess.run(["bash", ROOT / "scripts/healthcheck.sh"], env=os.environ | {"SOPHIE__ADMIN__BIND": f"0.0.0.0:{admin}"}, check=True)

        # Health has one port at all nodes there; here each has one of its own, and the proxy finds but one of them healthy.
        settings = services["proxy"]["environment"] | {
            "SITE": f":{ports['proxy']}",
            "NODES": " ".join(f"127.0.0.1:{broker.port}" for broker in brokers),
            "HEALTH_PORT": brokers[0].url.rsplit(":", 1)[1],
            "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
            "HOME": str(tmp_path),
        }
        assert {"SITE", "NODES", "HEALTH_PORT"} <= services["proxy"]["environment"].keys()
        file = next(volume["source"] for volume in services["proxy"]["volumes"] if volume["target"] == "/etc/caddy/Caddyfile")
        log = open(tmp_path / "caddy.log", "ab")
        running.append(subprocess.Popen([program("caddy"), "run", "--config", file, "--adapter", "caddyfile"], env=os.environ | settings, stdout=log, stderr=log))

        def page():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{ports['proxy']}/", timeout=2) as answer:
                    return b"<title>" in answer.read()
            except OSError:
                return False

        until(page, f"the page to come through the proxy; see {tmp_path}/caddy.log")
    finally:
        for broker in brokers:
            broker.close()
        for process in running:
            process.terminate()
            process.wait(20)


def test_prometheus_reads_the_nodes_where_their_metrics_are(services, folder):
    told = yaml.safe_load((folder / "prometheus/prometheus.yml").read_text())
    targets = told["scrape_configs"][0]["static_configs"][0]["targets"]
    assert targets == [f"{name}:{services[name]['environment']['SOPHIE__ADMIN__BIND'].rsplit(':')[1]}" for name in ("sophie-1", "sophie-2")]
    assert services["proxy"]["environment"]["HEALTH_PORT"] == "9080"
    text = (folder / "prometheus/prometheus.yml").read_text().replace("/etc/prometheus/", f"{folder}/prometheus/")
    (folder / "here.yml").write_text(text)
    subprocess.run([program("promtool"), "check", "config", folder / "here.yml"], check=True, capture_output=True)
    options = [word for word in services["prometheus"]["command"]]
    help = subprocess.run([program("prometheus"), "--help"], capture_output=True, text=True)
    for option in options:
        assert option.split("=")[0] in help.stdout + help.stderr


def test_grafana_finds_its_prometheus_and_its_dashboard(services, folder):
    source = yaml.safe_load((folder / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090" and "prometheus" in services
    place = yaml.safe_load((folder / "grafana/provisioning/dashboards/sophie.yml").read_text())["providers"][0]["options"]["path"]
    assert any(volume["target"].startswith(f"{place}/") for volume in services["grafana"]["volumes"])


def test_the_documented_rights_are_enough_for_a_node(tmp_path):
    """The user of docs/operations.md, and nobody else: a node is ready with it."""
    rule = re.search(r"^ACL SETUSER sophie on >PASSWORD (.*)$", (ROOT / "docs/operations.md").read_text(), re.M).group(1)
    (tmp_path / "users.acl").write_text(f"user default off\nuser sophie on >secret {rule}\n")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path), "--aclfile", str(tmp_path / "users.acl")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    broker = Broker(tmp_path)
    try:
        broker.start(USE_REDIS="true", REDIS_URL=f"redis://sophie:secret@127.0.0.1:{port}/0")
    finally:
        broker.close()
        server.terminate()
        server.wait(20)
