"""Two nodes on one Redis, in front of a scripted AI server."""

import pytest
from pair import answering


@pytest.fixture(scope="session")
def nodes(tmp_path_factory):
    with answering(tmp_path_factory, SOPHIE__DS__POLL_SECONDS="1") as nodes:
        yield nodes
