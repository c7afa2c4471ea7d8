//! Speaking to a group over HTTP: applications with a key, operators with the admin token.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};
use sophie_actors::ids::{AnswerId, GroupName, RequestId, digest};
use sophie_actors::node::Node;
use sophie_actors::protocol::{EVENT_DEPTH, ErrorCode, METADATA_DEPTH, Refusal, Role, is_deeper, is_map_deeper};
use sophie_actors::say::{Key, Said, Speaker, Speech, Unsaid, pass_on, say};
use sophie_actors::store::ONCE_SECONDS;

use super::durable::name_answer;
use super::{ApiError, Outsider, State, client_address, json};
use crate::auth::bearer::KeyHolder;

/// The longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;

/// The longest name of an author, in characters.
const MAX_AUTHOR: usize = 256;

/// What a request says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    text: Option<String>,
    event: Option<Value>,
    author: Option<String>,
    role: Option<Role>,
    #[serde(default)]
    assistant: bool,
    metadata: Option<serde_json::Map<String, Value>>,
}

impl Body {
    /// Reads and checks a body, before anything is reserved for it.
    pub fn read(body: &Bytes, node: &Node) -> Result<Self, ApiError> {
        let said: Self = json::body(body)?;
        let max = node.options.max_text_chars;
        if said.metadata.as_ref().is_some_and(|metadata| is_map_deeper(metadata, METADATA_DEPTH)) {
            let message = format!("`metadata` is nested more than {METADATA_DEPTH} deep");
            return Err(ApiError::bad_request(message));
        }
        if said.event.as_ref().is_some_and(|event| is_deeper(event, EVENT_DEPTH)) {
            return Err(ApiError::bad_request(format!("`event` is nested more than {EVENT_DEPTH} deep")));
        }
        if said.author.as_ref().is_some_and(|author| author.chars().count() > MAX_AUTHOR) {
            return Err(ApiError::bad_request(format!("`author` is longer than {MAX_AUTHOR} characters")));
        }
        match (&said.text, &said.event) {
            (None, None) => Err(ApiError::bad_request("`text` or `event` is needed")),
            (Some(_), Some(_)) => {
                Err(ApiError::bad_request("give either `text`, which is logged, or `event`, which is passed on"))
            }
            (Some(text), None) if text.trim().is_empty() => Err(ApiError::bad_request("`text` is empty")),
            (Some(text), None) if text.chars().count() > max => {
                Err(Refusal::new(ErrorCode::TooLarge, format!("`text` is longer than {max} characters")).into())
            }
            _ => Ok(said),
        }
    }
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
    let body = Body::read(&json::receive(payload, state.most_bytes).await?, &state.node)?;
    let key = idempotency_key(&request, holder.once_scope())?;
    let (author, address) = (application.name.clone(), client_address(&request, &state));
    let speaker = Speaker::Application { application, address };
    publish(&state.node, group, body, (speaker, author, Role::System), key).await
}

/// The application whose key was shown.
fn holder(request: &HttpRequest, state: &State) -> Result<Arc<KeyHolder>, ApiError> {
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
pub fn idempotency_key(request: &HttpRequest, who: &str) -> Result<Option<Key>, ApiError> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=MAX_KEY).contains(&key.len()) => {
            let scope = format!("api:{}", digest(who.as_bytes()));
            Ok(Some(Key { scope, id: key.to_owned(), seconds: ONCE_SECONDS }))
        }
        _ => Err(ApiError::bad_request(format!("Idempotency-Key is 1 to {MAX_KEY} visible characters"))),
    }
}

/// Says a text, or passes an event on: to its end, also when the caller leaves meanwhile. Author and role are those of a body that
/// names none.
pub async fn publish(
    node: &Node,
    group: GroupName,
    body: Body,
    (speaker, author, role): (Speaker, String, Role),
    key: Option<Key>,
) -> Result<HttpResponse, ApiError> {
    let (node, name) = (node.clone(), group.clone());
    let Some(text) = body.text else {
        let event = body.event.unwrap_or_default();
        let passed =
            actix_web::rt::spawn(RequestId::carried(async move { pass_on(&node, &speaker, &group, &event).await }));
        passed.await.map_err(|_| Refusal::internal())??;
        return Ok(HttpResponse::Accepted().json(json!({"group": name})));
    };
    let is_question = body.assistant;
    let speech = Speech {
        images: Vec::new(),
        group,
        text,
        role: body.role.unwrap_or(role),
        author: body.author.unwrap_or(author),
        metadata: body.metadata,
        assistant: body.assistant,
        with: None,
        key,
    };
    let said = actix_web::rt::spawn(RequestId::carried(async move { say(&node, &speaker, speech, |_| {}).await }));
    match said.await.map_err(|_| Refusal::internal())? {
        Ok(Said { seq, message, .. }) => {
            let mut reply = HttpResponse::Ok();
            if let Some(message) = message.as_ref().filter(|_| is_question) {
                name_answer(&mut reply, &AnswerId::owed_to(message));
            }
            Ok(reply.json(json!({"group": name, "seq": seq, "message": message})))
        }
        Err(Unsaid::Refused(refusal)) => Err(refusal.into()),
        Err(Unsaid::Conflict) => {
            let message = "this Idempotency-Key was used for another message";
            Err(ApiError::new(StatusCode::CONFLICT, "bad_request", message))
        }
        Err(Unsaid::Unlogged(error)) => Err(error.into()),
    }
}
