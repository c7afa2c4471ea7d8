//! The AI backends: whether each can be reached, takes its key, and has the models that it would be asked for.

use std::time::Duration;

use futures_util::future::join_all;

use super::finding::{Area, Finding};
use super::in_time;
use crate::app::members;
use crate::auth::patterns::Pattern;
use crate::settings::{AiBackend, Settings};
use crate::upstream::{MemberOptions, OpenAi, Trouble, Unusable};

/// What a model gets for one token, at most: one that is loaded first needs long.
const TOKEN_WAIT: u64 = 60;

/// What it means that a backend cannot be used.
const MEANS: &str = "questions to it fail";

pub(super) async fn findings(settings: &Settings, ask: bool) -> Vec<Finding> {
    if settings.ai_backend() == AiBackend::Demo {
        return vec![Finding::ok("ai_demo", Area::Ai, "demo", "the built-in demo answers; no model is asked")];
    }
    let (ai, members) = (&settings.ai, members(&settings.ai));
    let model = &ai.answers.model;
    let mut findings = Vec::new();
    if !members.iter().any(|member| serves(member, model)) {
        findings.push(Finding::fault(
            "ai_no_backend",
            Area::Ai,
            "ai.model",
            format!("no backend serves {model:?}"),
            "no question in a chat is answered",
            "set ai.model to a model of a backend, or add it to the models of one",
        ));
    }
    let each = members.into_iter().map(|member| async move {
        let name = member.name.clone();
        let models = asked_for(&member, model);
        let patience = Duration::from_secs(member.reach.first_chunk_seconds.min(TOKEN_WAIT));
        let client = match client(member) {
            Ok(client) => client,
            Err(finding) => return vec![finding],
        };
        let mut found =
            in_time("ai_silent", Area::Ai, &name, async { vec![listed(&name, &client, &models).await] }).await;
        let is_there = found.iter().all(|finding| !matches!(finding.code, "ai_away" | "ai_silent"));
        if ask && is_there {
            let asked = models.iter().map(|model| asked(&name, &client, model, patience));
            found.extend(join_all(asked).await);
        }
        found
    });
    findings.extend(join_all(each).await.into_iter().flatten());
    findings
}

fn serves(member: &MemberOptions, model: &str) -> bool {
    member.models.iter().any(|pattern| Pattern::from(pattern.as_str()).matches(model))
}

/// The models by name that it would be asked for.
fn asked_for(member: &MemberOptions, model: &str) -> Vec<String> {
    if !member.reach.model.is_empty() {
        return vec![member.reach.model.clone()];
    }
    let named = member.models.iter().filter(|name| !name.contains(['*', '?'])).cloned();
    let mut models: Vec<String> = named.collect();
    if serves(member, model) && !models.iter().any(|known| known == model) {
        models.insert(0, model.to_owned());
    }
    models
}

fn client(member: MemberOptions) -> Result<OpenAi, Finding> {
    let (name, mut reach) = (member.name, member.reach);
    // One answer tells all.
    reach.retries = 0;
    reach.connect_seconds = reach.connect_seconds.min(super::PROBE.as_secs());
    OpenAi::new(reach).map_err(|bad| {
        let advice = "mend the setting that is named";
        Finding::fault("ai_settings", Area::Ai, name, bad.to_string(), "a node does not start", advice)
    })
}

async fn listed(name: &str, client: &OpenAi, models: &[String]) -> Finding {
    let place = client.place();
    let offered = match client.list_models().await {
        Ok(offered) => offered,
        Err(unusable) => return of(name, place, &unusable),
    };
    let missing: Vec<&str> = models.iter().filter(|model| !is_offered(model, &offered)).map(String::as_str).collect();
    if missing.is_empty() {
        let found = format!("{place} answers, and has {} of {} models", quoted(models), offered.len());
        return Finding::ok("ai_ok", Area::Ai, name, found);
    }
    let some: Vec<&str> = offered.iter().map(String::as_str).take(5).collect();
    Finding::fault(
        "ai_model",
        Area::Ai,
        name,
        format!("{place} does not offer {}", missing.join(", ")),
        "questions to that model fail",
        format!(
            "set ai.model (or `model` of the backend) to one that it has ({}), or add the model there",
            some.join(", ")
        ),
    )
}

fn quoted(models: &[String]) -> String {
    if models.is_empty() { "none by name".to_owned() } else { models.join(", ") }
}

/// Servers list some models by a longer name than the one that they can be asked by.
fn is_offered(model: &str, offered: &[String]) -> bool {
    offered.iter().any(|name| {
        name == model
            || name.strip_suffix(":latest") == Some(model)
            || name.strip_prefix("models/") == Some(model)
            || Some(name.as_str()) == model.strip_suffix(":latest")
    })
}

fn of(name: &str, place: &str, unusable: &Unusable) -> Finding {
    let detail = &unusable.detail;
    let fault = |code, found: String, advice: &str| Finding::fault(code, Area::Ai, name, found, MEANS, advice);
    match unusable.trouble {
        Trouble::Away => {
            fault("ai_away", format!("{place} cannot be reached: {detail}"), "start it, or set base_url to where it is")
        }
        Trouble::Silent => fault(
            "ai_silent",
            format!("{place} does not answer in time"),
            "see that it runs, and that this machine reaches it (a proxy, a firewall)",
        ),
        Trouble::Account => fault(
            "ai_key",
            format!("{place} does not take the key: {detail}"),
            "set OPENAI_API_KEY (ai.api_key, or api_key of the backend) to a key that is good there",
        ),
        Trouble::Elsewhere => fault(
            "ai_address",
            format!("there is no OpenAI-compatible API at {place}: {detail}"),
            "set base_url to the address up to /v1, such as http://127.0.0.1:11434/v1",
        ),
        Trouble::NoModel => fault(
            "ai_model",
            format!("{place} does not have the model: {detail}"),
            "set ai.model (or `model` of the backend) to one that it has",
        ),
        Trouble::Unlisted => Finding::warning(
            "ai_unlisted",
            Area::Ai,
            name,
            format!("{place} answers, and does not list its models"),
            "whether it has the model is not known",
            "ask it for one token: sophie check --ask",
        ),
        Trouble::Other => {
            fault("ai_trouble", format!("{place} does not answer as it should: {detail}"), "look at its log")
        }
    }
}

async fn asked(name: &str, client: &OpenAi, model: &str, patience: Duration) -> Finding {
    match client.ask_for_a_token(model, patience).await {
        Ok(()) => Finding::ok("ai_asked", Area::Ai, name, format!("{model} has answered")),
        Err(unusable) => {
            let told = of(name, client.place(), &unusable);
            Finding { found: format!("{model} does not answer: {}", told.found), ..told }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_may_be_listed_by_a_longer_name() {
        let offered = ["llama3.2:latest".to_owned(), "models/gemini".to_owned(), "gpt".to_owned()];
        for good in ["llama3.2", "llama3.2:latest", "gemini", "gpt", "gpt:latest"] {
            assert!(is_offered(good, &offered), "{good}");
        }
        for bad in ["llama3", "gpt-4o", "models", "latest"] {
            assert!(!is_offered(bad, &offered), "{bad}");
        }
    }

    #[test]
    fn a_backend_is_asked_for_the_models_that_it_has_a_name_for() {
        let member = |models: &[&str], model: &str| MemberOptions {
            name: "a".into(),
            models: models.iter().map(|it| (*it).to_owned()).collect(),
            url: String::new(),
            reach: crate::upstream::OpenAiOptions { model: model.into(), ..Default::default() },
        };
        assert_eq!(asked_for(&member(&["*"], ""), "gpt"), ["gpt"]);
        assert_eq!(asked_for(&member(&["a", "b-*"], ""), "gpt"), ["a"]);
        assert_eq!(asked_for(&member(&["gpt", "a"], ""), "gpt"), ["gpt", "a"]);
        assert_eq!(asked_for(&member(&["*"], "own"), "gpt"), ["own"]);
    }
}
