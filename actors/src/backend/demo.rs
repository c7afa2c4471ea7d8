//! The built-in backend: no key, no network. It shows on a first run what streaming looks like, and says what it is.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{Backend, BackendError, ChunkStream, StreamItem, demo_embeddings};
use crate::openai::{BackendRequest, Body, ChunkWriter, Endpoint, each_element, each_field, models};
use crate::protocol::Usage;

/// The pause between two words: about the pace of a small hosted model, quick enough to read along.
pub const WORD_PAUSE: Duration = Duration::from_millis(28);

/// The name that its chunks bear in place of a model's.
pub const DEMO_MODEL: &str = "sophie-demo";

/// How much of a question is quoted back, in characters.
const QUOTED_CHARS: usize = 400;

/// What is under way of one answer: its items still to come, each with the pause before it.
type Script = VecDeque<(Duration, StreamItem)>;

/// Answers every question with the same kind of text, word by word. The same conversation gets the same text.
#[derive(Debug, Clone)]
pub struct Demo {
    pause: Duration,
}

impl Demo {
    /// A demo backend that pauses so long before each word ([`WORD_PAUSE`]; zero in tests).
    pub fn new(pause: Duration) -> Self {
        Self { pause }
    }

    fn script(&self, body: &Body) -> Script {
        let conversation = Conversation::of(body);
        let answer = conversation.answer();
        let writer = ChunkWriter::new(DEMO_MODEL);
        let usage = conversation.usage(&answer);
        let words = answer.split_inclusive([' ', '\n']).map(|word| (self.pause, writer.text(word)));
        let opening = [(Duration::ZERO, writer.role())];
        let closing = [(Duration::ZERO, writer.finish("stop")), (Duration::ZERO, writer.usage(usage))];
        let chunks = opening.into_iter().chain(words).chain(closing);
        let items = chunks.map(|(pause, chunk)| (pause, StreamItem::Chunk(chunk)));
        items.chain([(Duration::ZERO, StreamItem::Done)]).collect()
    }
}

impl Default for Demo {
    fn default() -> Self {
        Self::new(WORD_PAUSE)
    }
}

#[async_trait]
impl Backend for Demo {
    async fn stream(&self, request: &BackendRequest) -> Result<ChunkStream, BackendError> {
        if request.endpoint == Endpoint::Embeddings {
            let items = [Ok(StreamItem::Chunk(demo_embeddings::answer(&request.body)?)), Ok(StreamItem::Done)];
            return Ok(Box::pin(stream::iter(items)));
        }
        let items = stream::unfold(self.script(&request.body), |mut script| async move {
            let (pause, item) = script.pop_front()?;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Some((Ok(item), script))
        });
        Ok(Box::pin(items.fuse()))
    }

    async fn models(&self) -> Vec<Value> {
        vec![models::named(DEMO_MODEL)]
    }

    fn name(&self) -> &'static str {
        "demo"
    }
}

/// What a request says, as far as the demo understands it.
struct Conversation {
    question: String,
    /// Messages of people and of the assistant before the question.
    earlier: usize,
    prompt_chars: usize,
}

impl Conversation {
    fn of(body: &Body) -> Self {
        let (mut all, mut asked) = (Self { question: String::new(), earlier: 0, prompt_chars: 0 }, None);
        // Those after a question are earlier than the next one.
        let mut spoken = 0;
        each_element(body.get("messages").unwrap_or_default(), |message| {
            let (mut role, mut content) = (None::<String>, "null");
            each_field(message, |name, value| match name {
                "role" => role = serde_json::from_str(value).ok(),
                "content" => content = value,
                _ => {}
            });
            all.prompt_chars += text_of(content).chars().count();
            if role.as_deref() == Some("user") {
                (all.earlier, asked) = (spoken, Some(content));
            }
            if matches!(role.as_deref(), Some("user" | "assistant")) {
                spoken += 1;
            }
        });
        Self { question: asked.map(text_of).unwrap_or_default(), ..all }
    }

    fn answer(&self) -> String {
        let history = match self.earlier {
            0 => "It is the first message of this conversation.".to_owned(),
            1 => "With it came 1 earlier message of this conversation.".to_owned(),
            many => format!("With it came {many} earlier messages of this conversation."),
        };
        let quote = fenced(&self.question);
        format!(
            "### A demo answer\n\n\
             **This is Sophie's built-in demo backend, not a language model.** You asked:\n\n\
             {quote}\n\n\
             {history} What you see is real all the same:\n\n\
             - the answer is **streamed** word by word to everyone in the group\n\
             - ask the same in a new chat and it comes from the **cache**\n\
             - lose the connection and it **resumes** where it stopped\n\n\
             To talk to a real model, set a key, or the address of any OpenAI-compatible server, and start Sophie again:\n\n\
             ```sh\n\
             export OPENAI_API_KEY=...                          # of OpenAI\n\
             export OPENAI_BASE_URL=http://127.0.0.1:11434/v1   # or a server of your own: where it is,\n\
             export SOPHIE__AI__MODEL=llama3.2                  # and what the model is called there\n\
             ```\n"
        )
    }

    /// Four characters a token, the usual rule of thumb for English.
    fn usage(&self, answer: &str) -> Usage {
        let tokens = |chars: usize| u64::try_from(chars.div_ceil(4)).unwrap_or(u64::MAX);
        let (prompt_tokens, completion_tokens) = (tokens(self.prompt_chars), tokens(answer.chars().count()));
        Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens.saturating_add(completion_tokens) }
    }
}

/// A message's text, whether its content is a string or a list of parts.
fn text_of(content: &str) -> String {
    if content.starts_with('"') {
        return serde_json::from_str(content).unwrap_or_default();
    }
    let mut texts: Vec<String> = Vec::new();
    each_element(content, |part| {
        each_field(part, |name, value| {
            if name == "text" {
                texts.extend(serde_json::from_str::<String>(value));
            }
        });
    });
    texts.join("\n")
}

/// `text` in a fence that it cannot close: nothing in it is Markdown or HTML any more, and nothing had to be escaped.
fn fenced(text: &str) -> String {
    let mut quoted: String = text.trim().chars().take(QUOTED_CHARS).collect();
    if quoted.len() < text.trim().len() {
        quoted.push('…');
    }
    let longest = quoted.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{quoted}\n{fence}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openai::{Choices, Chunk};

    async fn ask(messages: Value) -> (String, Vec<Chunk>) {
        let Value::Object(body) = json!({ "model": "any", "messages": messages }) else { unreachable!() };
        let demo = Demo::new(Duration::ZERO);
        let items: Vec<_> =
            demo.stream(&BackendRequest::from(Body::from(body))).await.expect("never fails").collect().await;
        let mut items: Vec<_> = items.into_iter().map(|item| item.expect("never fails")).collect();
        assert_eq!(items.pop(), Some(StreamItem::Done));
        let chunks: Vec<_> = items
            .into_iter()
            .map(|item| match item {
                StreamItem::Chunk(chunk) => chunk,
                StreamItem::Done => panic!("done before the end"),
            })
            .collect();
        (chunks.iter().map(|chunk| chunk.text.as_str()).collect(), chunks)
    }

    #[tokio::test]
    async fn the_answer_says_what_it_is_and_how_to_get_a_real_one() {
        let (text, chunks) = ask(json!([{ "role": "user", "content": "Why is the sky blue?" }])).await;
        for part in
            ["built-in demo backend", "Why is the sky blue?", "OPENAI_API_KEY", "OPENAI_BASE_URL", "\n- ", "###"]
        {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(Choices::of(&chunks).is_finished());
        assert!(chunks.len() > 50, "word by word");
        let usage = chunks.iter().find_map(|chunk| chunk.usage).expect("usage");
        assert!(usage.prompt_tokens > 0 && usage.total_tokens == usage.prompt_tokens + usage.completion_tokens);
    }

    #[tokio::test]
    async fn the_same_question_gets_the_same_text() {
        let question = json!([{ "role": "user", "content": "Again?" }]);
        assert_eq!(ask(question.clone()).await.0, ask(question).await.0);
    }

    #[tokio::test]
    async fn the_chunks_of_one_answer_bear_one_id() {
        let (_, chunks) = ask(json!([{ "role": "user", "content": "Hi" }])).await;
        let id = |chunk: &Chunk| serde_json::from_str::<Value>(&chunk.raw).expect("JSON")["id"].clone();
        assert!(id(&chunks[0]).as_str().expect("a string").starts_with("chatcmpl-"));
        assert!(chunks.iter().all(|chunk| id(chunk) == id(&chunks[0])));
    }

    #[tokio::test]
    async fn earlier_messages_are_counted_without_the_system_prompt() {
        let history = json!([
            { "role": "system", "content": "Be kind." },
            { "role": "user", "content": "One" },
            { "role": "assistant", "content": "Two" },
            { "role": "user", "content": [{ "type": "text", "text": "Three" }] },
        ]);
        let (text, _) = ask(history).await;
        assert!(text.contains("2 earlier messages"), "{text}");
        assert!(text.contains("\nThree\n"), "{text}");
    }

    #[tokio::test]
    async fn a_question_cannot_break_out_of_its_quotation() {
        let (text, _) = ask(json!([{ "role": "user", "content": "````\n# <script>" }])).await;
        assert!(text.contains("`````text\n````\n# <script>\n`````\n"), "{text}");
    }

    #[tokio::test]
    async fn a_long_question_is_cut_and_odd_requests_are_answered_too() {
        let (text, _) = ask(json!([{ "role": "user", "content": "é".repeat(5_000) }])).await;
        assert!(text.contains(&format!("{}…", "é".repeat(QUOTED_CHARS))) && text.len() < 2_500);
        assert!(ask(json!(null)).await.0.contains("demo"));
        assert!(ask(json!([7, { "role": "user", "content": null }])).await.0.contains("demo"));
    }

    #[tokio::test(start_paused = true)]
    async fn words_come_one_at_a_time() {
        let Value::Object(body) = json!({ "messages": [] }) else { unreachable!() };
        let began = tokio::time::Instant::now();
        let words =
            Demo::default().stream(&BackendRequest::from(Body::from(body))).await.expect("never fails").count().await;
        let took = began.elapsed();
        assert!(
            took > WORD_PAUSE * 50
                && took <= (WORD_PAUSE + Duration::from_millis(1)) * u32::try_from(words).expect("few")
        );
    }
}
