"""The official Python SDK, with nothing but `base_url` changed."""

import asyncio
import json
import secrets

import httpx
import openai
import pytest
from ai_backend import Backend, answer, chunk, refusal, respond, stream, whole
from broker import running
from pydantic import BaseModel

TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "…", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 30_000}}


def client(gateway, **options):
    return openai.OpenAI(base_url=gateway.base_url, **({"api_key": gateway.key} | options))


def messages(text=None):
    return [{"role": "user", "content": text or secrets.token_hex(8)}]


def ask(gateway, text=None, client_options={}, **options):
    """With a temperature of 0, which fixes the answer: only such ones are kept."""
    fixed = {"model": gateway.model, "messages": messages(text), "temperature": 0}
    return client(gateway, **client_options).chat.completions.create(**(fixed | options))


def test_a_whole_answer(gateway):
    gateway.push(whole({"content": "Hi.", "reasoning_content": "hm", "x_new": [1]}, service_tier="default", x_top={"a": None}))
    reply = ask(gateway)
    assert (reply.object, reply.choices[0].message.content, reply.choices[0].finish_reason) == ("chat.completion", "Hi.", "stop")
    assert reply.usage.total_tokens == 12
    assert (reply.service_tier, reply.x_top, reply.choices[0].message.reasoning_content) == ("default", {"a": None}, "hm")
    assert gateway.calls[0]["model"] == "test-model"


def test_a_stream_word_by_word_and_from_the_cache(gateway):
    gateway.push(answer("Word by word."))
    text = secrets.token_hex(8)
    for _ in range(2):
        chunks = list(ask(gateway, text, stream=True, stream_options={"include_usage": True}))
        assert "".join(it.choices[0].delta.content or "" for it in chunks if it.choices) == "Word by word."
        assert chunks[-1].usage.total_tokens == 12
        assert chunks[0].choices[0].delta.role == "assistant"
    plain = list(ask(gateway, text, stream=True))
    assert all(it.choices and it.usage is None for it in plain)
    assert ask(gateway, text).choices[0].message.content == "Word by word."
    assert len(gateway.calls) == 1


def test_headers_tell_of_cache_and_limits(gateway):
    gateway.push(answer("Kept."))
    create = client(gateway).chat.completions.with_raw_response.create
    question = {"model": gateway.model, "messages": messages(), "temperature": 0}
    first, fresh = create(**question), create(**question, extra_headers={"Cache-Control": "no-cache, no-store"})
    assert (first.headers["x-sophie-cache"], fresh.headers["x-sophie-cache"]) == ("miss", "bypass")
    assert int(first.headers["x-ratelimit-remaining-requests"]) < int(first.headers["x-ratelimit-limit-requests"])
    assert int(first.headers["x-ratelimit-remaining-tokens"]) > 0
    assert first.headers["x-request-id"] == first.request_id
    assert first.parse().choices[0].message.content == "Kept."


def test_what_is_drawn_by_lot_is_asked_for_each_time(gateway):
    create = client(gateway).chat.completions.with_raw_response.create
    question = {"model": gateway.model, "messages": messages(), "temperature": 0.7}
    assert [create(**question).headers["x-sophie-cache"] for _ in range(3)] == ["bypass"] * 3
    assert len(gateway.calls) == 3


def test_a_schema_reaches_the_backend_in_its_order(gateway):
    properties = {"reasoning": {"type": "string"}, "answer": {"type": "string"}, "Z": {}, "a": {"const": 2**70}}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    tool = TOOL | {"function": TOOL["function"] | {"parameters": schema}}
    ask(gateway, tools=[tool], response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}})
    sent = gateway.calls[0]
    for there in (sent["tools"][0]["function"]["parameters"], sent["response_format"]["json_schema"]["schema"]):
        assert json.dumps(there) == json.dumps(schema)


def test_a_model_that_thinks_for_long_is_waited_for(gateway):
    gateway.push(stream(chunk({"content": "At last."}, "stop"), pause=10.5))
    # Nobody hears anything of the model for longer than this client waits. Of the gateway it does after 5 s, or later on a busy machine.
    patient = {"timeout": httpx.Timeout(40, read=9), "max_retries": 0}
    chunks = list(ask(gateway, stream=True, client_options=patient))
    assert "".join(it.choices[0].delta.content or "" for it in chunks) == "At last."


@pytest.mark.parametrize("streams", [False, True])
def test_a_failing_backend_is_not_asked_by_both_anew(streams, tmp_path):
    backend = Backend()
    settings = {"SOPHIE__AI__BACKEND": "openai", "OPENAI_BASE_URL": backend.url, "SOPHIE__AI__RETRIES": "2"}
    with running("memory", tmp_path, **settings) as broker:
        backend.push(*[refusal(503, "server_error", None) for _ in range(9)])
        with pytest.raises(openai.InternalServerError) as caught:
            options = {"model": "m", "messages": messages(), "stream": streams}
            openai.OpenAI(base_url=f"{broker.url}/v1", api_key="none").chat.completions.create(**options)
        assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(backend.calls) == 3
    backend.close()


@pytest.mark.parametrize("streams", [False, True])
def test_tool_calls(gateway, streams):
    calls = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}]
    pieces = [
        chunk({"role": "assistant", "content": None, "tool_calls": [calls[0] | {"index": 0, "function": {"name": "weather", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]}),
        chunk({}, "tool_calls"),
    ]
    gateway.push(stream(*pieces) if streams else whole({"tool_calls": calls}, "tool_calls"))
    text = secrets.token_hex(8)
    options = {"tools": [TOOL], "tool_choice": "auto"}
    if streams:
        with client(gateway).chat.completions.stream(model=gateway.model, messages=messages(text), temperature=0, **options) as events:
            final = events.get_final_completion()
        assert final.choices[0].message.tool_calls[0].function.arguments == '{"city": "Rome"}'
    # Whole, fresh or from what was streamed.
    reply = ask(gateway, text, **options)
    assert reply.choices[0].finish_reason == "tool_calls"
    call = reply.choices[0].message.tool_calls[0]
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city": "Rome"}')
    assert gateway.calls[0]["tools"] == [TOOL]
    # The result goes back to the model.
    result = [*messages(text), reply.choices[0].message, {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"}]
    gateway.push(answer("It is sunny."))
    assert ask(gateway, messages=result).choices[0].message.content == "It is sunny."
    assert gateway.calls[-1]["messages"][1]["tool_calls"] == calls


def test_structured_output(gateway):
    class City(BaseModel):
        name: str
        people: int

    gateway.push(whole({"content": '{"name": "Rome", "people": 3}'}))
    reply = client(gateway).chat.completions.parse(model=gateway.model, messages=messages(), response_format=City)
    assert reply.choices[0].message.parsed == City(name="Rome", people=3)
    assert gateway.calls[0]["response_format"]["json_schema"]["name"] == "City"


def test_several_choices_log_probabilities_and_images(gateway):
    logprobs = {"content": [{"token": "A", "bytes": [65], "logprob": -0.1, "top_logprobs": []}], "refusal": None}
    gateway.push(stream(chunk({"role": "assistant", "content": "A"}), chunk({"content": "B"}, index=1), chunk({}, "stop"), chunk({}, "stop", 1)))
    content = [{"type": "text", "text": secrets.token_hex(8)}, IMAGE]
    chunks = list(ask(gateway, content, n=2, stream=True, extra_body={"x_unknown": {"deep": [1]}}))
    assert {it.choices[0].index for it in chunks} == {0, 1}
    assert gateway.calls[0]["messages"][0]["content"] == content
    assert (gateway.calls[0]["n"], gateway.calls[0]["x_unknown"]) == (2, {"deep": [1]})
    whole_one = ask(gateway, content, n=2, extra_body={"x_unknown": {"deep": [1]}})
    assert [choice.message.content for choice in whole_one.choices] == ["A", "B"]
    choice = {"index": 0, "message": {"role": "assistant", "content": "A"}, "logprobs": logprobs, "finish_reason": "stop"}
    gateway.push(respond(200, {"id": "c", "object": "chat.completion", "created": 7, "model": "m", "choices": [choice]}))
    assert ask(gateway, logprobs=True).choices[0].logprobs.content[0].logprob == -0.1


def test_the_models(gateway):
    assert "test-model" in [model.id for model in client(gateway).models.list()]
    assert client(gateway).models.retrieve("test-model").object == "model"
    with pytest.raises(openai.NotFoundError):
        client(gateway).models.retrieve("other/model")


def test_each_failure_is_its_own_exception(gateway):
    once = {"client_options": {"max_retries": 0}}
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(gateway, client_options={"api_key": "wrong"})
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "invalid_request_error")
    with pytest.raises(openai.NotFoundError) as caught:
        ask(gateway, model="another-model")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError):
        ask(gateway, extra_body={"stream": "yes"})
    with pytest.raises(openai.BadRequestError):
        ask(gateway, extra_headers={"x-sophie-cache-ttl": "soon"})
    gateway.push(refusal(400, "invalid_request_error", "context_length_exceeded"))
    with pytest.raises(openai.BadRequestError):
        ask(gateway, **once)
    gateway.push(refusal(500, "server_error", None))
    with pytest.raises(openai.InternalServerError):
        ask(gateway, stream=True, **once)
    with pytest.raises(openai.NotFoundError):
        client(gateway).embeddings.create(model="m", input="x")


def test_a_failure_in_the_middle_of_a_stream_is_an_exception_there(gateway):
    gateway.push(stream(chunk({"content": "half "}), {"error": {"message": "overloaded", "type": "server_error"}}, done=False))
    read = []
    with pytest.raises(openai.APIError):
        for it in ask(gateway, stream=True):
            read.append(it.choices[0].delta.content)
    assert read == ["half "]


def test_what_may_pass_is_tried_again_and_what_does_not_is_not(gateway):
    gateway.push(refusal(503, "server_error", None, **{"retry_after": "1"}), answer("At the second try."))
    assert ask(gateway).choices[0].message.content == "At the second try."
    assert len(gateway.calls) == 2
    gateway.push(refusal(401, "invalid_request_error", "invalid_api_key"))
    with pytest.raises(openai.InternalServerError):
        ask(gateway)
    assert len(gateway.calls) == 3, "the account of the service is wrong: no repetition mends that"


def test_a_key_over_its_limit_is_told_when_to_come_back(gateway):
    small = client(gateway, api_key="sk-small", max_retries=0)
    with pytest.raises(openai.RateLimitError) as caught:
        # More than it may: a node whose Redis is late counts by itself for a while.
        for _ in range(9):
            small.chat.completions.create(model=gateway.model, messages=messages())
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 120


def test_a_hard_quota_is_not_tried_again(gateway):
    spent = client(gateway, api_key="sk-spent")
    gateway.push(whole({"content": "Dear."}, usage={"prompt_tokens": 100, "completion_tokens": 5000, "total_tokens": 5100}))
    with pytest.raises(openai.RateLimitError) as caught:
        for _ in range(50):
            spent.chat.completions.create(model=gateway.model, messages=messages())
    assert (caught.value.type, caught.value.response.headers["x-should-retry"]) == ("tokens", "false")
    assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"


def test_many_at_once_by_the_asynchronous_client(gateway):
    gateway.push(answer("The same for all."))

    async def all_at_once():
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=gateway.key) as many:
            question = {"model": gateway.model, "messages": messages(), "temperature": 0}

            async def streamed():
                return "".join([it.choices[0].delta.content or "" async for it in await many.chat.completions.create(**question, stream=True)])

            async def at_once():
                return (await many.chat.completions.create(**question)).choices[0].message.content

            return await asyncio.gather(*(streamed() if n % 2 else at_once() for n in range(20)))

    assert asyncio.run(all_at_once()) == ["The same for all."] * 20
    assert len(gateway.calls) == 1
