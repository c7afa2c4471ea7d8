"""Two nodes on one Redis: as a proxy has them behind it, and in front of a scripted AI server."""

import contextlib

from ai_backend import Backend
from broker import Broker, Redis

KEY = "sk-of-a-shop"


@contextlib.contextmanager
def two_nodes(directories, **settings):
    """Nodes that take everybody, believe a proxy on this machine, and answer by the demo."""
    with contextlib.ExitStack() as stack:
        redis = Redis(directories.mktemp("redis"))
        stack.callback(redis.close)
        nodes = []
        for name in ("one", "two"):
            own = {
                "SOPHIE__SERVER__NODE": name,
                "SOPHIE__SERVER__TRUSTED_PROXIES": "127.0.0.1",
                "SOPHIE__AUTH__OPEN": "true",
                "SOPHIE__AUTH__API_KEYS": KEY,
                "SOPHIE__SERVER__DRAIN_SECONDS": "3",
            }
            node = Broker(directories.mktemp(name), redis, own | settings)
            stack.callback(node.close)
            node.start()
            nodes.append(node)
        yield nodes


class Nodes(list):
    """The nodes, and what answers behind them."""

    backend = None


@contextlib.contextmanager
def answering(directories, **settings):
    """Nodes that ask a scripted AI server."""
    with contextlib.ExitStack() as stack:
        nodes = Nodes()
        nodes.backend = stack.enter_context(contextlib.closing(Backend()))
        redis = stack.enter_context(contextlib.closing(Redis(directories.mktemp("redis"))))
        own = {
            "SOPHIE__AI__BACKEND": "openai",
            "OPENAI_BASE_URL": nodes.backend.url,
            "OPENAI_API_KEY": "sk-of-the-backend",
            "SOPHIE__AI__RETRIES": "0",
        }
        for name in ("one", "two"):
            node = Broker(directories.mktemp(name), redis, own | settings)
            stack.callback(node.close)
            node.start()
            nodes.append(node)
        yield nodes
