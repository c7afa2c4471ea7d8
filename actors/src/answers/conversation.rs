//! What is sent to the model: system prompt, as much of the group's log as the token budget allows, the question. Pure.

use super::asked_with::{self, AskedWith};
use super::digest::Scope;
use crate::ids::{GroupName, UserId};
use crate::openai::request::message;
use crate::openai::{BackendRequest, ChatMessage, TOKENS_PER_MESSAGE, TOKENS_PER_PART, estimate_tokens};
use crate::options::{AnswerOptions, CacheScope};
use crate::protocol::{Image, Logged, Role};
use crate::store::StoredEvent;

/// How many of the images of earlier messages are shown again, the newest ones: each costs as much as a page of text.
const PAST_IMAGES: usize = 4;

/// A request, and whether it rests on earlier messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// For the backend.
    pub request: BackendRequest,
    /// Whether anything but the question is in it.
    pub has_history: bool,
    /// About how many tokens it is.
    pub prompt_tokens: u64,
}

/// Builds the request for `question` from the log before it (oldest first). `context` joins the system prompt: it is part
/// of the request, so no answer is shared with somebody whose context differs.
pub fn build(
    options: &AnswerOptions,
    log: &[StoredEvent],
    (question, with): (&str, Option<&AskedWith>),
    context: Option<&str>,
) -> Conversation {
    let mut budget = options.history_tokens as u64;
    let mut used = estimate_tokens(question) + TOKENS_PER_MESSAGE;
    budget = budget.saturating_sub(used);
    let mut history = Vec::new();
    let mut images_left = if options.images { PAST_IMAGES } else { 0 };
    for event in log.iter().rev() {
        let Some(Spoken { role, text, mut images }) =
            serde_json::from_str::<Logged>(&event.body).ok().and_then(Spoken::of)
        else {
            continue;
        };
        let mut cost = estimate_tokens(&text) + TOKENS_PER_MESSAGE;
        if cost > budget {
            break;
        }
        // An image that is not shown again is not worth a message: its text is.
        let shown = (budget - cost) / TOKENS_PER_PART;
        images.truncate(images_left.min(usize::try_from(shown).unwrap_or(usize::MAX)));
        images_left -= images.len();
        cost += images.len() as u64 * TOKENS_PER_PART;
        budget -= cost;
        used += cost;
        history.push(match images.is_empty() {
            true => message(role, &text),
            false => written(&ChatMessage::of_parts(role, asked_with::parts(&text, &images))).unwrap_or_default(),
        });
    }
    let has_history = !history.is_empty() || with.is_some_and(AskedWith::has_history);
    let mut messages = Vec::with_capacity(history.len() + 2);
    let said_by_page = with.and_then(|with| with.context.as_deref());
    let prompts = [options.system_prompt.as_str(), context.unwrap_or_default(), said_by_page.unwrap_or_default()];
    let prompt = prompts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
    if !prompt.is_empty() {
        used += estimate_tokens(&prompt) + TOKENS_PER_MESSAGE;
        messages.push(message("system", &prompt));
    }
    let Some(with) = with else {
        messages.extend(history.into_iter().rev());
        messages.push(message("user", question));
        let request = BackendRequest::new(&options.model, &messages);
        return Conversation { request, has_history, prompt_tokens: used };
    };
    if history.is_empty() {
        messages.extend(newest_that_fit(&with.earlier, budget).iter().filter_map(written));
    }
    messages.extend(history.into_iter().rev());
    messages.push(match with.parts.is_empty() {
        true => message("user", question),
        false => written(&ChatMessage::of_parts("user", with.parts.clone())).unwrap_or_default(),
    });
    messages.extend(with.behind.iter().filter_map(written));
    let mut request = BackendRequest::new(with.model.as_deref().unwrap_or(&options.model), &messages);
    with.offer_tools(&mut request);
    let prompt_tokens = request.estimated_tokens();
    Conversation { request, has_history, prompt_tokens }
}

fn written(message: &ChatMessage) -> Option<String> {
    serde_json::to_string(message).ok()
}

/// The end of a conversation that is no longer than so many tokens.
fn newest_that_fit(earlier: &[ChatMessage], mut budget: u64) -> &[ChatMessage] {
    let mut first = earlier.len();
    for (at, message) in earlier.iter().enumerate().rev() {
        let cost = serde_json::to_string(message).map_or(0, |text| estimate_tokens(&text));
        let Some(left) = budget.checked_sub(cost) else { break };
        (first, budget) = (at, left);
    }
    &earlier[first..]
}

/// What an event adds to the conversation.
struct Spoken {
    /// In the words of the model's protocol.
    role: &'static str,
    text: String,
    images: Vec<Image>,
}

impl Spoken {
    fn of(event: Logged) -> Option<Self> {
        let (role, text, images) = match event {
            Logged::Message { message, .. } => match message.role {
                Role::User => ("user", message.text, message.images),
                // To the model a person of the service is on its own side.
                Role::Operator | Role::Assistant => ("assistant", message.text, Vec::new()),
                Role::System => ("system", message.text, Vec::new()),
            },
            Logged::AnswerEnd { end, .. } => ("assistant", end.text, Vec::new()),
            Logged::AnswerError { failure, .. } => ("assistant", failure.text, Vec::new()),
        };
        (!text.is_empty()).then_some(Self { role, text, images })
    }
}

/// Who may share the answer.
pub fn scope(setting: CacheScope, has_history: bool, group: &GroupName, user: &UserId) -> Scope {
    match setting {
        CacheScope::Global => Scope::Global,
        CacheScope::Group => Scope::Group(group.clone()),
        CacheScope::User => Scope::User(user.clone()),
        CacheScope::Auto if has_history => Scope::User(user.clone()),
        CacheScope::Auto => Scope::Global,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::MessageId;
    use crate::openai::{ImageUrl, MessagePart};
    use crate::protocol::{Message, timestamp};

    fn options(history_tokens: usize) -> AnswerOptions {
        AnswerOptions {
            model: "m".into(),
            system_prompt: "be kind".into(),
            history_tokens,
            max_answer_bytes: 1 << 20,
            total_seconds: 600,
            abandon_seconds: 30,
            show_reasoning: true,
            images: true,
        }
    }

    fn said(seq: u64, text: &str) -> StoredEvent {
        let group = GroupName::parse("g").expect("legal");
        let message = Message {
            images: Vec::new(),
            id: MessageId::from("m"),
            role: Role::User,
            author: "a".into(),
            text: text.into(),
            created_at: timestamp(),
            metadata: None,
        };
        StoredEvent { seq, body: Logged::Message { group, message }.encode() }
    }

    fn texts(conversation: &Conversation) -> Vec<String> {
        let messages = conversation.request.body.get("messages").expect("messages");
        let messages: Vec<serde_json::Value> = serde_json::from_str(messages).expect("a list");
        messages.iter().map(|message| message["content"].as_str().expect("text").to_owned()).collect()
    }

    #[test]
    fn the_newest_messages_that_fit_are_sent_in_their_order() {
        let log = [said(1, &"old ".repeat(50)), said(2, "newer"), said(3, "newest")];
        let conversation = build(&options(40), &log, ("why?", None), None);
        assert_eq!(texts(&conversation), ["be kind", "newer", "newest", "why?"]);
        assert!(conversation.has_history);
    }

    #[test]
    fn a_first_question_has_no_history_and_may_be_shared() {
        let conversation = build(&options(100), &[], ("why?", None), None);
        assert_eq!(texts(&conversation), ["be kind", "why?"]);
        assert!(!conversation.has_history);
        let (group, user) = (GroupName::parse("g").expect("legal"), UserId::from("u"));
        assert_eq!(scope(CacheScope::Auto, false, &group, &user), Scope::Global);
        assert_eq!(scope(CacheScope::Auto, true, &group, &user), Scope::User(user.clone()));
    }

    #[test]
    fn the_context_of_the_asker_joins_the_system_prompt() {
        let told = build(&options(100), &[], ("why?", None), Some("Alice is a member."));
        assert_eq!(texts(&told), ["be kind\n\nAlice is a member.", "why?"]);
        let bare = AnswerOptions { system_prompt: String::new(), ..options(100) };
        assert_eq!(texts(&build(&bare, &[], ("why?", None), Some("Alice"))), ["Alice", "why?"]);
    }

    #[test]
    fn a_question_is_asked_with_its_images_its_tools_and_what_came_of_those() {
        let image = ImageUrl { url: "https://x/y".into(), detail: None };
        let parts = vec![MessagePart::Text { text: "why?".into() }, MessagePart::ImageUrl { image_url: image }];
        let mut behind = Vec::new();
        ChatMessage::add_call(&mut behind, "c", "f", "{}");
        behind.push(ChatMessage::result("c", "1"));
        let with = AskedWith {
            earlier: vec![ChatMessage::says("user", "told by the asker")],
            parts,
            behind,
            tools: vec![r#"{"type":"function","function":{"name":"f"}}"#.into()],
            context: Some("The cart is empty.".into()),
            about: None,
            model: Some("better".into()),
        };
        let asked = |log: &[StoredEvent]| {
            let conversation = build(&options(100), log, ("why?", Some(&with)), Some("Alice is a member."));
            assert!(conversation.has_history && conversation.prompt_tokens > 800, "an image is many tokens");
            serde_json::from_str::<serde_json::Value>(&conversation.request.body.to_string()).expect("a body")
        };
        let body = asked(&[]);
        assert_eq!((&body["model"], &body["tools"][0]["function"]["name"]), (&json!("better"), &json!("f")));
        let expected = json!([
            {"role": "system", "content": "be kind\n\nAlice is a member.\n\nThe cart is empty."},
            {"role": "user", "content": "told by the asker"},
            {"role": "user", "content": [
                {"type": "text", "text": "why?"}, {"type": "image_url", "image_url": {"url": "https://x/y"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]},
            {"role": "tool", "content": "1", "tool_call_id": "c"},
        ]);
        assert_eq!(body["messages"], expected);
        let logged = asked(&[said(1, "logged")]);
        assert_eq!(logged["messages"][1]["content"], "logged", "the log is the truth where it says anything");
        assert_eq!(logged["messages"].as_array().map(Vec::len), Some(5));
    }

    #[test]
    fn the_newest_images_of_the_log_are_shown_again_where_the_model_takes_any() {
        let with_images = |seq, text: &str, count: usize| {
            let Ok(Logged::Message { group, mut message }) = serde_json::from_str(&said(seq, text).body) else {
                panic!("a message")
            };
            let image = |n| Image { url: format!("data:{seq}-{n}"), name: Some("n".into()) };
            message.images = (0..count).map(image).collect();
            StoredEvent { seq, body: Logged::Message { group, message }.encode() }
        };
        let log = [with_images(1, "one", 3), with_images(2, "two", 3), said(3, "three")];
        let shown = |options: &AnswerOptions| {
            let conversation = build(options, &log, ("why?", None), None);
            let body: serde_json::Value = serde_json::from_str(&conversation.request.body.to_string()).expect("a body");
            let of = |at: usize| body["messages"][at]["content"].as_array().map_or(0, |parts| parts.len() - 1);
            ((of(1), of(2), of(3)), conversation.prompt_tokens)
        };
        let (all, tokens) = shown(&options(8_000));
        assert_eq!(all, (1, 3, 0), "the newest four");
        assert!(tokens > 4 * TOKENS_PER_PART && tokens < 5 * TOKENS_PER_PART);
        assert_eq!(shown(&options(2_000)).0, (0, 2, 0), "as many as the budget allows, and the texts");
        assert_eq!(shown(&AnswerOptions { images: false, ..options(8_000) }).0, (0, 0, 0));
    }

    #[test]
    fn of_what_the_asker_tells_the_newest_that_fits_is_sent() {
        let earlier = vec![ChatMessage::says("user", &"old ".repeat(50)), ChatMessage::says("assistant", "newest")];
        let with = AskedWith { earlier, ..AskedWith::default() };
        let conversation = build(&options(40), &[], ("why?", Some(&with)), None);
        assert_eq!(texts(&conversation), ["be kind", "newest", "why?"]);
    }

    #[test]
    fn a_question_beyond_the_budget_is_still_asked() {
        assert_eq!(texts(&build(&options(1), &[said(1, "x")], (&"long ".repeat(20), None), None)).len(), 2);
    }
}
