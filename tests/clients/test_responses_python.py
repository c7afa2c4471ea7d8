"""OpenAI's SDK for Python and what is built on it, by the Responses API, over two nodes."""

import asyncio
import secrets

import agents
import openai
import pytest
from ai_backend import answer, chunk, refusal, stream
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

TEXT = "Eine märchenhaft schöne Antwort \U0001f600, Wort für Wort."
WORDS = [chunk({"content": TEXT[at : at + 6]}) for at in range(0, len(TEXT), 6)]
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
ASKED = stream(chunk({"role": "assistant", "content": None, "tool_calls": [CALL | {"index": 0}]}), chunk({}, "tool_calls"))


class City(BaseModel):
    name: str
    people: int


@pytest.fixture
def clients(nodes):
    nodes.backend.calls.clear()
    return [openai.OpenAI(base_url=f"{node.url}/v1", api_key="none", max_retries=0) for node in nodes]


def question():
    return f"What about {secrets.token_hex(8)}?"


def text(events):
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def test_a_response_whole_and_streamed(nodes, clients):
    nodes.backend.push(answer("Well."))
    reply = clients[0].responses.create(model="m", input=question(), instructions="Be brief.")
    assert (reply.status, reply.output_text, reply.usage.total_tokens) == ("completed", "Well.", 12)
    assert clients[1].responses.retrieve(reply.id) == reply
    nodes.backend.push(stream(*WORDS, chunk({}, "stop")))
    with clients[0].responses.stream(model="m", input=question()) as events:
        told = list(events)
        final = events.get_final_response()
    assert (final.output_text, text(told)) == (TEXT, TEXT)
    assert [event.sequence_number for event in told] == list(range(len(told)))


def test_a_response_in_the_form_of_a_class(nodes, clients):
    nodes.backend.push(answer('{"name": "Rome", "people": 2800000}'))
    reply = clients[0].responses.parse(model="m", input=question(), text_format=City)
    assert reply.output_parsed == City(name="Rome", people=2800000)
    sent = nodes.backend.calls[0]["response_format"]
    assert (sent["type"], sent["json_schema"]["name"], sent["json_schema"]["strict"]) == ("json_schema", "City", True)


def test_a_stream_that_is_cut_at_any_event_goes_on_at_the_other_node(nodes, clients):
    for cut in range(1, len(WORDS) + 9):
        nodes.backend.push(stream(*WORDS, chunk({}, "stop"), pause=0.01))
        told = []
        begun = clients[0].responses.create(model="m", input=question(), background=True, stream=True)
        for event in begun:
            told.append(event)
            if len(told) == cut:
                begun.close()
                break
        told.extend(clients[1].responses.retrieve(told[0].response.id, stream=True, starting_after=told[-1].sequence_number))
        assert [event.sequence_number for event in told] == list(range(len(told))), cut
        assert text(told) == TEXT
        assert told[-1].type == "response.completed" and told[-1].response.output_text == TEXT
    assert len(nodes.backend.calls) == len(WORDS) + 8


def test_a_response_is_polled_stopped_and_deleted_at_the_other_node(nodes, clients):
    nodes.backend.push(stream(*[chunk({"content": "more "})] * 400, pause=0.05))
    running = clients[0].responses.create(model="m", input="Go on.", background=True)
    assert running.status in ("queued", "in_progress")
    stopped = clients[1].responses.cancel(running.id)
    assert stopped.status == "cancelled"
    assert clients[0].responses.cancel(running.id) == stopped == clients[0].responses.retrieve(running.id)
    items = list(clients[1].responses.input_items.list(running.id))
    assert [item.content[0].text for item in items] == ["Go on."]
    clients[1].responses.delete(running.id)
    for client in clients:
        with pytest.raises(openai.NotFoundError) as caught:
            client.responses.retrieve(running.id)
        assert caught.value.body["message"] == f"Response with id '{running.id}' not found."


def test_a_conversation_goes_on_by_its_last_response(nodes, clients):
    previous, said = None, []
    for turn in range(3):
        nodes.backend.push(answer(f"Answer {turn}."))
        reply = clients[turn % 2].responses.create(model="m", input=f"Question {turn}?", previous_response_id=previous)
        said.append({"role": "user", "content": f"Question {turn}?"})
        assert nodes.backend.calls[turn]["messages"] == said
        said.append({"role": "assistant", "content": f"Answer {turn}."})
        previous = reply.id
    with pytest.raises(openai.BadRequestError) as caught:
        clients[0].responses.create(model="m", input="?", previous_response_id="resp_gone")
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_refusal_is_the_backends(nodes, clients):
    nodes.backend.push(refusal(400, "invalid_request_error", "context_length_exceeded"))
    with pytest.raises(openai.BadRequestError) as caught:
        clients[0].responses.create(model="m", input=question(), stream=True)
    assert caught.value.code == "context_length_exceeded"


@agents.function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"Sunny in {city}"


@pytest.mark.parametrize("streams", [False, True])
def test_openai_agents_as_they_come(nodes, clients, streams):
    """With nothing but the client: it asks for responses by default."""
    agents.set_tracing_disabled(True)
    nodes.backend.push(ASKED, answer("Go to Rome."))

    async def run():
        client = openai.AsyncOpenAI(base_url=f"{nodes[0].url}/v1", api_key="none")
        agents.set_default_openai_client(client, use_for_tracing=False)
        agent = agents.Agent(name="guide", instructions="Be brief.", tools=[weather], model="m")
        if not streams:
            return await agents.Runner.run(agent, question())
        result = agents.Runner.run_streamed(agent, question())
        async for _ in result.stream_events():
            pass
        return result

    result = asyncio.run(run())
    assert result.final_output == "Go to Rome."
    sent = nodes.backend.calls[1]["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool"]
    assert (sent[2]["tool_calls"][0]["id"], sent[3]["content"]) == ("call_1", "Sunny in Rome")


@pytest.fixture
def model(nodes, clients):
    return ChatOpenAI(base_url=f"{nodes[0].url}/v1", api_key="none", model="m", max_retries=0, use_responses_api=True)


def test_langchain_asks_and_streams(nodes, model):
    nodes.backend.push(answer("Well."), stream(*WORDS, chunk({}, "stop")))
    reply = model.invoke(question())
    assert (reply.text, reply.usage_metadata["total_tokens"]) == ("Well.", 12)
    assert "".join(part.text for part in model.stream(question())) == TEXT


def test_langchain_calls_tools_and_goes_on(nodes, model):
    @tool
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"Sunny in {city}"

    nodes.backend.push(ASKED, answer("Go to Rome."))
    bound = model.bind_tools([weather])
    asked = HumanMessage(question())
    call = bound.invoke([asked])
    assert isinstance(call, AIMessage) and call.tool_calls[0]["args"] == {"city": "Rome"}
    result = ToolMessage(weather.invoke(call.tool_calls[0]["args"]), tool_call_id=call.tool_calls[0]["id"])
    assert bound.invoke([asked, call, result]).text == "Go to Rome."
    assert [message["role"] for message in nodes.backend.calls[1]["messages"]] == ["user", "assistant", "tool"]


def test_langchain_gives_a_class(nodes, model):
    nodes.backend.push(answer('{"name": "Rome", "people": 2800000}'))
    assert model.with_structured_output(City).invoke(question()) == City(name="Rome", people=2800000)
