//! What is sent to the model: system prompt, as much of the group's log as the token budget allows, the question. Pure.

use super::digest::Scope;
use crate::ids::{GroupName, UserId};
use crate::openai::request::message;
use crate::openai::{ChatRequest, TOKENS_PER_MESSAGE, estimate_tokens};
use crate::options::{AnswerOptions, CacheScope};
use crate::protocol::{Logged, Role};
use crate::store::StoredEvent;

/// A request, and whether it rests on earlier messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// For the backend.
    pub request: ChatRequest,
    /// Whether anything but the question is in it.
    pub has_history: bool,
    /// About how many tokens it is.
    pub prompt_tokens: u64,
}

/// Builds the request for `question` from the log before it (oldest first). `context` joins the system prompt: it is part
/// of the request, so no answer is shared with somebody whose context differs.
pub fn build(options: &AnswerOptions, log: &[StoredEvent], question: &str, context: Option<&str>) -> Conversation {
    let mut budget = options.history_tokens as u64;
    let mut used = estimate_tokens(question) + TOKENS_PER_MESSAGE;
    budget = budget.saturating_sub(used);
    let mut history = Vec::new();
    for event in log.iter().rev() {
        let Some((role, text)) = serde_json::from_str::<Logged>(&event.body).ok().and_then(spoken) else { continue };
        let cost = estimate_tokens(&text) + TOKENS_PER_MESSAGE;
        if cost > budget {
            break;
        }
        budget -= cost;
        used += cost;
        history.push(message(role, &text));
    }
    let has_history = !history.is_empty();
    let mut messages = Vec::with_capacity(history.len() + 2);
    let prompts = [options.system_prompt.as_str(), context.unwrap_or_default()];
    let prompt = prompts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
    if !prompt.is_empty() {
        used += estimate_tokens(&prompt) + TOKENS_PER_MESSAGE;
        messages.push(message("system", &prompt));
    }
    messages.extend(history.into_iter().rev());
    messages.push(message("user", question));
    let request = ChatRequest::new(&options.model, &messages);
    Conversation { request, has_history, prompt_tokens: used }
}

/// What an event adds to the conversation, as (role of the model's protocol, text).
fn spoken(event: Logged) -> Option<(&'static str, String)> {
    let (role, text) = match event {
        Logged::Message { message, .. } => match message.role {
            Role::User => ("user", message.text),
            // To the model a person of the service is on its own side.
            Role::Operator | Role::Assistant => ("assistant", message.text),
            Role::System => ("system", message.text),
        },
        Logged::AnswerEnd { end, .. } => ("assistant", end.text),
        Logged::AnswerError { failure, .. } => ("assistant", failure.text),
    };
    (!text.is_empty()).then_some((role, text))
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
    use super::*;
    use crate::ids::MessageId;
    use crate::protocol::{Message, timestamp};

    fn options(history_tokens: usize) -> AnswerOptions {
        AnswerOptions {
            model: "m".into(),
            system_prompt: "be kind".into(),
            history_tokens,
            max_answer_bytes: 1 << 20,
            total_seconds: 600,
            abandon_seconds: 30,
        }
    }

    fn said(seq: u64, text: &str) -> StoredEvent {
        let group = GroupName::parse("g").expect("legal");
        let message = Message {
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
        let conversation = build(&options(40), &log, "why?", None);
        assert_eq!(texts(&conversation), ["be kind", "newer", "newest", "why?"]);
        assert!(conversation.has_history);
    }

    #[test]
    fn a_first_question_has_no_history_and_may_be_shared() {
        let conversation = build(&options(100), &[], "why?", None);
        assert_eq!(texts(&conversation), ["be kind", "why?"]);
        assert!(!conversation.has_history);
        let (group, user) = (GroupName::parse("g").expect("legal"), UserId::from("u"));
        assert_eq!(scope(CacheScope::Auto, false, &group, &user), Scope::Global);
        assert_eq!(scope(CacheScope::Auto, true, &group, &user), Scope::User(user.clone()));
    }

    #[test]
    fn the_context_of_the_asker_joins_the_system_prompt() {
        let told = build(&options(100), &[], "why?", Some("Alice is a member."));
        assert_eq!(texts(&told), ["be kind\n\nAlice is a member.", "why?"]);
        let bare = AnswerOptions { system_prompt: String::new(), ..options(100) };
        assert_eq!(texts(&build(&bare, &[], "why?", Some("Alice"))), ["Alice", "why?"]);
    }

    #[test]
    fn a_question_beyond_the_budget_is_still_asked() {
        assert_eq!(texts(&build(&options(1), &[said(1, "x")], &"long ".repeat(20), None)).len(), 2);
    }
}
