//! For machines: whether this node lives, whether it takes sessions, what it counts.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};

use super::{ApiError, State};

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
        let mut databases = Map::new();
        for ping in redis.ping().await {
            let detail = match &ping.latency {
                Ok(latency) => json!({"reachable": true, "latency_ms": latency.as_secs_f64() * 1_000.0}),
                Err(_) => {
                    // Without the cache every question goes to the backend: slower and dearer, but ready.
                    if ping.database == "main" {
                        reasons.push("Redis does not answer".to_owned());
                    }
                    json!({"reachable": false})
                }
            };
            databases.insert(ping.database.to_owned(), detail);
        }
        details.insert("redis".into(), Value::Object(databases));
    }
    if let Some(router) = &state.router {
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

/// `GET /metrics`
pub async fn metrics(state: Data<State>) -> HttpResponse {
    if let Some(redis) = &state.redis {
        let away = i64::from(!redis.available());
        state.services.metrics.degraded.with_label_values(&["store"]).set(away);
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.services.metrics.render())
}
