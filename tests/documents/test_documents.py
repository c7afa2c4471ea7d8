"""The documents that the program serves, read by the validators of OpenAPI and AsyncAPI."""

import json
import pathlib
import subprocess
import urllib.request

import pytest
from broker import running
from openapi_spec_validator import OpenAPIV31SpecValidator

HERE = pathlib.Path(__file__).parent
# Of the parser's severities: what is wrong, and what may be.
ERROR, WARNING = 0, 1


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    with running("memory", tmp_path_factory.mktemp("documents")) as broker:
        read = {}
        for name in ("openapi", "asyncapi"):
            with urllib.request.urlopen(f"{broker.url}/{name}.json", timeout=10) as answer:
                assert answer.headers["content-type"] == "application/json"
                read[name] = json.load(answer)
        yield read


def parsed(asyncapi):
    assert (HERE / "node_modules/@asyncapi/parser").exists(), "make setup installs it"
    done = subprocess.run(["node", "validate.mjs"], cwd=HERE, input=json.dumps(asyncapi), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_openapi_is_what_it_says(documents):
    openapi = documents["openapi"]
    assert openapi["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(openapi).iter_errors()] == []


def test_a_fault_in_openapi_is_found(documents):
    broken = json.loads(json.dumps(documents["openapi"]))
    del broken["paths"]["/v1/models"]["get"]["responses"]
    broken["paths"]["/v1/models/{model}"]["get"]["parameters"] = []
    assert len(list(OpenAPIV31SpecValidator(broken).iter_errors())) >= 1


def test_asyncapi_is_what_it_says(documents):
    asyncapi = documents["asyncapi"]
    assert asyncapi["asyncapi"].startswith("3.")
    result = parsed(asyncapi)
    assert [found for found in result["diagnostics"] if found["severity"] in (ERROR, WARNING)] == []
    channels = result["channels"]
    assert set(channels) == {"/ws/chat/{session}", "/api/chat", "/v1/responses"}
    assert {"message.send", "session.ready", "answer.delta"} <= set(channels["/ws/chat/{session}"])
    assert {"send", "chunk"} <= set(channels["/api/chat"])
    assert {"response.create", "response.completed"} <= set(channels["/v1/responses"])


def test_a_fault_in_asyncapi_is_found(documents):
    broken = json.loads(json.dumps(documents["asyncapi"]))
    broken["components"]["schemas"]["Typing"]["type"] = "objekt"
    broken["operations"]["sophie.send"]["action"] = "shout"
    assert [found["code"] for found in parsed(broken)["diagnostics"] if found["severity"] == ERROR]
