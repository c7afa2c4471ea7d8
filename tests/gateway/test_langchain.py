"""LangChain's ChatOpenAI, as its users set it up."""

import asyncio
import secrets

import pytest
from ai_backend import answer, chunk, stream, whole
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"Sunny in {city}"


@pytest.fixture
def model(gateway):
    """Its temperature fixes the answers: only such ones are kept."""
    return ChatOpenAI(base_url=gateway.base_url, api_key=gateway.key, model=gateway.model, max_retries=0, temperature=0)


def question():
    return f"What about {secrets.token_hex(8)}?"


def test_it_is_asked_and_answers(gateway, model):
    gateway.push(answer("Well."))
    reply = model.invoke(question())
    assert (reply.content, reply.usage_metadata["total_tokens"]) == ("Well.", 12)
    assert reply.response_metadata["finish_reason"] == "stop"


def test_a_retry_gets_another_answer(gateway, model):
    gateway.push(answer("Not a number."), answer("7"))
    drawn = ChatOpenAI(base_url=gateway.base_url, api_key=gateway.key, model=gateway.model, max_retries=0, temperature=0.7)
    chain = (drawn | (lambda reply: int(reply.content))).with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    assert chain.invoke(question()) == 7
    assert len(gateway.calls) == 2


def test_it_streams(gateway, model):
    gateway.push(answer("One two three."))
    asked = question()
    for _ in range(2):
        chunks = list(model.stream(asked))
        assert "".join(chunk.content for chunk in chunks) == "One two three."
        assert len([chunk for chunk in chunks if chunk.content]) == 3
    assert model.invoke(asked).content == "One two three."
    assert len(gateway.calls) == 1

    async def streamed():
        return "".join([chunk.content async for chunk in model.astream(asked)])

    assert asyncio.run(streamed()) == "One two three."


@pytest.mark.parametrize("streams", [False, True])
def test_it_calls_tools(gateway, model, streams):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    pieces = [chunk({"role": "assistant", "content": None, "tool_calls": [call | {"index": 0}]}), chunk({}, "tool_calls")]
    gateway.push(stream(*pieces) if streams else whole({"tool_calls": [call]}, "tool_calls"))
    able, asked = model.bind_tools([weather]), HumanMessage(question())
    if streams:
        reply = None
        for piece in able.stream([asked]):
            reply = piece if reply is None else reply + piece
    else:
        reply = able.invoke([asked])
    assert [(it["name"], it["args"]) for it in reply.tool_calls] == [("weather", {"city": "Rome"})]
    gateway.push(answer("It is sunny."))
    result = ToolMessage(weather.invoke({"city": "Rome"}), tool_call_id="call_1")
    last = able.invoke([asked, AIMessage(content="", tool_calls=reply.tool_calls), result])
    assert last.content == "It is sunny."
    assert gateway.calls[-1]["messages"][-1]["content"] == "Sunny in Rome"


def test_it_structures_its_output(gateway, model):
    class City(BaseModel):
        """A city."""

        name: str

    gateway.push(whole({"content": '{"name": "Rome"}'}))
    assert model.with_structured_output(City).invoke(question()) == City(name="Rome")
