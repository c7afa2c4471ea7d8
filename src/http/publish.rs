//! Speaking to a group over HTTP: applications with a key, operators with the admin token.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};
use sophie_actors::admission::{Admit, Caller, Permit};
use sophie_actors::answers::{Ask, Slot};
use sophie_actors::ids::{AnswerId, GroupName, MessageId, UserId, digest};
use sophie_actors::node::Node;
use sophie_actors::openai::estimate_tokens;
use sophie_actors::protocol::{
    EVENT_DEPTH, ErrorCode, Event, Logged, METADATA_DEPTH, Message, Refusal, Role, is_deeper, is_map_deeper, timestamp,
};
use sophie_actors::registry::{Deliver, Fanout};
use sophie_actors::store::{Append, Appended, ONCE_SECONDS, Once};
use tokio::time::Instant;

use super::{ApiError, Outsider, State, client_address, json};
use crate::auth::bearer::KeyHolder;

/// The longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;

/// The longest name of an author, in characters.
const MAX_AUTHOR: usize = 256;

/// What is said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    text: Option<String>,
    event: Option<Value>,
    author: Option<String>,
    role: Option<Role>,
    #[serde(default)]
    assistant: bool,
    metadata: Option<serde_json::Map<String, Value>>,
}

impl Speech {
    /// Reads and checks a body, before anything is reserved for it.
    pub fn read(body: &Bytes, node: &Node) -> Result<Self, ApiError> {
        let speech: Self = json::body(body)?;
        let max = node.options.max_text_chars;
        if speech.metadata.as_ref().is_some_and(|metadata| is_map_deeper(metadata, METADATA_DEPTH)) {
            let message = format!("`metadata` is nested more than {METADATA_DEPTH} deep");
            return Err(ApiError::bad_request(message));
        }
        if speech.event.as_ref().is_some_and(|event| is_deeper(event, EVENT_DEPTH)) {
            return Err(ApiError::bad_request(format!("`event` is nested more than {EVENT_DEPTH} deep")));
        }
        if speech.author.as_ref().is_some_and(|author| author.chars().count() > MAX_AUTHOR) {
            return Err(ApiError::bad_request(format!("`author` is longer than {MAX_AUTHOR} characters")));
        }
        match (&speech.text, &speech.event) {
            (None, None) => Err(ApiError::bad_request("`text` or `event` is needed")),
            (Some(_), Some(_)) => {
                Err(ApiError::bad_request("give either `text`, which is logged, or `event`, which is passed on"))
            }
            (Some(text), None) if text.trim().is_empty() => Err(ApiError::bad_request("`text` is empty")),
            (Some(text), None) if text.chars().count() > max => {
                Err(Refusal::new(ErrorCode::TooLarge, format!("`text` is longer than {max} characters")).into())
            }
            _ => Ok(speech),
        }
    }
}

/// Who says it.
pub struct Speaker {
    /// Author and role where the body names none.
    pub author: String,
    /// See `author`.
    pub role: Role,
    /// Once-only key, already within the speaker's scope.
    pub once: Option<(String, String)>,
    /// What was reserved.
    pub permit: Permit,
    /// For the answer; operators need none.
    pub slot: Option<Slot>,
}

/// `POST /api/groups/{group}/messages`
pub async fn by_application(
    request: HttpRequest,
    group: Path<String>,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    // Nothing of a stranger's body is read.
    let holder = holder(&request, &state)?;
    let application = holder.application();
    let group = GroupName::parse(&group).map_err(|bad| ApiError::bad_request(bad.to_string()))?;
    let speech = Speech::read(&json::receive(payload, state.most_bytes).await?, &state.node)?;
    let once = idempotency_key(&request, holder.once_scope())?;
    let slot = match speech.text.is_some() && speech.assistant {
        true => Some(state.node.slots.take(None).await?),
        false => None,
    };
    let admit = Admit {
        caller: Caller::Application(application.clone()),
        address: client_address(&request, &state),
        group: Some(group.clone()),
        prompt_tokens: speech.text.as_deref().filter(|_| speech.assistant).map(estimate_tokens),
    };
    let permit = match state.node.limiter.admit(admit).await {
        Ok(verdict) => verdict.map_err(Refusal::from)?,
        Err(_) => return Err(Refusal::internal().into()),
    };
    let speaker = Speaker { author: application.name, role: Role::System, once, permit, slot };
    speak(&state.node, group, speech, speaker).await
}

/// The application whose key was shown.
fn holder<'a>(request: &HttpRequest, state: &'a State) -> Result<&'a KeyHolder, ApiError> {
    state.application(request).map_err(|outsider| match outsider {
        Outsider::NoKey => {
            ApiError::unauthorized("an API key is needed: Authorization: Bearer KEY, with a key of auth.api_keys")
        }
        Outsider::ForeignPage => {
            let message = "pages of this origin may not ask: see server.allowed_origins, or set API keys";
            ApiError::new(StatusCode::FORBIDDEN, "not_allowed", message)
        }
        Outsider::Shut(shut) => shut.into(),
    })
}

/// The once-only key of a request, in the scope of who sent it.
pub fn idempotency_key(request: &HttpRequest, who: &str) -> Result<Option<(String, String)>, ApiError> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=MAX_KEY).contains(&key.len()) => {
            Ok(Some((format!("api:{}", digest(who.as_bytes())), key.to_owned())))
        }
        _ => Err(ApiError::bad_request(format!("Idempotency-Key is 1 to {MAX_KEY} visible characters"))),
    }
}

/// Logs a text and delivers it, or passes an event on: to its end, also when the caller leaves meanwhile.
pub async fn speak(node: &Node, group: GroupName, speech: Speech, speaker: Speaker) -> Result<HttpResponse, ApiError> {
    let node = node.clone();
    let spoken = actix_web::rt::spawn(async move { speak_out(&node, group, speech, speaker).await });
    let said = spoken.await.map_err(|_| ApiError::from(Refusal::internal()))?;
    Ok(match said? {
        (StatusCode::ACCEPTED, body) => HttpResponse::Accepted().json(body),
        (_, body) => HttpResponse::Ok().json(body),
    })
}

async fn speak_out(
    node: &Node,
    group: GroupName,
    speech: Speech,
    speaker: Speaker,
) -> Result<(StatusCode, Value), ApiError> {
    let Speaker { author, role, once, permit, slot } = speaker;
    let Some(text) = speech.text else {
        let event = speech.event.unwrap_or_default();
        let frame = Event::Foreign { group: &group, event: &event }.encode();
        let fanout = Fanout { group: group.clone(), frame, except: None };
        node.fan_out(fanout).await.map_err(|_| Refusal::internal())?;
        return Ok((StatusCode::ACCEPTED, json!({"group": group})));
    };
    let message = Message {
        id: MessageId::random(&group),
        role: speech.role.unwrap_or(role),
        author: speech.author.unwrap_or(author),
        text: text.clone(),
        created_at: timestamp(),
        metadata: speech.metadata,
    };
    let once = once.map(|(scope, id)| {
        // The id and the time are ours and differ each time: everything else must not.
        let same = json!([group, message.role, message.author, text, speech.assistant, message.metadata]).to_string();
        Once { scope, id, fingerprint: digest(same.as_bytes()), seconds: ONCE_SECONDS }
    });
    let id = message.id.clone();
    let user = UserId::from(message.author.as_str());
    let body = Logged::Message { group: group.clone(), message }.encode();
    let append = Append {
        group: group.clone(),
        body,
        message: Some(id.clone()),
        once: once.clone(),
        owes: speech.assistant.then(|| node.roster.node().clone()),
    };
    let (seq, id, new, owed) = match node.stores.logs.append(append.clone()).await {
        Ok(Appended::New { epoch, seq, owed }) => {
            node.metrics.logged.inc();
            let (event, message) = append.logged(seq);
            _ = node.deliver(Deliver { group: group.clone(), epoch, event }).await;
            (seq, message.unwrap_or(id), true, owed)
        }
        Ok(Appended::Again { seq, message, owed }) => {
            // The first try may have been logged without anybody here learning of it.
            _ = node.registry.reached(group.clone(), seq).await;
            (seq, message.unwrap_or(id), false, owed)
        }
        Ok(Appended::Conflict) => {
            node.limiter.refund(permit).await;
            let message = "this Idempotency-Key was used for another message";
            return Err(ApiError::new(StatusCode::CONFLICT, "bad_request", message));
        }
        Err(error) => {
            node.limiter.refund(permit).await;
            return Err(error.into());
        }
    };
    if speech.assistant && owed {
        let ask = Ask {
            answer: AnswerId::owed_to(&id),
            begun: false,
            user,
            group: group.clone(),
            message: id.clone(),
            seq,
            question: text,
            context: None,
            once,
            past_cache: false,
            permit,
            slot,
            asked_at: Instant::now(),
        };
        node.ask(ask).await;
    } else if new && speech.assistant {
        // A person has taken over: nobody is asked, and what was reserved for the answer is given back.
        node.limiter.settle(permit, 0).await;
    } else if !new {
        // A repetition costs nothing.
        node.limiter.refund(permit).await;
    }
    Ok((StatusCode::OK, json!({"group": group, "seq": seq, "message": id})))
}
