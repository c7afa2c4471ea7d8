//! What a run is asked with, beside the text of its question.

use sophie_actors::answers::AskedWith;
use sophie_actors::dialects::agui::request::RunRequest;

/// What there is of it.
pub(super) fn of(asked: &RunRequest, model: Option<&str>) -> Option<Box<AskedWith>> {
    let question = &asked.question;
    let with = AskedWith {
        earlier: Vec::new(),
        parts: if question.has_files() { question.parts.clone() } else { Vec::new() },
        behind: asked.behind.clone(),
        tools: asked.tools.clone(),
        context: asked.context.clone(),
        model: model.map(str::to_owned),
    };
    (with != AskedWith::default()).then(|| Box::new(with))
}
