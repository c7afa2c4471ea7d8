"""The published clients in JavaScript: the scenes of tests/clients/*.mjs, each played over the nodes in a process of its own."""

import json
import secrets
import subprocess

from broker import ROOT

CLIENTS = ROOT / "tests/clients"
NODE = CLIENTS / "node_modules/node/bin/node"


def command(program, nodes, what, **more):
    """How a scene is played, in the folder `CLIENTS`: with a chat and a question of its own."""
    options = {"what": what, "urls": [node.url for node in nodes], "id": secrets.token_hex(8), "text": secrets.token_hex(8)} | more
    return [NODE, program, json.dumps(options)]


def play(program, nodes, what, **more):
    """Plays it to its end; what it saw."""
    done = subprocess.run(command(program, nodes, what, **more), cwd=CLIENTS, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
