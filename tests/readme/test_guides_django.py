"""What the guide for Django sites prints, in the place of what examples/django has of its own; and what that example's README prints."""

import contextlib
import json
import os
import re
import shutil
import sys
import textwrap
import urllib.request

import pytest
from broker import PROGRAM, ROOT, Redis, held_port
from help_desk import SITE, Help
from pages import block
from terminal import Terminal
from waiting import until
from websockets.sync.client import connect

# What a site has around the lines of the guide.
AROUND = """
import types

from django.contrib.auth.models import User

User.profile = property(lambda user: types.SimpleNamespace(team_id=7))
"""


def copied(site):
    shutil.copytree(SITE, site, ignore=shutil.ignore_patterns(".venv", "db.sqlite3", "__pycache__"))
    return site


@pytest.fixture
def site(tmp_path):
    """The help desk, but for what the guide has."""
    site = copied(tmp_path / "site")
    methods = block("docs/migrating-from-django-channels.md", "# type, text, author")
    worker = block("docs/migrating-from-django-channels.md", "class Transcript")
    with open(site / "helpdesk/consumers.py", "a") as consumers:
        consumers.write(f"\n\n{worker}\n\nclass Staff(Staff):\n{textwrap.indent(methods, '    ')}")
    hook = block("docs/migrating-from-django-channels.md", "def sophie_hook")
    forget = block("docs/migrating-from-django-channels.md", "hashlib.sha256")
    with open(site / "helpdesk/views.py", "a") as views:
        views.write(f"{AROUND}\n\n{hook}\n\ndef forget(request):\n{textwrap.indent(forget, '    ')}    return HttpResponse(status=204)\n")
    with open(site / "helpdesk/urls.py", "a") as urls:
        urls.write('\nurlpatterns.append(path("forget/", views.forget))\n')
    with contextlib.ExitStack() as stack:
        yield Help(stack, tmp_path, site)


def asked(site):
    """How often Sophie asked who somebody is."""
    return (site.sophie.directory / "django.log").read_text().count("/sophie/hook/")


def test_the_lines_of_the_guide_do_what_it_says(site):
    cookies = site.log_in()
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    options = {"origin": site.url, "additional_headers": {"Cookie": header}}
    chat = f"{site.sophie.url.replace('http', 'ws')}/ws/chat/user-1"
    fields = [set(words.split(", ")) for words in re.findall(r"# (type, .*)", block("docs/migrating-from-django-channels.md", "# type, text, author"))]
    with connect(f"{site.url.replace('http', 'ws')}/ws/staff/", **options) as staff, connect(chat, **options) as alice:
        assert json.loads(alice.recv(timeout=10))["user"] == "alice"
        for group in ("team-7", "lobby"):
            alice.send(json.dumps({"type": "group.join", "id": group, "group": group}))
            until(lambda group=group: (event := json.loads(alice.recv(timeout=10))).get("id") == group and event["type"] == "ack", f"alice to be in {group}")
        said = {"type": "message.send", "id": "1", "group": "lobby", "text": "What can you do?", "metadata": {"page": "home"}}
        alice.send(json.dumps(said))
        message, answer = (json.loads(staff.recv(timeout=20)) for _ in range(2))
    assert (message["type"], message["text"], answer["type"]) == ("chat.message", "What can you do?", "chat.answer.end")
    # The two others are of people, who are not in this scene: tests/django/test_people.py has them.
    assert [set(message), set(answer)] == fields[:2] and len(fields) == 4
    lines = until(lambda: (found := site.transcript(header)) and len(found) == 2 and found, "the transcript")
    assert [line["author"] for line in lines] == ["alice", "assistant"]

    # What the hook said is kept until it is forgotten.
    def comes_in():
        with connect(chat, **options) as socket:
            assert '"user":"alice"' in socket.recv(timeout=10)

    for times in (1, 1, 2):
        if times == 2:
            request = urllib.request.Request(f"{site.url}/forget/", headers={"Cookie": header})
            urllib.request.urlopen(request, timeout=10).close()
        comes_in()
        until(lambda times=times: asked(site) == times, f"Sophie to have asked {times} times")


def test_the_example_s_readme_is_typed_as_it_is_printed(tmp_path):
    """Twice, but for the packages, which are those of the tests (nothing is fetched), and for a user that is there already."""
    site = copied(tmp_path / "examples/django")
    (tmp_path / "target/release").mkdir(parents=True)
    (tmp_path / "target/release/sophie").symlink_to(PROGRAM)
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(contextlib.closing(Redis(tmp_path)))
        held = [stack.enter_context(held_port()) for _ in range(2)]
        web, sockets = (f"127.0.0.1:{each.getsockname()[1]}" for each in held)
        instead = {"127.0.0.1:8000": web, "manage.py runserver ": f"manage.py runserver --noreload {web} "}
        terminal = stack.enter_context(contextlib.closing(Terminal(site, instead)))
        terminal.environment |= {
            "PYTHONPATH": next(path for path in sys.path if path.endswith("site-packages")),
            "PIP_NO_INDEX": "1",
            "REDIS_URL": redis.url,
            "SOPHIE_WS": f"ws://{sockets}",
            "SOPHIE__SERVER__BIND": sockets,
            "SOPHIE__SERVER__ALLOWED_ORIGINS": f"http://{web}",
            "SOPHIE__AUTH__HOOK_URL": f"http://{web}/sophie/hook/",
        }
        packages, site_of_its_own = block("examples/django/README.md", "pip install").split("python manage.py migrate")
        terminal.does(packages, within=240)
        terminal.does(f"python manage.py migrate{site_of_its_own}")
        again = terminal.run(f"python manage.py migrate{site_of_its_own}", keep=False)
        assert again.returncode == 0 or "That username is already taken" in again.stderr, again
        for line in block("examples/django/README.md", "manage.py runserver").splitlines():
            terminal.start(line)

        def there(url):
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status == 200

        until(lambda: there(f"http://{web}/login/") and there(f"http://{sockets}/health/ready"), "site and Sophie to be there", 30)
        desk = Help.__new__(Help)
        desk.url = f"http://{web}"
        cookies = desk.log_in()
        header = "; ".join(f"{name}={value}" for name, value in cookies.items())
        terminal.instead["SESSIONID"] = cookies["sessionid"]
        for _ in range(2):
            process = terminal.start(block("examples/django/README.md", "asyncio.run(main())"))
            with connect(f"ws://{sockets}/ws/chat/alice", origin=f"http://{web}", additional_headers={"Cookie": header}) as alice:
                alice.send(json.dumps({"type": "group.join", "id": "1", "group": "lobby"}))
                until(lambda: "Hello from the desk." in process.output.read_text(), "what the staff said to come back")
            terminal.end(process)
        until(lambda: len(desk.transcript(header)) == 2, "the transcript")


def test_the_page_of_vite_is_served_beside_sophie(tmp_path):
    """The packages are those of the tests: nothing is fetched."""
    page = tmp_path / "vite-chat"
    example = ROOT / "examples/vite-chat"
    shutil.copytree(example, page, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree((example / "node_modules").resolve(), page / "node_modules", copy_function=os.link, symlinks=True)
    with contextlib.ExitStack() as stack:
        port, second = (stack.enter_context(held_port()).getsockname()[1] for _ in range(2))
        sockets = f"127.0.0.1:{second}"
        instead = {"npm run dev": f"npm run dev -- --host 127.0.0.1 --port {port} --strictPort"}
        terminal = stack.enter_context(contextlib.closing(Terminal(page, instead)))
        terminal.environment |= {"SOPHIE__SERVER__BIND": sockets, "SOPHIE_URL": f"http://{sockets}", "npm_config_offline": "true", "npm_config_audit": "false"}
        sophie = terminal.start(block("examples/vite-chat/README.md", "cargo run"))
        for _ in range(2):
            process = terminal.start(block("examples/vite-chat/README.md", "npm run dev"))

            def served(path):
                assert process.poll() is None, process.output.read_text()
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                    return answer.read().decode()

            assert 'id="root"' in until(lambda: served("/"), "vite to serve the page", 60)
            assert until(lambda: served("/api/chat/c1/messages"), "Sophie behind it") == "[]"
            terminal.end(process)
        terminal.end(sophie)
