"""Two nodes that the tests share."""

import pytest
from broker import Broker
from pair import two_nodes

# Proxies and Prometheus are to reach the nodes themselves.
Broker.tapped = False


@pytest.fixture(scope="session")
def nodes(tmp_path_factory):
    """Shared: names are to be random, and the nodes to be left as they were found."""
    with two_nodes(tmp_path_factory) as nodes:
        yield nodes
