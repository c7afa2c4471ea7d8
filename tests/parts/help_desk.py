"""The site of examples/django, run as its README says."""

import contextlib
import http.cookiejar
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request

from broker import ROOT, Broker, Redis, held_port
from waiting import until

SITE = ROOT / "examples/django"


class Help:
    """Django, its worker and Sophie, as processes. `site`: the folder of the project, which may be a copy; `users`: who has an account;
    `settings`: more of Sophie's."""

    def __init__(self, stack, directory, site=SITE, users=("alice",), **settings):
        self.site = site
        self.redis = Redis(directory)
        stack.callback(self.redis.close)
        self.held = held_port()
        stack.callback(self.held.close)
        self.port = self.held.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        settings |= {
            "REDIS_URL": self.redis.url,
            "SOPHIE__SERVER__FRAME_ANCESTORS": self.url,
            "SOPHIE__AUTH__HOOK_URL": f"{self.url}/sophie/hook/",
        }
        self.sophie = Broker(directory, self.redis, settings, site / "sophie.toml")
        self.sophie.settings["SOPHIE__SERVER__ALLOWED_ORIGINS"] = f"{self.url},{self.sophie.url}"
        stack.callback(self.sophie.close)
        self.environment = os.environ | {
            "REDIS_URL": self.redis.url,
            "DATABASE": str(directory / "db.sqlite3"),
            "SOPHIE_WS": self.sophie.url.replace("http", "ws"),
            "DJANGO_SUPERUSER_PASSWORD": "secret",
        }
        self.output = open(directory / "django.log", "ab")
        stack.callback(self.output.close)
        self.manage("migrate", "-v0")
        for user in users:
            self.manage("createsuperuser", "--noinput", "--username", user, "--email", f"{user}@example.com")
        for arguments in (["-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "helpdesk.asgi:application"], ["manage.py", "runworker", "transcript"]):
            process = subprocess.Popen([sys.executable, *arguments], cwd=site, env=self.environment, stdout=self.output, stderr=self.output)
            stack.callback(process.wait)
            stack.callback(process.kill)
        self.sophie.start()
        until(self.answers, f"the site to answer; see {directory}/django.log", 30)

    def manage(self, *arguments):
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=self.site, env=self.environment, check=True, stdout=self.output, stderr=self.output)

    def answers(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.url}/login/", timeout=2).status == 200

    def log_in(self, user="alice"):
        """The cookies of a user, as a browser would send them."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        opener.open(f"{self.url}/login/", timeout=10).close()
        token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
        form = {"username": user, "password": "secret", "csrfmiddlewaretoken": token}
        opener.open(f"{self.url}/login/", urllib.parse.urlencode(form).encode(), timeout=10).close()
        return {cookie.name: cookie.value for cookie in jar}

    def transcript(self, cookies):
        request = urllib.request.Request(f"{self.url}/transcript/lobby/", headers={"Cookie": cookies})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["lines"]
