"""Two nodes that the tests share."""

import pytest
from pair import two_nodes


@pytest.fixture(scope="session")
def nodes(tmp_path_factory):
    """Shared: names are to be random, and the nodes to be left as they were found."""
    with two_nodes(tmp_path_factory) as nodes:
        yield nodes
