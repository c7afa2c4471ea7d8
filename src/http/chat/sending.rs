//! A question that `useChat` posts, on its way to its answer.

use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use bytestring::ByteString;
use serde_json::Value;
use sophie_actors::answers::{AskedWith, RecordingReader};
use sophie_actors::dialects::ui::request::{UiRequest, Wish};
use sophie_actors::ids::{AnswerId, GroupName, RequestId};
use sophie_actors::openai::Body;
use sophie_actors::protocol::{Logged, Message, Protocol, Refusal, Role};
use sophie_actors::say::{Answered, Key, Said, Speech, ask_again, image_limits, said_before, say};
use sophie_actors::store::{ONCE_SECONDS, PageSize, StoredEvent};

use super::entrance::{Guest, enter_session};
use super::finding::{begun, is_busy};
use super::refusal::ChatRefusal;
use super::tools;
use super::turn::Turn;
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
) -> Result<(Guest, AnswerId, RecordingReader), ChatRefusal> {
    visitor::check_entrance(request, state)?;
    // The client sends all of its chat.
    let most = state.most_bytes.max(state.chat.max_frame_bytes);
    let text = ByteString::try_from(json::receive(payload, most).await?);
    let body = text.map_err(|_| ApiError::bad_request("the body is no text in UTF-8"))?;
    let body = Body::parse(&body).map_err(|bad| ApiError::bad_request(format!("the body is not right: {bad}")))?;
    let asked = UiRequest::read(&body, &body)?;
    let shown = visitor::shown(request, client_address(request, state));
    let guest = enter_session(&shown, asked.chat.clone(), state).await?;
    let (answer, reader) = answer(&guest, asked, state).await?;
    Ok((guest, answer, reader))
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
    let (asking, by) = (state.clone(), guest.clone());
    // To its end, also when the caller leaves meanwhile: others wait for its turn to be over.
    let asked = actix_web::rt::spawn(RequestId::carried(async move {
        let turn = Turn::take(&asking, &by.session).await?;
        let asked = match &asked.wish {
            Wish::Answer => ask(&by, asked, &asking).await,
            Wish::Again { .. } => again(&by, asked, &asking).await,
            Wish::GoOn { .. } => go_on(&by, asked, &asking).await,
        };
        turn.is_over(asked.as_ref().ok()).await;
        asked
    }));
    let answer = asked.await.map_err(|_| ApiError::from(Refusal::internal()))??;
    let reader = begun(state, &answer).await?;
    Ok((answer, reader))
}

/// The same question under the same id has the same answer.
async fn ask(guest: &Guest, asked: UiRequest, state: &Data<State>) -> Result<AnswerId, ChatRefusal> {
    let question = &asked.question;
    let text = question.said();
    let most = state.node.options.max_text_chars;
    if text.chars().count() > most {
        let refusal = Refusal::new(
            sophie_actors::protocol::ErrorCode::TooLarge,
            format!("the message is longer than {most} characters"),
        );
        return Err(ApiError::from(refusal).into());
    }
    let (node, speaker, home) = (&state.node, guest.speaker(Protocol::AiSdk), guest.session.home());
    let speech = Speech {
        images: question.images(image_limits(node)),
        group: home.clone(),
        text,
        role: Role::User,
        author: guest.identity.user.to_string(),
        metadata: None,
        assistant: true,
        with: asked_with(&asked, state).map(Box::new),
        key: Some(Key { scope: guest.session.to_string(), id: question.id.clone(), seconds: ONCE_SECONDS }),
    };
    if let Some(message) = said_before(node, &speaker, &speech).await.map_err(ApiError::from)? {
        return Ok(AnswerId::owed_to(&message));
    }
    refuse_second(state, guest).await?;
    if node.stores.groups.info(&home).await?.is_some_and(|group| !group.assistant) {
        return Err(ChatRefusal::conflict("a person answers in this chat now; the assistant is off"));
    }
    let Said { message, .. } = say(node, &speaker, speech, |_| {}).await.map_err(ApiError::from)?;
    let message = message.ok_or_else(|| ApiError::from(Refusal::internal()))?;
    Ok(AnswerId::owed_to(&message))
}

/// Another answer to the last question.
async fn again(guest: &Guest, asked: UiRequest, state: &Data<State>) -> Result<AnswerId, ChatRefusal> {
    refuse_second(state, guest).await?;
    let group = guest.session.home();
    let (seq, message) = last_question(&last_of(state, &group).await?)?;
    let with = asked_with(&asked, state).map(Box::new);
    begin(guest, Answered { group, message: message.id, seq, text: message.text, with }, state).await
}

/// The next step of the last answer, whose tools have been called.
async fn go_on(guest: &Guest, asked: UiRequest, state: &Data<State>) -> Result<AnswerId, ChatRefusal> {
    refuse_second(state, guest).await?;
    let group = guest.session.home();
    let events = last_of(state, &group).await?;
    let (seq, question) = last_question(&events)?;
    let asks = events.iter().rev().find_map(|(_, event)| match event {
        Logged::AnswerEnd { end, .. } if end.message == question.id => Some(&end.answer),
        _ => None,
    });
    let asks = asks.ok_or_else(|| ChatRefusal::conflict("the chat has gone on since these tools were asked for"))?;
    let mut with = asked_with(&asked, state).unwrap_or_default();
    let Wish::GoOn { message, outputs, told } = asked.wish else {
        return Err(ApiError::from(Refusal::internal()).into());
    };
    match tools::asked_by(state, &group, asks).await? {
        Some(asked) => asked.answer_with(&message, outputs, &mut with)?,
        None if state.chat.trust_history => with.behind = told,
        None => {
            return Err(ChatRefusal::conflict("it is no longer known here what these tools were asked for; ask again"));
        }
    }
    begin(guest, Answered { group, message: question.id, seq, text: question.text, with: Some(Box::new(with)) }, state)
        .await
}

async fn begin(guest: &Guest, answered: Answered, state: &Data<State>) -> Result<AnswerId, ChatRefusal> {
    let (ask, admitted) =
        ask_again(&state.node, &guest.speaker(Protocol::AiSdk), answered).await.map_err(ApiError::from)?;
    let answer = ask.answer.clone();
    state.node.ask(ask, admitted).await;
    Ok(answer)
}

/// What the question is asked with, if it is more than a text.
fn asked_with(asked: &UiRequest, state: &State) -> Option<AskedWith> {
    let with = AskedWith {
        earlier: if state.chat.trust_history { asked.earlier.clone() } else { Vec::new() },
        parts: if asked.question.has_files() { asked.question.parts.clone() } else { Vec::new() },
        tools: asked.tools.clone(),
        ..AskedWith::default()
    };
    (with != AskedWith::default()).then_some(with)
}

/// The end of a chat's log.
async fn last_of(state: &State, group: &GroupName) -> Result<Vec<(u64, Logged)>, ChatRefusal> {
    let page = state.node.stores.logs.read_before(group, None, LAST).await?;
    let read = |event: &StoredEvent| Some((event.seq, serde_json::from_str(&event.body).ok()?));
    Ok(page.events.iter().filter_map(read).collect())
}

fn last_question(events: &[(u64, Logged)]) -> Result<(u64, Message), ApiError> {
    let last = events.iter().rev().find_map(|(seq, event)| match event {
        Logged::Message { message, .. } if message.role == Role::User => Some((*seq, message.clone())),
        _ => None,
    });
    last.ok_or_else(|| ApiError::bad_request("there is no question in this chat yet"))
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
