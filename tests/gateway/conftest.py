"""The real program in front of a scripted AI server, as users of OpenAI's clients would set them up."""

import json

import pytest
from ai_backend import Backend
from broker import running

KEYS = [
    {"name": "shop", "key": "sk-shop", "models": ["test-*"], "requests_per_minute": 100000, "tokens_per_hour": 100000000},
    {"name": "small", "key": "sk-small", "requests_per_minute": 2},
    {"name": "spent", "key": "sk-spent", "requests_per_minute": 1000, "tokens_per_hour": 600},
]


class Gateway:
    """Where clients go, with what key, and what the AI server is to say and was asked."""

    key = "sk-shop"
    model = "test-model"

    def __init__(self, broker, backend):
        self.base_url = f"{broker.url}/v1"
        self.push = backend.push
        self.calls = backend.calls
        self.paths = backend.paths


@pytest.fixture(scope="module", params=["memory", "redis"])
def service(request, tmp_path_factory):
    backend = Backend()
    settings = {
        "SOPHIE__AI__BACKEND": "openai",
        "OPENAI_BASE_URL": backend.url,
        "OPENAI_API_KEY": "sk-of-the-backend",
        "SOPHIE__AI__MODEL": "test-model",
        "SOPHIE__AI__RETRIES": "0",
        "SOPHIE__LIMITS__ENABLED": "true",
        "SOPHIE__CACHE__ENABLED": "true",
        "SOPHIE__AUTH__KEY": json.dumps(KEYS),
    }
    with running(request.param, tmp_path_factory.mktemp(request.param), **settings) as broker:
        yield broker, backend
    backend.close()


@pytest.fixture
def gateway(service):
    """Shared by the tests of a module: each asks questions of its own."""
    broker, backend = service
    backend.calls.clear()
    backend.paths.clear()
    return Gateway(broker, backend)
