"""nginx, Caddy and Traefik with the files of deploy/proxies: only addresses, ports and paths are the test's own."""

import asyncio
import contextlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading

from broker import ROOT, free_port
from pages import block
from waiting import until
from websockets.asyncio.client import connect

FILES = ROOT / "deploy/proxies"
NAME = "chat.example.com"


def program(name):
    """Beside this Python, where a wheel has put it, else on the path."""
    beside = pathlib.Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, f"{name} is missing: run scripts/test-deploy.sh"
    return found


def put(text, *changes):
    """The file with these places changed, each of which must be there."""
    for old, new in changes:
        assert old in text, f"{old!r} is not in the file"
        text = text.replace(old, new)
    return text


class Socket:
    """A WebSocket, spoken over in turn. One thread does all its reading and writing: Python's TLS takes no two at once."""

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def __init__(self, *address, **more):
        async def opened():
            return await connect(*address, proxy=None, **more)

        self.connection = self.done(opened())

    @classmethod
    def done(cls, work, seconds=30):
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), cls.loop).result()

    def send(self, text):
        self.done(self.connection.send(text))

    def recv(self, timeout):
        return self.done(self.connection.recv(), timeout)

    def close(self):
        self.done(self.connection.close())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Proxy:
    """One of them, running, as a client meets it."""

    def __init__(self, directory, nodes):
        self.directory = directory
        self.nodes = nodes
        self.port = free_port()
        self.output = open(directory / "proxy.log", "ab")
        self.tls = None
        self.process = None

    def start(self):
        command, environment = self.prepare()
        self.process = subprocess.Popen(command, env=os.environ | environment, cwd=self.directory, stdout=self.output, stderr=self.output)
        with contextlib.ExitStack() as stack:
            stack.callback(self.close)
            until(self.serves, f"{command[0]} to serve; see {self.directory}/proxy.log", 20)
            stack.pop_all()
        return self

    def serves(self):
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(OSError, http.client.HTTPException):
            with self.get("/") as answer:
                return answer.status == 200

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.output.close()

    def log(self):
        return "".join(path.read_text() for path in sorted(self.directory.glob("*.log")))

    def certificate(self):
        """A certificate of its own for the name, as an authority would have made it."""
        certificate, key = self.directory / "fullchain.pem", self.directory / "privkey.pem"
        options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
        files = ["-keyout", key, "-out", certificate]
        subprocess.run(["openssl", "req", "-x509", *options, *files], check=True, capture_output=True)
        self.tls = ssl.create_default_context(cafile=certificate)
        return str(certificate), str(key)

    def line(self, source="127.0.0.1"):
        """A TCP connection to it, from this address."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))

    @contextlib.contextmanager
    def get(self, path, method="GET", body=None, source="127.0.0.1", **headers):
        connection = http.client.HTTPConnection(NAME, timeout=20)
        line = self.line(source)
        connection.sock = self.tls.wrap_socket(line, server_hostname=NAME) if self.tls else line
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            yield connection.getresponse()
        finally:
            connection.close()

    def socket(self, session, query="", source="127.0.0.1", **headers):
        scheme = "wss" if self.tls else "ws"
        more = {"ssl": self.tls} if self.tls else {}
        address = f"{scheme}://{NAME}/ws/chat/{session}{query}"
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return Socket(address, sock=self.line(source), subprotocols=["sophie.v1"], additional_headers=extra, **more)


class Nginx(Proxy):
    def prepare(self):
        certificate, key = self.certificate()
        site = put(
            (FILES / "nginx.conf").read_text(),
            ("127.0.0.1:8080", f"127.0.0.1:{self.nodes[0].port}"),
            ("127.0.0.1:8081", f"127.0.0.1:{self.nodes[1].port}"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("/etc/ssl/chat.example.com/fullchain.pem", certificate),
            ("/etc/ssl/chat.example.com/privkey.pem", key),
            ("/var/log/nginx/sophie.log", f"{self.directory}/access.log"),
        )
        return self.with_site(site)

    def with_site(self, site):
        """How it is started with this file within its `http`."""
        (self.directory / "site.conf").write_text(site)
        places = "".join(f"{name}_temp_path {self.directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        top = f"daemon off; user root; pid {self.directory}/nginx.pid; error_log {self.directory}/error.log; events {{}}"
        (self.directory / "nginx.conf").write_text(f"{top} http {{ {places} include {self.directory}/site.conf; }}")
        return [program("nginx"), "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")], {}


class CutOver(Nginx):
    """What docs/migrating-from-django-channels.md has for nginx: a cookie leads to Sophie, which is the first node. The second one is the site."""

    def prepare(self):
        http, server = block("docs/migrating-from-django-channels.md", "map $cookie_sophie").split("# Within your server:")
        upstreams = "".join(f"upstream {name} {{ server 127.0.0.1:{node.port}; }}\n" for name, node in zip(("sophie", "django"), self.nodes))
        site = "location / { proxy_pass http://django; proxy_set_header Host $http_host; }"
        return self.with_site(f"{upstreams}{http}\nserver {{ listen 127.0.0.1:{self.port}; {site}\n{server} }}")


class Caddy(Proxy):
    def prepare(self):
        environment = {
            "SITE": f"http://{NAME}:{self.port}",
            "NODES": " ".join(f"127.0.0.1:{node.port}" for node in self.nodes),
            "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
            "HOME": str(self.directory),
            "XDG_DATA_HOME": str(self.directory),
            "XDG_CONFIG_HOME": str(self.directory),
        }
        return [program("caddy"), "run", "--config", str(FILES / "Caddyfile"), "--adapter", "caddyfile"], environment


class Traefik(Proxy):
    def prepare(self):
        certificate, key = self.certificate()
        dynamic = put(
            (FILES / "traefik/sophie.yml").read_text(),
            ("127.0.0.1:8080", f"127.0.0.1:{self.nodes[0].port}"),
            ("127.0.0.1:8081", f"127.0.0.1:{self.nodes[1].port}"),
            ("/etc/ssl/chat.example.com/fullchain.pem", certificate),
            ("/etc/ssl/chat.example.com/privkey.pem", key),
        )
        (self.directory / "sophie.yml").write_text(dynamic)
        static = put(
            (FILES / "traefik/traefik.yml").read_text(),
            ('":443"', f'"127.0.0.1:{self.port}"'),
            ("/etc/traefik/sophie.yml", str(self.directory / "sophie.yml")),
        )
        # Nothing leaves this machine.
        quiet = "\nglobal:\n  checkNewVersion: false\n  sendAnonymousUsage: false\n"
        (self.directory / "traefik.yml").write_text(re.sub(r"^global:.*", "", static) + quiet)
        return [program("traefik"), f"--configFile={self.directory}/traefik.yml"], {}


KINDS = {"nginx": Nginx, "caddy": Caddy, "traefik": Traefik}
