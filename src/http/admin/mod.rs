//! For operators: groups, sessions, nodes, cache and costs, behind the admin token.

mod answers;
mod audit;
mod backends;
mod cache;
mod limits;
mod lists;
mod live;
mod people;
mod ratings;
mod reading;
mod usage;
mod whoami;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, Data, Path};
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use serde::Deserialize;
use serde_json::{Value, json};
use sophie_actors::cluster::whereabouts::Headcount;
use sophie_actors::cluster::{CarriedOut, operators, whereabouts};
use sophie_actors::ids::{GroupName, SessionId};
use sophie_actors::protocol::{Refusal, Role, timestamp_of};
use sophie_actors::say::Speaker;
use sophie_actors::store::GroupInfo;

pub use live::{Live, keep_looking};
pub use ratings::Summary;

use super::publish;
use super::{ApiError, State, client_address, json, no_route, only, redis, refusals};
use crate::auth::bearer::Operator;
use crate::auth::credentials::bearer;

/// Rows in a list when the caller does not say how many, and at most.
const DEFAULT_ROWS: usize = 100;
const MAX_ROWS: usize = 1_000;
/// Members that are shown of one group.
const MAX_MEMBERS: usize = 10_000;

/// The routes below `/admin`.
pub fn scope() -> impl HttpServiceFactory {
    web::scope("/admin/api")
        .wrap(from_fn(guard))
        .service(web::resource("/groups").route(web::get().to(groups)).default_service(only("GET")))
        .service(
            web::resource("/groups/{group}")
                .route(web::get().to(group))
                .route(web::delete().to(end_group))
                .default_service(only("GET, DELETE")),
        )
        .service(
            web::resource("/groups/{group}/messages")
                .route(web::get().to(reading::read))
                .route(web::post().to(speak))
                .default_service(only("GET, POST")),
        )
        .service(
            web::resource("/groups/{group}/assistant")
                .route(web::put().to(people::hand_back))
                .route(web::delete().to(people::take_over))
                .default_service(only("PUT, DELETE")),
        )
        .service(web::resource("/waiting").route(web::get().to(people::waiting)).default_service(only("GET")))
        .service(
            web::resource("/waiting/{group}").route(web::delete().to(people::dismiss)).default_service(only("DELETE")),
        )
        .service(web::resource("/feedback").route(web::get().to(ratings::list)).default_service(only("GET")))
        .service(web::resource("/feedback/summary").route(web::get().to(ratings::summary)).default_service(only("GET")))
        .service(web::resource("/whoami").route(web::get().to(whoami::tell)).default_service(only("GET")))
        .service(web::resource("/audit").route(web::get().to(lists::audit)).default_service(only("GET")))
        .service(web::resource("/sessions").route(web::get().to(sessions)).default_service(only("GET")))
        .service(web::resource("/events").route(web::get().to(live::events)).default_service(only("GET")))
        .service(web::resource("/redis").route(web::get().to(redis::show)).default_service(only("GET")))
        .service(
            web::resource("/cache")
                .route(web::get().to(cache::show))
                .route(web::delete().to(cache::purge))
                .default_service(only("GET, DELETE")),
        )
        .service(web::resource("/answers").route(web::get().to(answers::list)).default_service(only("GET")))
        .service(web::resource("/usage").route(web::get().to(usage::usage)).default_service(only("GET")))
        .service(web::resource("/limits").route(web::get().to(limits::edge)).default_service(only("GET")))
        .service(limits::resource())
        .service(web::resource("/nodes").route(web::get().to(nodes)).default_service(only("GET")))
        .service(web::resource("/backends").route(web::get().to(backends::list)).default_service(only("GET")))
        .service(
            web::resource("/sessions/{session}")
                .route(web::get().to(session))
                .route(web::delete().to(disconnect))
                .default_service(only("GET, DELETE")),
        )
        .default_service(web::to(no_route))
}

/// Lets in who shows the admin token, and who shows the other one to look. Each act is told and kept.
async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(state) = request.app_data::<Data<State>>().cloned() else {
        let refused = ApiError::from(Refusal::internal());
        return Ok(request.into_response(refused.error_response()).map_into_right_body());
    };
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let operator = authorization.and_then(bearer).and_then(|shown| state.policy().operators.who(shown));
    let address = client_address(request.request(), &state);
    let acts = audit::is_act(request.method());
    let Some(operator) = operator else {
        refusals::operator(authorization.is_some(), address);
        let refused = ApiError::unauthorized(match authorization {
            None => "the admin token is needed: Authorization: Bearer TOKEN",
            Some(_) => "the admin token is wrong",
        });
        return Ok(request.into_response(refused.error_response()).map_into_right_body());
    };
    if acts && operator == Operator::View {
        let refused = ApiError::new(
            StatusCode::FORBIDDEN,
            "not_allowed",
            "this token may look and change nothing; the admin token is needed",
        );
        let response = request.into_response(refused.error_response());
        // Told only: what is kept is what was done, which whoever may look cannot push out.
        audit::tell_refused(&response, operator, address);
        return Ok(response.map_into_right_body());
    }
    request.extensions_mut().insert(operator);
    let response = next.call(request).await?;
    if acts {
        audit::tell(&response, operator, address, &state.node).await;
    }
    Ok(response.map_into_left_body())
}

#[derive(Deserialize)]
struct PageQuery {
    #[serde(default)]
    prefix: String,
    cursor: Option<String>,
    limit: Option<usize>,
}

impl PageQuery {
    fn of(request: &HttpRequest) -> Result<(Self, usize), ApiError> {
        let page: Self = json::query(request.query_string())?;
        match page.limit.unwrap_or(DEFAULT_ROWS) {
            limit @ 1..=MAX_ROWS => Ok((page, limit)),
            _ => Err(ApiError::bad_request(format!("`limit` is 1 to {MAX_ROWS}"))),
        }
    }
}

/// Cuts a list that was read one row too long; the cursor is the last name that is shown.
fn cut<T>(rows: &mut Vec<T>, limit: usize, name: impl Fn(&T) -> String) -> Option<String> {
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    rows.last().map(name)
}

fn group_name(text: &str) -> Result<GroupName, ApiError> {
    GroupName::parse(text).map_err(|bad| ApiError::bad_request(bad.to_string()))
}

fn row(info: &GroupInfo, count: Headcount) -> Value {
    json!({
        "name": info.name,
        "members": count.members,
        "nodes": count.nodes,
        "created_at": timestamp_of(info.created_at_ms),
        "expires_at": timestamp_of(info.expires_at_ms),
        "last_seq": info.last_seq,
        "assistant": info.assistant,
    })
}

async fn groups(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let (page, limit) = PageQuery::of(&request)?;
    let mut infos = state.node.stores.groups.list(&page.prefix, page.cursor.as_deref(), limit + 1).await?;
    let next_cursor = cut(&mut infos, limit, |info| info.name.to_string());
    let names: Vec<GroupName> = infos.iter().map(|info| info.name.clone()).collect();
    let counts = whereabouts::headcounts(&state.node, &names).await?;
    let rows: Vec<Value> = infos.iter().zip(counts).map(|(info, count)| row(info, count)).collect();
    Ok(HttpResponse::Ok().json(json!({"groups": rows, "next_cursor": next_cursor})))
}

async fn group(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let name = group_name(&name)?;
    let node = &state.node;
    let info = node.stores.groups.info(&name).await?;
    let info = info.ok_or_else(|| ApiError::not_found("there is no such group"))?;
    let counts = whereabouts::headcounts(node, std::slice::from_ref(&name)).await?;
    let (views, total) = whereabouts::members(node, &name, MAX_MEMBERS).await?;
    let mut body = row(&info, counts.first().copied().unwrap_or_default());
    let sessions = views.into_iter().map(|view| {
        let mut member = json!(view);
        member["kind"] = "session".into();
        member
    });
    // Django's consumers are not Sophie's to know of when their Redis is away: the sessions are shown all the same.
    let django = node.layer.members(&name, MAX_MEMBERS).await.unwrap_or_default();
    let channels = django
        .into_iter()
        .map(|member| json!({"kind": "channel", "channel": member.channel, "since": timestamp_of(member.since_ms)}));
    body["members"] = sessions.chain(channels).collect();
    body["total"] = total.into();
    body["waiting"] = node.stores.desk.waits(&name).await?.as_ref().map(people::view).into();
    Ok(HttpResponse::Ok().json(body))
}

async fn nodes(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let nodes = whereabouts::nodes(&state.node).await?;
    Ok(HttpResponse::Ok().json(json!({"nodes": nodes})))
}

async fn speak(
    request: HttpRequest,
    name: Path<String>,
    body: Bytes,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let name = group_name(&name)?;
    let body = publish::Body::read(&body, &state.node)?;
    let key = publish::idempotency_key(&request, "operator")?;
    publish::publish(&state.node, name, body, (Speaker::Operator, "operator".into(), Role::Operator), key).await
}

async fn end_group(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let name = group_name(&name)?;
    let node = &state.node;
    let outcome = operators::end_group(node, &name).await?;
    let outcome = outcome.ok_or_else(|| ApiError::not_found("there is no such group"))?;
    Ok(carried_out(json!({"group": name, "left": outcome.done}), outcome))
}

/// 200 when everybody has done it, 202 with the names of the nodes that have yet to.
fn carried_out(mut body: Value, outcome: CarriedOut) -> HttpResponse {
    let done = audit::Done { done: outcome.done, pending: outcome.pending.len() };
    let mut response = match outcome.pending.is_empty() {
        true => HttpResponse::Ok().json(body),
        false => {
            body["pending"] = outcome.pending.into();
            HttpResponse::Accepted().json(body)
        }
    };
    response.extensions_mut().insert(done);
    response
}

async fn sessions(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let (page, limit) = PageQuery::of(&request)?;
    let cursor = page.cursor.as_deref();
    let mut views = whereabouts::sessions(&state.node, &page.prefix, cursor, limit + 1).await?;
    let next_cursor = cut(&mut views, limit, |view| view.session.to_string());
    Ok(HttpResponse::Ok().json(json!({"sessions": views, "next_cursor": next_cursor})))
}

fn session_name(text: &str) -> Result<SessionId, ApiError> {
    SessionId::parse(text).map_err(|bad| ApiError::bad_request(bad.to_string()))
}

async fn session(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let name = session_name(&name)?;
    let node = &state.node;
    let info = node.stores.groups.info(&name.home()).await?;
    let view = whereabouts::session(node, &name).await?;
    if info.is_none() && view.is_none() {
        return Err(ApiError::not_found("there is no such session"));
    }
    let mut body = match view {
        Some(view) => json!(view),
        None => {
            let record = node.stores.sessions.load(&name).await?;
            let groups: Vec<GroupName> = std::iter::once(name.home()).chain(record.groups).collect();
            json!({"session": name, "user": record.owner, "groups": groups, "sockets": []})
        }
    };
    body["answers"] = node.slots.taken(&name).await.into();
    body["feedback"] = node.stores.feedback.of_session(&name).await?.iter().map(ratings::view).collect();
    body["last_seq"] = info.as_ref().map(|info| info.last_seq).into();
    body["expires_at"] = info.as_ref().map(|info| timestamp_of(info.expires_at_ms)).into();
    Ok(HttpResponse::Ok().json(body))
}

async fn disconnect(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let name = session_name(&name)?;
    let outcome = operators::disconnect(&state.node, &name).await?;
    if outcome == CarriedOut::default() {
        return Err(ApiError::not_found("this session has no open socket"));
    }
    let closed = outcome.done;
    Ok(carried_out(json!({"session": name, "closed": closed}), outcome))
}
