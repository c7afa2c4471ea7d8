//! Who may read an answer, or a group.

use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Query};
use serde::Deserialize;
use sophie_actors::answers::RecordingReader;
use sophie_actors::ids::{AnswerId, GroupName, SessionId};
use sophie_actors::protocol::Protocol;
use sophie_actors::store::AnswerOwner;

use super::answer;
use crate::auth::credentials::bearer;
use crate::http::visitor::{self, Claim, Comes};
use crate::http::{ApiError, State, client_address};

/// The session of whoever reads an answer of a group that is no session's own and names none: it has nothing.
const NO_SESSION: &str = "reader";

#[derive(Debug, Deserialize)]
struct Named {
    session: Option<String>,
}

/// A reader of an answer, for whoever may read it: the group's members, as far as they show that they may be, or the holder of the API key
/// that it was made with.
///
/// # Errors
/// For everybody else the same as for an answer that never was.
pub(super) async fn reader(
    request: &HttpRequest,
    id: &AnswerId,
    state: &Data<State>,
) -> Result<RecordingReader, ApiError> {
    let has_key = visitor::text(request.headers(), header::AUTHORIZATION)
        .and_then(bearer)
        .is_some_and(|key| state.policy().api_keys.holder_of(key).is_some());
    if !has_key {
        visitor::check_entrance(request, state)?;
    }
    let reader =
        state.node.answers.read(id.clone()).await?.ok_or_else(answer::unknown)?.told_in(Protocol::DurableStreams);
    let may_read = match &reader.head().owner {
        // Where no key is needed, everybody is the one application that there is.
        AnswerOwner::Key(digest) => state.application(request).is_ok_and(|holder| holder.digest == *digest),
        AnswerOwner::Group(_) if has_key => false,
        AnswerOwner::Group(group) => may_be_member(request, group, state).await?,
    };
    if may_read { Ok(reader) } else { Err(answer::unknown()) }
}

/// Whether a reader may read a group's log: if it may be a member, as far as it shows that.
///
/// # Errors
/// The door is shut, or it comes too often, or nobody can say.
pub(super) async fn may_read_group(
    request: &HttpRequest,
    group: &GroupName,
    state: &Data<State>,
) -> Result<bool, ApiError> {
    visitor::check_entrance(request, state)?;
    may_be_member(request, group, state).await
}

async fn may_be_member(request: &HttpRequest, group: &GroupName, state: &Data<State>) -> Result<bool, ApiError> {
    let home = group.home_of();
    let named = || Query::<Named>::from_query(request.query_string()).ok()?.into_inner().session;
    let session = match &home {
        Some(session) => session.clone(),
        None => match SessionId::parse(named().as_deref().unwrap_or(NO_SESSION)) {
            Ok(session) => session,
            Err(_) => return Ok(false),
        },
    };
    let address = client_address(request, state);
    let identity = match visitor::identify(request, &session, address, state, Comes::ToAsk).await {
        Ok((identity, _)) => identity,
        Err(refused) if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&refused.parts().0) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    match home {
        Some(session) => {
            let claim = visitor::claim(state.node.stores.sessions.as_ref(), &identity, &session).await?;
            Ok(claim != Claim::Refused)
        }
        None => Ok(identity.may_join(group, &session)),
    }
}
