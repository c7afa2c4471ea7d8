"""A site's layer in every way that matters, each with two nodes of its own, shared by the tests of that way."""

import pytest
from cluster import Kind, running

TELL = "chat.message,chat.answer.start,chat.answer.delta,chat.answer.end,chat.answer.error,chat.feedback,chat.person"
KINDS = [
    Kind("core"),
    Kind("core", hosts=2, keys=("new", "old"), site_keys=("old", "new")),
    Kind("core", keys=("one",), site_keys=("one",), serializer="json"),
    Kind("pubsub"),
    Kind("pubsub", hosts=2, keys=("new", "old"), site_keys=("new",)),
    Kind("pubsub", serializer="json"),
]


@pytest.fixture(scope="session", params=KINDS, ids=str)
def cluster(request, tmp_path_factory):
    kind = request.param
    worker = {"SOPHIE__CHANNEL__NOTIFY_WORKER": "transcript"} if kind.layer == "core" else {}
    settings = {"SOPHIE__CHANNEL__NOTIFY_DJANGO": TELL, "SOPHIE__SESSION__PERSON": "true"} | worker
    with running(kind, tmp_path_factory.mktemp(str(kind)), **settings) as cluster:
        yield cluster


@pytest.fixture(params=["core", "pubsub"])
def own_cluster(request, tmp_path):
    """For one test alone, with a small capacity."""
    with running(Kind(request.param, keys=("k",), site_keys=("k",)), tmp_path, CHANNEL_CAPACITY="100") as cluster:
        yield cluster
