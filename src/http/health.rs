//! For machines: whether this node lives, whether it takes sessions, what it counts.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};
use sophie_actors::dependencies::Doing;

use super::{ApiError, State, redis};

/// `GET /health/live`
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// `GET /health/ready`
pub async fn ready(state: Data<State>) -> HttpResponse {
    let mut reasons = Vec::new();
    if state.is_draining() {
        reasons.push("this node is draining".to_owned());
    }
    let mut details = Map::new();
    if let Some(redis) = &state.redis {
        let looks = state.databases().await;
        // Without the cache every question goes to the backend: slower and dearer, but ready. A link that is known to be lost
        // is told before the next look.
        if let Some(why) = redis.away() {
            // In Redis' own words: a password that is refused is no server that is away.
            reasons.push(format!("Redis cannot be used: {why}"));
        } else if looks.iter().any(|look| look.database == "main" && look.ping.is_err()) {
            reasons.push("Redis does not answer".to_owned());
        }
        reasons.extend(state.node.metrics.dependencies.refusals.reasons());
        let databases = looks.iter().map(|look| {
            let detail = match &look.ping {
                Ok(latency) => json!({"reachable": true, "latency_ms": latency.as_secs_f64() * 1_000.0}),
                Err(_) => match &look.away {
                    Some(why) => json!({"reachable": false, "reason": why}),
                    None => json!({"reachable": false}),
                },
            };
            (look.database.to_owned(), detail)
        });
        details.insert("redis".into(), Value::Object(databases.collect()));
        let warnings = redis::warnings(&looks);
        redis::tell(&warnings);
        if !warnings.is_empty() {
            details.insert("warnings".into(), warnings.into());
        }
    }
    let dependencies = state.node.metrics.dependencies.doing();
    let dependencies = dependencies.into_iter().map(|doing| (doing.dependency.to_owned(), detail(&doing)));
    details.insert("dependencies".into(), Value::Object(dependencies.collect()));
    if let Some(router) = &state.policy().router {
        // Without a model there is still a chat: a matter to know of, not to send people elsewhere for.
        let (backends, available) = router.availability();
        details.insert("ai".into(), json!({"backends": backends, "available": available}));
    }
    if reasons.is_empty() {
        return HttpResponse::Ok().json(json!({"status": "ready", "details": details}));
    }
    let mut body = ApiError::body("not_ready", &reasons.join("; "));
    body["status"] = "not_ready".into();
    body["reasons"] = reasons.into();
    body["details"] = details.into();
    HttpResponse::ServiceUnavailable().json(body)
}

fn detail(doing: &Doing) -> Value {
    let mut detail = json!({"state": if doing.mode.is_some() { "degraded" } else { "ok" }});
    if let Some(since) = &doing.since {
        detail["since"] = since.as_str().into();
    }
    if let Some(mode) = doing.mode {
        detail["mode"] = mode.into();
    }
    detail
}

/// How long the registry may take to show how busy it is, so that whoever asks gets the other figures in any case.
const REGISTRY: Duration = Duration::from_secs(1);

/// `GET /metrics`
pub async fn metrics(state: Data<State>) -> HttpResponse {
    let waited = state.node.registry.delay(REGISTRY).await;
    state.node.metrics.registry_wait_seconds.set(waited.as_secs_f64());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.node.metrics.render())
}
