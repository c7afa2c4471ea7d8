//! Asking a backend once, for whoever wants to know before a node serves whether it would answer.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Response;
use serde_json::{Value, json};
use sophie_actors::openai::error::{Meaning, ReportedError};
use sophie_actors::openai::{Api, BackendRequest, Body, Endpoint, models};
use tokio::time::{Instant, timeout};

use super::OpenAi;
use crate::upstream::body::{self, pieces};
use crate::upstream::fault::{Fault, Stage, chain};
use crate::upstream::request;

/// How much of an answer is read, in bytes, and how long one request may take.
const BYTES: usize = 1024 * 1024;
const WAIT: Duration = Duration::from_millis(1_500);

/// What is wrong with a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody can be reached there.
    Away,
    /// Whoever is there does not answer in time.
    Silent,
    /// It does not take this key, or its account is of no use.
    Account,
    /// Whoever answers is no OpenAI-compatible API: the address is wrong.
    Elsewhere,
    /// It answers, and does not list its models.
    Unlisted,
    /// It does not have the model.
    NoModel,
    /// Anything else.
    Other,
}

/// A backend that could not be used as it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What is wrong.
    pub trouble: Trouble,
    /// In the backend's own words, without secrets.
    pub detail: String,
}

impl OpenAi {
    /// The names of the models that it lists.
    ///
    /// # Errors
    /// Why there is no list.
    pub async fn list_models(&self) -> Result<Vec<String>, Unusable> {
        let listed = match request::models(&self.embeddings) {
            Some(url) => self.read(self.client.get(url).send()).await,
            None => Err(Fault::Unreadable("no address of models".into())),
        };
        let fault = match listed {
            Ok(body) => match models::of_list(&body) {
                Some(list) => {
                    return Ok(list.iter().filter_map(|model| models::id(model).map(str::to_owned)).collect());
                }
                None => Fault::Status(200, ReportedError::in_response(&body)),
            },
            Err(fault) => fault,
        };
        let found = self.unusable(&fault);
        if !matches!(found.trouble, Trouble::Elsewhere | Trouble::Other) {
            return Err(found);
        }
        // Some list none, and answer. What asks nothing costs nothing: who is there refuses it.
        let asked = self.read(self.client.post(self.url.clone()).json(&json!({})).send()).await;
        let trouble = match &asked {
            Err(Fault::Status(..)) => match self.unusable(asked.as_ref().err().unwrap_or(&fault)).trouble {
                Trouble::Other | Trouble::NoModel => Trouble::Unlisted,
                trouble => trouble,
            },
            Ok(body) if serde_json::from_slice::<Value>(body).is_ok() => Trouble::Unlisted,
            _ => Trouble::Elsewhere,
        };
        Err(Unusable { trouble, ..found })
    }

    /// Asks a model for one token, and waits for the end of its answer.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn ask_for_a_token(&self, model: &str, within: Duration) -> Result<(), Unusable> {
        let deadline = Instant::now() + within;
        // OpenAI's Responses take no lower bound.
        let least = if self.options.api == Api::Responses { 16 } else { 1 };
        let asking = async {
            // Newer models know the one name of the bound alone, older servers the other.
            let mut refused = None;
            for bound in ["max_tokens", "max_completion_tokens"] {
                let mut body = Body::default();
                body.set("model", &model.into());
                body.set("messages", &json!([{"role": "user", "content": "Say yes."}]));
                body.set("stream", &true.into());
                body.set(bound, &least.into());
                let request = BackendRequest { body, endpoint: Endpoint::ChatCompletions, as_response: None };
                match self.ask(&request, deadline).await {
                    Ok(mut items) => {
                        while let Some(item) = items.next().await {
                            item?;
                        }
                        return Ok(());
                    }
                    Err(unanswered) if unanswered.fault.refuses(bound) => refused = Some(unanswered.fault),
                    Err(unanswered) => return Err(unanswered.fault),
                }
            }
            Err(refused.unwrap_or(Fault::Timeout(Stage::Whole)))
        };
        let asked = timeout(within, asking).await.unwrap_or(Err(Fault::Timeout(Stage::FirstChunk)));
        asked.map_err(|fault| self.unusable(&fault))
    }

    /// What came back, if it is no refusal.
    async fn read(&self, sending: impl Future<Output = reqwest::Result<Response>>) -> Result<Vec<u8>, Fault> {
        let reading = async {
            let response = sending.await.map_err(|error| Fault::Connection(chain(error)))?;
            let status = response.status();
            let body = body::beginning(pieces(response)?, BYTES, Instant::now() + WAIT).await;
            match status.is_success() {
                true => Ok(body),
                false => Err(Fault::Status(status.as_u16(), ReportedError::in_response(&body))),
            }
        };
        timeout(WAIT, reading).await.unwrap_or(Err(Fault::Timeout(Stage::FirstChunk)))
    }

    fn unusable(&self, fault: &Fault) -> Unusable {
        let trouble = match fault {
            Fault::Connection(_) | Fault::Timeout(Stage::Connect) => Trouble::Away,
            Fault::Timeout(_) => Trouble::Silent,
            fault => match fault.meaning() {
                Meaning::Account => Trouble::Account,
                Meaning::Elsewhere => Trouble::Elsewhere,
                Meaning::NoModel => Trouble::NoModel,
                _ => Trouble::Other,
            },
        };
        let detail = match fault {
            Fault::Timeout(_) => "no answer in time".to_owned(),
            fault => fault.detail(&self.secrets),
        };
        Unusable { trouble, detail }
    }
}
