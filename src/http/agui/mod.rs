//! `/ag-ui`: the runs of AG-UI, over plain HTTP. A thread is a session, and a run is an answer in its chat: the same run asked for again, at
//! whichever node, is joined and nothing is asked.

mod asking;
mod calls;
mod capabilities;
mod claim;
mod finding;
mod model;
mod stream;
mod with;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header;
use actix_web::web::{self, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use sophie_actors::cluster;

use super::chat::{begun, enter, may_stop};
use super::visitor::text;
use super::{ApiError, State, no_route, only};
use asking::Asked;
use finding::KnownRun;

/// The routes.
pub fn scope() -> impl HttpServiceFactory {
    web::scope("/ag-ui")
        .service(web::resource("").route(web::post().to(post)).default_service(only("POST")))
        .service(web::resource("/capabilities").route(web::get().to(capabilities::tell)).default_service(only("GET")))
        .service(web::resource("/threads/{thread}").route(web::get().to(active)).default_service(only("GET")))
        .service(web::resource("/threads/{thread}/runs/{run}").route(web::get().to(read)).default_service(only("GET")))
        .service(
            web::resource("/threads/{thread}/runs/{run}/cancel")
                .route(web::post().to(cancel))
                .default_service(only("POST")),
        )
        .service(web::resource("/{model:.+}").route(web::post().to(post_to)).default_service(only("POST")))
        .default_service(web::to(no_route))
}

/// `POST /ag-ui`: begins a run, or joins it.
async fn post(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    respond(&request, payload, &state, None).await
}

/// `POST /ag-ui/{model}`: the same, of this model.
async fn post_to(
    request: HttpRequest,
    model: Path<String>,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    respond(&request, payload, &state, Some(model.into_inner())).await
}

async fn respond(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    model: Option<String>,
) -> Result<HttpResponse, ApiError> {
    match asking::run(request, payload, state, model).await? {
        Asked::Run { run, snapshot } => Ok(stream::respond(state, run, snapshot)),
        Asked::Busy { thread, run } => Ok(stream::busy(&thread, &run)),
    }
}

/// `GET /ag-ui/threads/{thread}`: the run that is under way; 204 without one. As its events, to who takes nothing else.
async fn active(request: HttpRequest, thread: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let guest = enter(&request, &thread, &state).await?;
    let thread = guest.session;
    let Some((id, answer)) = finding::active(&state, &thread).await? else {
        return Ok(HttpResponse::NoContent().finish());
    };
    if text(request.headers(), header::ACCEPT) != Some("text/event-stream") {
        return Ok(HttpResponse::Ok().json(json!({"threadId": thread, "runId": id, "answer": answer})));
    }
    let reader = begun(&state, &answer).await?;
    Ok(stream::respond(&state, KnownRun { thread, id, answer, reader }, None))
}

/// `GET /ag-ui/threads/{thread}/runs/{run}`: the events of a run behind `Last-Event-ID`, or all of them. 204: there are no more.
async fn read(
    request: HttpRequest,
    path: Path<(String, String)>,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let (thread, run) = path.into_inner();
    let from = finding::behind_last_event(&request, &run)?;
    let guest = enter(&request, &thread, &state).await?;
    let run = finding::run(&state, &guest.session, &run).await?;
    stream::resume(&state, run, from).await
}

/// `POST /ag-ui/threads/{thread}/runs/{run}/cancel`: ends a run. One that has ended stays as it is.
async fn cancel(
    request: HttpRequest,
    path: Path<(String, String)>,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let (thread, run) = path.into_inner();
    let session = may_stop(&request, &thread, &state).await?;
    let run = finding::run(&state, &session, &run).await?;
    cluster::stop(&state.node, &run.answer).await?;
    Ok(HttpResponse::Accepted().json(json!({"threadId": run.thread, "runId": run.id})))
}
