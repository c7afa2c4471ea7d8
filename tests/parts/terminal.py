"""A terminal in which a reader types what a document prints: a folder, and what was exported before. Only addresses and ports are the test's."""

import os
import pathlib
import signal
import stat
import subprocess

from broker import PROGRAM, ROOT

# Where the tests run in the background of a shell, Ctrl-C is ignored, and all that they start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NODE = ROOT / "tests/clients/node_modules/node/bin"
WITHIN = 60
# As it leaves the program where the documents say that it is.
CARGO = """#!/bin/sh
[ "$*" != "run --release" ] || exec "$SOPHIE_BIN"
[ "$*" = "build --release" ] || { echo "not built here: cargo $*" >&2; exit 1; }
mkdir -p target/release && ln -sf "$SOPHIE_BIN" target/release/sophie
"""


class Terminal:
    """`instead`: addresses of the documents, and those of the test in their place."""

    def __init__(self, directory, instead=None, **exported):
        self.directory = pathlib.Path(directory)
        self.instead = instead or {}
        commands = self.directory.parent / f"{self.directory.name}-commands"
        commands.mkdir(exist_ok=True)
        (commands / "sophie").symlink_to(PROGRAM)
        (commands / "cargo").write_text(CARGO)
        (commands / "cargo").chmod(stat.S_IRWXU)
        # What curl gets is printed as ever; its status goes beside it.
        (commands / ".curlrc").write_text('write-out = "%{stderr}status %{http_code}\\n"\n')
        mine = ("SOPHIE", "REDIS_", "USE_REDIS", "OPENAI_", "CHANNEL_", "SECRET_KEY", "RUST_LOG")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(mine)} | exported
        self.environment |= {"PATH": f"{commands}:{NODE}:{os.environ['PATH']}", "CURL_HOME": str(commands), "SOPHIE_BIN": PROGRAM, "NO_PROXY": "*"}
        self.kept = commands / "environment"
        self.running = []

    def here(self, text):
        for old, new in self.instead.items():
            text = text.replace(old, str(new))
        return text

    def run(self, text, within=WITHIN, keep=True):
        """Types a block and waits for its end. What it exports stays."""
        after = f"\nenv -0 >{self.kept}" if keep else ""
        command = ["bash", "-euc", self.here(text) + after]
        done = subprocess.run(command, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within)
        if keep and done.returncode == 0:
            self.environment = dict(pair.split("=", 1) for pair in self.kept.read_text().split("\0") if pair)
        return done

    def does(self, text, **more):
        """The same of what must go well; what it printed."""
        done = self.run(text, **more)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def statuses(self, text):
        """The statuses that the block's calls of curl got, and what they printed."""
        done = self.run(text)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return [int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("status ")], done.stdout

    def start(self, text, **more):
        """Types a block whose last program goes on, until `end`."""
        output = open(self.kept.with_name(f"output-{len(self.running)}"), "w+")
        command = ["bash", "-euc", self.here(text)]
        options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT, "start_new_session": True}
        process = subprocess.Popen(command, cwd=self.directory, env=self.environment | more, **options)
        process.output = pathlib.Path(output.name)
        self.running.append(process)
        return process

    def end(self, process, with_signal=signal.SIGINT):
        """Ctrl-C; what was printed."""
        os.killpg(process.pid, with_signal)
        process.wait(30)
        self.running.remove(process)
        return process.output.read_text()

    def close(self):
        for process in self.running:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(10)
