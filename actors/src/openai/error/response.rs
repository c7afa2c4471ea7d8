//! An error out of a response's body. Pure.

use serde_json::Value;

use super::ReportedError;

/// How much of a refusal's body goes to the log, in characters.
const BEGINNING_CHARS: usize = 300;
/// Stands for a body that breaks off: what was asked may be in it.
const TORN: &str = "JSON that breaks off";
impl ReportedError {
    /// What a refusal's body says: an error in any shape, plain text, a web page's title.
    pub fn in_response(body: &[u8]) -> Self {
        let beginning = beginning(body);
        let parsed = serde_json::from_slice::<Value>(body).ok();
        let text = String::from_utf8_lossy(body);
        let words = |message: &str| Self { message: message.trim().to_owned(), ..Self::default() };
        let found = match &parsed {
            Some(body) => Self::in_words(body).or_else(|| Self::find(body)).unwrap_or_default(),
            None if is_page(&beginning) => words(title(&text)),
            None if beginning == TORN => Self::default(),
            None => words(&text),
        };
        Self { beginning: beginning.into(), ..found }
    }
}

/// The beginning of a refusal's body, for the log. What was asked is not repeated: FastAPI likes to send it back.
pub fn beginning(body: &[u8]) -> String {
    const ASKED: [&str; 8] = ["input", "messages", "content", "prompt", "ctx", "body", "request", "choices"];
    fn without_question(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(without_question),
            Value::Object(fields) => {
                fields.retain(|name, _| !ASKED.contains(&name.as_str()));
                fields.values_mut().for_each(without_question);
            }
            _ => {}
        }
    }
    let cut = |text: &str| text.chars().take(BEGINNING_CHARS).collect();
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            without_question(&mut value);
            cut(&value.to_string())
        }
        Err(_) if body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[") => {
            TORN.to_owned()
        }
        Err(_) => cut(String::from_utf8_lossy(body).trim_start_matches('\u{feff}').trim_start()),
    }
}

/// Whether a text is a web page.
pub fn is_page(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// A web page's title; empty if it has none.
fn title(page: &str) -> &str {
    let lower = page.to_ascii_lowercase();
    let begin = lower.find("<title").and_then(|at| Some(at + lower[at..].find('>')? + 1));
    let end = lower.find("</title");
    begin.zip(end).and_then(|(begin, end)| page.get(begin..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_json_in_text_and_in_pages() {
        for (body, words) in [
            (r#"{"detail":[{"loc":["body","n"],"msg":"too many","input":"secret"}]}"#, "body.n: too many"),
            ("\"no\"", "no"),
            (" no such thing \n", "no such thing"),
            ("<html><head><title>404 Not Found</title></head><body>nginx</body></html>", "404 Not Found"),
            ("<html></html>", ""),
            ("", ""),
            (r#"{"detail":"breaks o"#, ""),
        ] {
            let found = ReportedError::in_response(body.as_bytes());
            assert_eq!(found.message, words, "{body}");
            assert!(!found.beginning.contains("secret"));
        }
        assert_eq!(&*ReportedError::in_response(b"<html>x").beginning, "<html>x");
    }
}
