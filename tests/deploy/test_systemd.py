"""The unit, as systemd reads it. It is not started: a test machine has no systemd of its own to do that."""

import re
import subprocess

import pytest
from broker import PROGRAM, ROOT, Broker

FOLDER = ROOT / "deploy/systemd"


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)


@pytest.fixture
def unit(tmp_path):
    """With a program that is here: systemd looks whether it is."""
    text = (FOLDER / "sophie.service").read_text()
    assert "\nExecStart=/usr/bin/sophie\n" in text
    path = tmp_path / "sophie.service"
    path.write_text(text.replace("/usr/bin/sophie", PROGRAM))
    return path


def test_systemd_finds_nothing_wrong_with_the_unit(unit):
    found = analyze("verify", "--man=no", str(unit))
    assert found.returncode == 0 and "sophie.service" not in found.stdout + found.stderr, found


def test_a_word_that_systemd_does_not_know_is_found(unit):
    unit.write_text(unit.read_text().replace("PrivateTmp=yes", "PrivateTemp=yes"))
    found = analyze("verify", "--man=no", str(unit))
    assert "PrivateTemp" in found.stdout + found.stderr


def test_what_a_break_in_could_reach_is_little(unit):
    found = analyze("security", "--offline=yes", "--no-pager", "--threshold=20", str(unit))
    level = re.search(r"Overall exposure level.*?: ([\d.]+)", found.stdout)
    assert level and float(level.group(1)) <= 2.0, found.stdout[-400:]


def test_the_service_has_time_to_drain_before_it_is_killed():
    text = (FOLDER / "sophie.service").read_text()
    drain = int(re.search(r"^drain_seconds = (\d+)", (ROOT / "settings.toml").read_text(), re.M).group(1))
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", text, re.M).group(1)) >= drain + 2


def test_the_example_of_the_environment_is_what_a_node_takes(tmp_path):
    lines = [line.removeprefix("# ").split(" ")[0] for line in (FOLDER / "environment.example").read_text().splitlines() if re.match(r"# [A-Z_]+=", line)]
    settings = dict(line.split("=", 1) for line in lines)
    assert "SOPHIE__ADMIN__TOKEN" in settings
    secret = "a-secret-that-is-longer-than-thirty-two-bytes"
    values = {name: value or secret for name, value in settings.items() if not name.startswith(("REDIS", "USE_REDIS", "OPENAI"))}
    broker = Broker(tmp_path)
    try:
        broker.start(**values | {"SOPHIE__SERVER__BIND": f"0.0.0.0:{broker.port}"})
    finally:
        broker.close()
