"""What the guides print for a shell, typed as it stands and twice in a row, beside a program that runs."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import ssl
import struct
import subprocess
import termios
import urllib.request

import pytest
from ai_backend import Backend
from broker import Redis, held_port, running
from pages import block
from terminal import Terminal
from waiting import until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


@pytest.fixture
def terminal(tmp_path):
    """A terminal in the folder of the sources, whose Sophie listens where the test says."""
    folder = tmp_path / "sources"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        port, second = (stack.enter_context(held_port()).getsockname()[1] for _ in range(2))
        terminal = Terminal(folder, {"127.0.0.1:8080": f"127.0.0.1:{port}", "127.0.0.1:8081": f"127.0.0.1:{second}"})
        stack.callback(terminal.close)
        terminal.environment["SOPHIE__SERVER__BIND"] = f"127.0.0.1:{port}"
        terminal.addresses = [f"127.0.0.1:{each}" for each in (port, second)]
        yield terminal


def get(address, path="/health/ready", scheme="http", **options):
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{scheme}://{address}{path}", timeout=5, **options) as answer:
        return answer.read().decode()


def serves(terminal, process, address, **options):
    def ready():
        assert process.poll() is None, process.output.read_text()
        return get(address, **options)

    return until(ready, f"Sophie to serve; see {process.output}", 30)


def started(terminal, text, **more):
    process = terminal.start(text, **more)
    serves(terminal, process, terminal.addresses[0])
    return process


def events(socket, *kinds):
    for frame in socket:
        event = json.loads(frame)
        if event["type"] in kinds:
            return event


def test_the_first_command_serves_the_page_and_answers_what_is_said_beside_it(terminal):
    for _ in range(2):
        process = started(terminal, block("docs/quick-start.md", "cargo build --release"))
        assert "<title>" in get(terminal.addresses[0], "/")
        statuses, printed = terminal.statuses(block("docs/quick-start.md", "The build is green."))
        assert statuses == [200, 200] and '"seq":' in printed and '"choices":' in printed, printed
        assert "drained" in terminal.end(process)


@pytest.fixture
def model():
    with contextlib.closing(Backend()) as backend:
        backend.models = ["llama3.2"]
        yield backend


@pytest.fixture
def redis(tmp_path):
    with contextlib.closing(Redis(tmp_path)) as redis:
        yield redis


def test_a_model_of_ones_own_and_two_nodes_on_one_redis(terminal, model, redis):
    """In one terminal, as a reader goes through the page: what was exported stays."""
    terminal.instead |= {"http://127.0.0.1:11434/v1": model.url, "redis://127.0.0.1:6379/0": redis.url}
    terminal.does("cargo build --release")
    own = block("docs/quick-start.md", "OPENAI_BASE_URL")
    for _ in range(2):
        process = started(terminal, own)
        assert "llama3.2" in get(terminal.addresses[0], "/v1/models")
        told = terminal.end(process)
        assert re.search(r"^ok +ai .*llama3\.2", told, re.M) and "FAULT" not in told, told
    # Its last line serves; the others are exports and a check, which end.
    terminal.does("\n".join(own.splitlines()[:-1]))

    for _ in range(2):
        process = terminal.start(block("docs/quick-start.md", "SOPHIE__SERVER__NODE=b") + "wait")
        for address in terminal.addresses:
            serves(terminal, process, address)
        with connect(f"ws://{terminal.addresses[0]}/ws/chat/shared") as one, connect(f"ws://{terminal.addresses[1]}/ws/chat/shared") as other:
            assert [events(each, "session.ready")["node"] for each in (one, other)] == ["a", "b"]
            question = os.urandom(4).hex()
            one.send(json.dumps({"type": "message.send", "id": question, "text": question}))
            assert events(other, "message")["message"]["text"] == question
            assert events(one, "answer.end")["text"] == events(other, "answer.end")["text"] == "Hello from the test."
        terminal.end(process, signal.SIGTERM)
        until(lambda: not any(map(get, terminal.addresses)), "both nodes to be gone")
    assert model.calls[-1]["model"] == "llama3.2"


def test_only_who_has_a_token_comes_in(terminal):
    terminal.does("cargo build --release")
    for _ in range(2):
        process = started(terminal, block("docs/quick-start.md", "sophie token"))
        token = re.search(r"^eyJ\S+$", process.output.read_text(), re.M)[0]
        address = f"ws://{terminal.addresses[0]}/ws/chat/s1"
        with pytest.raises(InvalidStatus, match="401"):
            connect(address)
        with connect(f"{address}?token={token}") as socket:
            assert events(socket, "session.ready")["user"] == "alice"
            socket.send('{"type": "group.join", "id": "1", "group": "team-7"}')
            assert events(socket, "ack", "error")["type"] == "ack"
        terminal.end(process)


def test_a_check_says_that_a_node_would_work(terminal):
    for _ in range(2):
        lines = block("docs/operations.md", "sophie check --json").splitlines()
        plain, asked, document = (terminal.does(line) for line in lines)
        assert re.search(r"^ok +ai ", plain, re.M) and "FAULT" not in plain + asked, plain + asked
        assert json.loads(document)["ok"] is True


def test_the_lines_of_a_check_are_those_that_are_shown(terminal, redis):
    """But for the width of their columns. … stands for what differs, and the address is the test's."""
    (terminal.directory / "settings.toml").touch()

    def shown(line):
        words = re.escape(line.replace("127.0.0.1:6379", f"127.0.0.1:{redis.port}")).replace("…", ".*")
        return re.compile("^" + re.sub(r"(\\ )+", " +", words) + "$", re.M)

    there, fault, warning = block("docs/operations.md", "does not let in user default").splitlines()
    redis.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    redis.do("CONFIG", "SET", "maxmemory", "100mb")
    terminal.environment |= {"USE_REDIS": "true", "REDIS_URL": redis.url}
    told = terminal.does("sophie check", keep=False)
    assert shown(there).search(told) and shown(warning).search(told), told
    redis.do("CONFIG", "SET", "requirepass", "a-password")
    refused = terminal.run("sophie check", keep=False)
    assert refused.returncode == 1 and shown(fault).search(refused.stdout), refused.stdout


def test_a_node_speaks_tls_with_the_two_files(terminal):
    names = [str(terminal.directory / name) for name in ("fullchain.pem", "privkey.pem")]
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "20", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", "req", "-x509", *options, "-out", names[0], "-keyout", names[1]], check=True, capture_output=True)
    terminal.instead["/etc/sophie/"] = f"{terminal.directory}/"
    context = ssl.create_default_context(cafile=names[0])
    for _ in range(2):
        process = terminal.start(block("docs/operations.md", "SOPHIE__SERVER__TLS_CERT"))
        serves(terminal, process, terminal.addresses[0], scheme="https", context=context)
        assert "certificate_read" in terminal.end(process)


def test_the_line_of_a_reload_is_the_one_that_is_shown(terminal):
    """But for its time and its target, which stand before it."""
    file = terminal.directory / "settings.toml"
    text = "[auth]\napi_keys = []\n[log]\nlevel = \"info\"\n[server]\nworkers = 1\n"
    file.write_text(text)
    process = started(terminal, "exec sophie")
    file.write_text(text.replace("[]", '["sk-new"]').replace('"info"', '"debug"').replace("workers = 1", "workers = 2"))
    process.send_signal(signal.SIGHUP)
    until(lambda: "settings_reloaded" in process.output.read_text(), "the settings to be read again")
    told = next(line for line in terminal.end(process).splitlines() if "settings_reloaded" in line)
    assert re.sub(r"^\[\S+ (\w+) +\S+\]", r"\1", told) == block("docs/operations.md", "settings_reloaded signal=SIGHUP").strip()


def test_top_shows_the_node_of_the_settings_until_q(terminal):
    terminal.environment["SOPHIE__ADMIN__TOKEN"] = "a-token-of-my-own"
    process = started(terminal, "sophie")
    for _ in range(2):
        near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        command = ["bash", "-euc", block("docs/operations.md", "sophie top")]
        top = subprocess.Popen(command, env=terminal.environment | {"TERM": "xterm"}, cwd=terminal.directory, stdin=far, stdout=far, stderr=far)
        os.close(far)
        seen = b""
        with contextlib.suppress(OSError):  # a terminal whose program has ended
            while piece := os.read(near, 65_536):
                seen += piece
                if b"ockets" in seen:
                    os.write(near, b"q")
        assert top.wait(20) == 0, seen
        os.close(near)
    terminal.end(process)


def test_redis_is_told_to_save(terminal, redis):
    terminal.instead["-p 6379"] = f"-p {redis.port}"
    for _ in range(2):
        told = terminal.does(block("docs/upgrade.md", "BGSAVE"))
        assert re.search(r"^\d{10}$", told, re.M) and ("Background saving started" in told or "already in progress" in told), told


@pytest.fixture
def broker(tmp_path, terminal):
    with running("memory", tmp_path, SOPHIE__LIMITS__ENABLED="true", SOPHIE__CACHE__ENABLED="true") as broker:
        terminal.instead["127.0.0.1:8080"] = f"127.0.0.1:{broker.port}"
        yield broker


def first(process, words):
    """Waits until a program that goes on has printed this."""
    until(lambda: words in process.output.read_text(), f"{words} to be printed")
    return process.output.read_text()


def test_a_response_is_read_on_and_stopped(terminal, broker):
    terminal.environment |= {"KEY": "anything"}
    begun, after = block("docs/responses.md", "# the connection breaks").split("# the connection breaks", 1)
    for _ in range(2):
        process = terminal.start(begun)
        terminal.environment["ID"] = re.search(r'"id":"(resp_\w+)"', first(process, '"sequence_number":9,')).group(1)
        terminal.end(process, signal.SIGKILL)
        statuses, told = terminal.statuses("#" + after)
        assert statuses == [200, 200], told
        numbers = [int(number) for number in re.findall(r'"sequence_number":(\d+)', told)]
        assert numbers[0] == 8 and numbers == list(range(8, 8 + len(numbers))), numbers
        assert "response.completed" in told and '"status":"completed"' in told


def test_an_answer_and_a_group_are_read_at_their_addresses(terminal, broker):
    with broker.client("reader") as socket:
        socket.send('{"type": "group.join", "id": "1", "group": "team"}')
        socket.send('{"type": "message.send", "id": "2", "group": "team", "text": "What can you do?"}')
        terminal.environment["ANSWER"] = events(socket, "answer.end")["answer"]
        whole, pieces, group = block("docs/streams.md", "/ds/answers/$ANSWER").splitlines()
        for _ in range(2):
            statuses, told = terminal.statuses(whole)
            assert statuses == [200] and len(told.split()) > 10
            statuses, told = terminal.statuses(pieces)
            assert statuses == [200] and '"type":"finish"' in told, told
            process = terminal.start(group)
            assert "What can you do?" in first(process, "answer.end")
            terminal.end(process)
