"""What searches documents asks for: embeddings and text completions, by the official Python SDK and LangChain, as their users set them up."""

import secrets

import openai
import pytest
from ai_backend import answer, embeddings
from broker import running
from langchain_openai import OpenAI, OpenAIEmbeddings


def client(gateway):
    return openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0)


def test_embeddings_come_as_numbers_once_from_the_backend_and_then_from_the_cache(gateway):
    gateway.push(embeddings([0.5, -2.0], [1.0, 0.25]))
    texts = [secrets.token_hex(8), "other"]
    for user in ["one", "two"]:
        reply = client(gateway).embeddings.create(model="test-embedding", input=texts, user=user)
        assert [each.embedding for each in reply.data] == [[0.5, -2.0], [1.0, 0.25]]
        assert (reply.object, reply.usage.prompt_tokens) == ("list", 7)
    assert gateway.paths == ["/v1/embeddings"]
    assert gateway.calls[0] == {"input": texts, "model": "test-embedding", "user": "one", "encoding_format": "base64"}


@pytest.mark.parametrize("asked", ["one text", [5, 6, 7], [[5, 6], [7]]])
def test_texts_and_tokens_are_passed_on_as_they_are(gateway, asked):
    gateway.push(embeddings([0.0, 1.0]))
    reply = client(gateway).embeddings.create(model="test-embedding", input=asked, encoding_format="float", dimensions=2)
    assert reply.data[0].embedding == [0.0, 1.0]
    assert gateway.calls == [{"input": asked, "model": "test-embedding", "encoding_format": "float", "dimensions": 2}]


def test_what_is_wrong_with_a_request_for_embeddings_is_named(gateway):
    with pytest.raises(openai.BadRequestError) as refused:
        client(gateway).embeddings.create(model="test-embedding", input=[{"text": "no"}])
    assert (refused.value.param, refused.value.type) == ("input", "invalid_request_error")
    with pytest.raises(openai.NotFoundError):
        client(gateway).embeddings.create(model="another-model", input="text")
    assert gateway.calls == []


def test_a_prompt_is_completed_streamed_and_whole(gateway):
    gateway.push(answer("Word by word."))
    asked = {"model": gateway.model, "prompt": secrets.token_hex(8), "temperature": 0, "max_tokens": 50}
    chunks = list(client(gateway).completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(each.choices[0].text for each in chunks if each.choices) == "Word by word."
    assert (chunks[-1].usage.total_tokens, chunks[0].object) == (12, "text_completion")
    whole = client(gateway).completions.create(**asked, echo=True)
    assert whole.choices[0].text == f"{asked['prompt']}Word by word."
    assert whole.id.startswith("cmpl-") and whole.usage.total_tokens == 12
    chat = client(gateway).chat.completions.create(
        model=gateway.model, messages=[{"role": "user", "content": asked["prompt"]}], temperature=0, max_tokens=50
    )
    assert chat.choices[0].message.content == "Word by word."
    assert gateway.paths == ["/v1/chat/completions"]


def test_langchain_embeds_and_completes(gateway):
    # Counting tokens by itself would have LangChain download a table first.
    vectors = OpenAIEmbeddings(base_url=gateway.base_url, api_key=gateway.key, model="test-embedding", check_embedding_ctx_length=False)
    gateway.push(embeddings([1.0, 0.0], [0.0, 1.0]), embeddings([0.1, 0.9]))
    texts = [f"cats {secrets.token_hex(8)}", "dogs"]
    assert vectors.embed_documents(texts) == [[1.0, 0.0], [0.0, 1.0]]
    assert vectors.embed_query(secrets.token_hex(8)) == pytest.approx([0.1, 0.9])
    old = OpenAI(base_url=gateway.base_url, api_key=gateway.key, model=gateway.model, temperature=0, max_retries=0)
    gateway.push(answer("Well done."))
    prompt = secrets.token_hex(8)
    assert "".join(old.stream(prompt)) == "Well done."
    assert old.invoke(prompt) == "Well done."
    assert len(gateway.calls) == 3


def test_documents_can_be_searched_with_the_demo(tmp_path):
    with running("memory", tmp_path) as broker:
        vectors = OpenAIEmbeddings(base_url=f"{broker.url}/v1", api_key="any", check_embedding_ctx_length=False)
        texts = ["Cats sleep all day.", "The sky is blue at noon.", "Bread needs flour."]
        kept, asked = vectors.embed_documents(texts), vectors.embed_query("Why is the sky blue?")
        likeness = [sum(a * b for a, b in zip(asked, each)) for each in kept]
        assert texts[likeness.index(max(likeness))] == "The sky is blue at noon."
        client = openai.OpenAI(base_url=f"{broker.url}/v1", api_key="any")
        assert "demo" in client.completions.create(model="any", prompt="Hi").choices[0].text
