//! One request to a backend in the figures that OpenTelemetry names for generative AI, and its span.

use reqwest::Url;
use sophie_actors::ids::RequestId;
use sophie_actors::ledger::Price;
use sophie_actors::metrics::Metrics;
use sophie_actors::openai::{BackendRequest, Chunk, Endpoint, is_plausible};
use sophie_actors::protocol::Usage;
use tokio::time::Instant;

use super::traced::{PROVIDER, Traced};

/// A request under way.
pub struct Operation {
    metrics: Metrics,
    name: &'static str,
    model: String,
    backend: String,
    began: Instant,
    /// When something was seen first of its answer.
    seen: Option<Instant>,
    request: BackendRequest,
    /// Bytes that have come.
    data: usize,
    usage: Option<Usage>,
    price: Price,
    traced: Traced,
}

/// Whom an operation is asked of.
pub struct Asked<'a> {
    /// The model that the backend is asked for.
    pub model: &'a str,
    /// The backend's name.
    pub backend: &'a str,
    /// Where it is.
    pub url: &'a Url,
    /// What the model costs that the caller named.
    pub price: Price,
}

impl Operation {
    /// Begins.
    pub fn begin(metrics: &Metrics, request: &BackendRequest, asked: Asked<'_>) -> Self {
        let Asked { model, backend, url, price } = asked;
        let name = match request.endpoint {
            Endpoint::ChatCompletions => "chat",
            Endpoint::Embeddings => "embeddings",
        };
        let traced = Traced::begin(name, request, model, url);
        traced.span().text("sophie.backend", backend);
        let (model, backend) = (metrics.model_label(model).to_owned(), backend.to_owned());
        let (metrics, request) = (metrics.clone(), request.clone());
        let began = Instant::now();
        Self { metrics, name, model, backend, began, seen: None, request, data: 0, usage: None, price, traced }
    }

    /// The request that it is sent for, in its span.
    pub fn request(&self) -> Option<RequestId> {
        RequestId::current_under(self.traced.span())
    }

    /// Something is seen of the answer.
    pub fn seen(&mut self) {
        if self.seen.is_none() && self.name == "chat" {
            let now = Instant::now();
            self.seen = Some(now);
            self.traced.span().event("first_token");
            let first = self.metrics.time_to_first_token.with_label_values(&self.labels());
            first.observe(now.duration_since(self.began).as_secs_f64());
        }
    }

    /// More of the answer has come. A count that cannot be would stay in the sums for good.
    pub fn chunk(&mut self, chunk: &Chunk) {
        self.data += chunk.raw.len();
        self.traced.chunk(chunk);
        let usage = chunk.usage.filter(|usage| is_plausible(*usage, &self.request, self.data));
        self.usage = usage.or(self.usage);
    }

    /// It has ended. `error`: what kind of one it ended in, or nothing.
    pub fn ended(&self, error: &str) {
        self.traced.ended(error, self.usage);
        let [name, provider, model, backend] = self.labels();
        let duration = self.metrics.operation_duration.with_label_values(&[name, provider, model, backend, error]);
        duration.observe(self.began.elapsed().as_secs_f64());
        let Some(usage) = self.usage else { return };
        for (kind, tokens) in [("input", usage.prompt_tokens), ("output", usage.completion_tokens)] {
            let figure = self.metrics.token_usage.with_label_values(&[name, provider, model, backend, kind]);
            figure.observe(tokens as f64);
        }
        let cost = self.metrics.backend_cost.with_label_values(&[&self.backend]);
        cost.inc_by(self.price.nanos(usage) as f64 / 1e9);
        if let (Some(seen), Some(between), "") = (self.seen, usage.completion_tokens.checked_sub(1), error)
            && between > 0
        {
            let each = seen.elapsed().as_secs_f64() / between as f64;
            self.metrics.time_per_output_token.with_label_values(&self.labels()).observe(each);
        }
    }

    fn labels(&self) -> [&str; 4] {
        [self.name, PROVIDER, &self.model, &self.backend]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sophie_actors::openai::ChunkWriter;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_token_and_the_others_are_told_apart() {
        let metrics = Metrics::new();
        let request = BackendRequest::new("m", &[]);
        let url = Url::parse("http://h/v1").unwrap();
        let price = Price { prompt_per_million: 1_000.0, completion_per_million: 100_000.0 };
        let asked = Asked { model: "m", backend: "b", url: &url, price };
        let mut operation = Operation::begin(&metrics, &request, asked);
        tokio::time::advance(Duration::from_millis(500)).await;
        operation.seen();
        tokio::time::advance(Duration::from_secs(2)).await;
        operation.seen();
        let count = |tokens: u64| {
            ChunkWriter::new("m").usage(Usage { prompt_tokens: 7, completion_tokens: tokens, total_tokens: tokens })
        };
        operation.chunk(&count(5));
        operation.chunk(&count(u64::MAX));
        operation.ended("");
        let text = metrics.render();
        let labels =
            r#"backend="b",gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="m""#;
        for line in [
            format!("gen_ai_server_time_to_first_token_seconds_sum{{{labels}}} 0.5"),
            format!("gen_ai_server_time_to_first_token_seconds_count{{{labels}}} 1"),
            format!("gen_ai_server_time_per_output_token_seconds_sum{{{labels}}} 0.5"),
            format!(r#"gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="output"}} 5"#),
            // 7 thousandths for what it read, 5 tenths for what it wrote.
            r#"sophie_backend_cost_total{backend="b"} 0.507"#.to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        let duration = text.lines().find(|line| line.starts_with("gen_ai_client_operation_duration_seconds_sum"));
        assert!(
            duration.is_some_and(|line| line.contains(r#"error_type="""#) && line.ends_with(" 2.5")),
            "{duration:?}"
        );
    }
}
