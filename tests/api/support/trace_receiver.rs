//! A receiver of traces by OTLP over HTTP, which reads what it gets as the protocol has it.

use std::sync::{Arc, Mutex};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::{SOON, eventually};

#[derive(Default)]
struct Got {
    spans: Vec<ReadSpan>,
    bodies: Vec<Vec<u8>>,
    keys: Vec<String>,
}

/// The receiver. It ends with the runtime of its test.
pub struct TraceReceiver {
    port: u16,
    got: Arc<Mutex<Got>>,
}

/// A span as it was read.
#[derive(Debug, Clone)]
pub struct ReadSpan {
    /// All that was told of it.
    pub span: Span,
    /// Of the process that has told it.
    pub resource: Vec<KeyValue>,
}

impl TraceReceiver {
    /// Listens.
    pub async fn start() -> Self {
        let got = Arc::new(Mutex::new(Got::default()));
        let shared = Data::from(got.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(1 << 24))
                .route("/v1/traces", web::post().to(take))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a port");
        let port = server.addrs()[0].port();
        actix_web::rt::spawn(server.run());
        Self { port, got }
    }

    /// Its address, as settings have it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<ReadSpan> {
        self.got.lock().expect("whole").spans.clone()
    }

    /// The spans once there are so many that fit; more are a fault.
    pub async fn wait(&self, what: &str, count: usize, fits: impl Fn(&ReadSpan) -> bool) -> Vec<ReadSpan> {
        let found = eventually(what, SOON, async || {
            let found: Vec<ReadSpan> = self.spans().into_iter().filter(|span| fits(span)).collect();
            (found.len() >= count).then_some(found)
        });
        let found = found.await;
        assert_eq!(found.len(), count, "{what}: {found:#?}");
        found
    }

    /// The span of a name, once it is there; there is one alone.
    pub async fn named(&self, name: &str) -> ReadSpan {
        self.wait(name, 1, |span| span.span.name == name).await.remove(0)
    }

    /// Whether a text stands anywhere in what came.
    pub fn has_seen(&self, text: &str) -> bool {
        let got = self.got.lock().expect("whole");
        got.bodies.iter().any(|body| body.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    /// What the senders said in `authorization`.
    pub fn keys(&self) -> Vec<String> {
        self.got.lock().expect("whole").keys.clone()
    }
}

async fn take(request: HttpRequest, body: Bytes, got: Data<Mutex<Got>>) -> HttpResponse {
    let kind = request.headers().get("content-type").map(|kind| kind.as_bytes().to_vec());
    assert_eq!(kind.as_deref(), Some(&b"application/x-protobuf"[..]));
    let sent = ExportTraceServiceRequest::decode(body.clone()).expect("spans");
    let mut got = got.lock().expect("whole");
    for of_resource in sent.resource_spans {
        let resource = of_resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        got.spans.extend(spans.map(|span| ReadSpan { span, resource: resource.clone() }));
    }
    let key = request.headers().get("authorization").and_then(|key| key.to_str().ok());
    got.keys.extend(key.map(str::to_owned));
    got.bodies.push(body.to_vec());
    HttpResponse::Ok().body(ExportTraceServiceResponse::default().encode_to_vec())
}

impl ReadSpan {
    /// Its trace, as `traceparent` has it.
    pub fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// Its id.
    pub fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    /// The id of the span above it; empty: there is none.
    pub fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// An attribute as text, or what the numbers of it are.
    pub fn says(&self, key: &str) -> Option<String> {
        text(&self.span.attributes, key)
    }

    /// What is said of its process.
    pub fn process_says(&self, key: &str) -> Option<String> {
        text(&self.resource, key)
    }

    /// The spans that it is linked to.
    pub fn links(&self) -> Vec<String> {
        self.span.links.iter().map(|link| hex(&link.span_id)).collect()
    }

    /// What happened within it.
    pub fn events(&self) -> Vec<&str> {
        self.span.events.iter().map(|event| event.name.as_str()).collect()
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(shown(&value))
}

fn shown(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        Value::ArrayValue(all) => {
            let each = all.values.iter().filter_map(|value| value.value.as_ref());
            each.map(shown).collect::<Vec<_>>().join(",")
        }
        other => format!("{other:?}"),
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
