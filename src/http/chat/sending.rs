//! A question that `useChat` posts, on its way to its answer.

use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use serde_json::Value;
use sophie_actors::answers::RecordingReader;
use sophie_actors::dialects::ui::request::{UiRequest, Wish};
use sophie_actors::ids::AnswerId;
use sophie_actors::protocol::{Logged, Refusal, Role};
use sophie_actors::say::{Answered, Key, Said, Speech, ask_again, said_before, say};
use sophie_actors::store::{ONCE_SECONDS, PageSize};

use super::entrance::{Guest, enter_session};
use super::finding::{begun, is_busy};
use super::refusal::ChatRefusal;
use crate::http::{ApiError, State, client_address, json, visitor};

/// The end of a log, in which the last question is looked for.
const LAST: PageSize = PageSize { events: 50, bytes: 1 << 20 };

/// Asks, and finds the answer.
///
/// # Errors
/// It cannot be asked.
pub async fn send(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
) -> Result<(AnswerId, RecordingReader), ChatRefusal> {
    visitor::check_entrance(request, state)?;
    let body: Value = json::body(&json::receive(payload, state.most_bytes).await?)?;
    let asked = UiRequest::read(&body)?;
    let shown = visitor::shown(request, client_address(request, state));
    let guest = enter_session(&shown, asked.chat.clone(), state).await?;
    answer(&guest, asked, state).await
}

/// Asks for somebody who is in the chat, and finds the answer.
///
/// # Errors
/// It cannot be asked.
pub async fn answer(
    guest: &Guest,
    asked: UiRequest,
    state: &Data<State>,
) -> Result<(AnswerId, RecordingReader), ChatRefusal> {
    let answer = match &asked.wish {
        Wish::Answer => ask(guest, &asked, state).await?,
        Wish::Again { .. } => again(guest, state).await?,
        Wish::GoOn { .. } => {
            return Err(ApiError::bad_request("this chat has no tools whose results it could take").into());
        }
    };
    let reader = begun(state, &answer).await?;
    Ok((answer, reader))
}

/// The same question under the same id has the same answer.
async fn ask(guest: &Guest, asked: &UiRequest, state: &Data<State>) -> Result<AnswerId, ChatRefusal> {
    let question = &asked.question;
    if question.has_files() {
        return Err(ApiError::bad_request("this chat takes text alone").into());
    }
    let text = question.text();
    let most = state.node.options.max_text_chars;
    if text.chars().count() > most {
        let refusal = Refusal::new(
            sophie_actors::protocol::ErrorCode::TooLarge,
            format!("the message is longer than {most} characters"),
        );
        return Err(ApiError::from(refusal).into());
    }
    let (node, speaker, home) = (&state.node, guest.speaker(), guest.session.home());
    let speech = Speech {
        group: home.clone(),
        text,
        role: Role::User,
        author: guest.identity.user.to_string(),
        metadata: None,
        assistant: true,
        with: None,
        key: Some(Key { scope: guest.session.to_string(), id: question.id.clone(), seconds: ONCE_SECONDS }),
    };
    if let Some(message) = said_before(node, &speaker, &speech).await.map_err(ApiError::from)? {
        return Ok(AnswerId::owed_to(&message));
    }
    refuse_second(state, guest).await?;
    if node.stores.groups.info(&home).await?.is_some_and(|group| !group.assistant) {
        return Err(ChatRefusal::conflict("a person answers in this chat now; the assistant is off"));
    }
    let node = node.clone();
    // To its end, also when the caller leaves meanwhile.
    let said = actix_web::rt::spawn(async move { say(&node, &speaker, speech, |_| {}).await });
    let Said { message, .. } = said.await.map_err(|_| ApiError::from(Refusal::internal()))?.map_err(ApiError::from)?;
    let message = message.ok_or_else(|| ApiError::from(Refusal::internal()))?;
    Ok(AnswerId::owed_to(&message))
}

/// Another answer to the last question.
async fn again(guest: &Guest, state: &Data<State>) -> Result<AnswerId, ChatRefusal> {
    refuse_second(state, guest).await?;
    let group = guest.session.home();
    let page = state.node.stores.logs.read_before(&group, None, LAST).await?;
    let last = page.events.iter().rev().find_map(|event| match serde_json::from_str(&event.body).ok()? {
        Logged::Message { message, .. } if message.role == Role::User => Some((event.seq, message)),
        _ => None,
    });
    let (seq, message) = last.ok_or_else(|| ApiError::bad_request("there is no question in this chat yet"))?;
    let answered = Answered { group, message: message.id, seq, text: message.text, with: None };
    let (node, speaker) = (state.node.clone(), guest.speaker());
    let asked = actix_web::rt::spawn(async move {
        let (ask, admitted) = ask_again(&node, &speaker, answered).await?;
        let answer = ask.answer.clone();
        node.ask(ask, admitted).await;
        Ok::<_, Refusal>(answer)
    });
    Ok(asked.await.map_err(|_| ApiError::from(Refusal::internal()))?.map_err(ApiError::from)?)
}

async fn refuse_second(state: &State, guest: &Guest) -> Result<(), ChatRefusal> {
    match is_busy(state, &guest.session.home()).await? {
        true => Err(ChatRefusal::conflict("a response is already active for this chat")),
        false => Ok(()),
    }
}

/// The answer that a request to stop names, if it names one.
///
/// # Errors
/// The body is no JSON object.
pub(super) async fn active_stream(payload: Payload, state: &State) -> Result<Option<String>, ChatRefusal> {
    let bytes = json::receive(payload, state.most_bytes).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let body: Value = json::body(&bytes)?;
    Ok(body["activeStreamId"].as_str().map(str::to_owned))
}
