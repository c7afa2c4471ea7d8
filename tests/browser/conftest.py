"""A broker in both modes, shared by the tests; who kills or slows one gets one of its own."""

import pytest
from ai_backend import Backend
from broker import running
from wire import Wire


@pytest.fixture(scope="session", params=["memory", "redis"])
def broker(request, tmp_path_factory):
    """Shared: sessions and groups are to be named at random, and it is to be left as it was found."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as broker:
        yield broker


@pytest.fixture(params=["memory", "redis"])
def own_broker(request, tmp_path):
    """For one test alone, to be ended and begun again. A mark `settings(NAME=VALUE)` sets something."""
    mark = request.node.get_closest_marker("settings")
    with running(request.param, tmp_path, **(mark.kwargs if mark else {})) as broker:
        yield broker


@pytest.fixture
def wire(own_broker):
    """The line between the browser and `own_broker`, which can be cut and mended. Open the page by its address."""
    with Wire(own_broker.port) as wire:
        yield wire


@pytest.fixture(scope="module")
def backend():
    """A model that says what it is told, for a broker of a module's own."""
    backend = Backend()
    yield backend
    backend.close()


def pytest_configure(config):
    config.addinivalue_line("markers", "settings(NAME=VALUE): settings of `own_broker`, as environment variables")
