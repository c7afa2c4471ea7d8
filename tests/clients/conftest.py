"""Two nodes on one Redis, in front of a scripted AI server."""

import contextlib

import pytest
from ai_backend import Backend
from broker import Broker, Redis


class Nodes(list):
    """The nodes, and what answers behind them."""

    def __init__(self, nodes, backend):
        super().__init__(nodes)
        self.backend = backend


@pytest.fixture(scope="session")
def nodes(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(contextlib.closing(Backend()))
        redis = stack.enter_context(contextlib.closing(Redis(tmp_path_factory.mktemp("redis"))))
        settings = {
            "SOPHIE__AI__BACKEND": "openai",
            "OPENAI_BASE_URL": backend.url,
            "OPENAI_API_KEY": "sk-of-the-backend",
            "SOPHIE__AI__RETRIES": "0",
            "SOPHIE__DS__POLL_SECONDS": "1",
        }
        brokers = [Broker(tmp_path_factory.mktemp(name), redis, settings) for name in ("one", "two")]
        for broker in brokers:
            broker.start()
            stack.callback(broker.close)
        yield Nodes(brokers, backend)
