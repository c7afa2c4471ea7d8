//! A text frame of a client, read as a command.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{
    AskForPerson, BadCommand, Command, CommandBody, ErrorCode, GiveFeedback, Image, JoinGroup, METADATA_DEPTH, Refusal,
    SendMessage, is_map_deeper,
};
use crate::ids::{AnswerId, CommandId, Epoch, GroupName, MessageId, cut};

/// Events in a `history` reply when the client does not say how many.
const DEFAULT_HISTORY: usize = 50;
/// The most events in a `history` reply.
const MAX_HISTORY: usize = 100;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SendFields {
    text: String,
    images: Option<Vec<Image>>,
    group: Option<GroupName>,
    assistant: Option<bool>,
    metadata: Option<Map<String, Value>>,
    steer: Option<bool>,
}

#[derive(Deserialize)]
struct AnswerFields {
    answer: AnswerId,
}

#[derive(Deserialize)]
struct MessageFields {
    message: MessageId,
}

#[derive(Deserialize)]
struct TokenFields {
    token: String,
}

#[derive(Deserialize)]
struct GroupFields {
    group: GroupName,
}

#[derive(Deserialize)]
struct MaybeGroupFields {
    group: Option<GroupName>,
}

#[derive(Deserialize)]
struct JoinFields {
    group: GroupName,
    since: Option<u64>,
    epoch: Option<Epoch>,
}

#[derive(Deserialize)]
struct HistoryFields {
    group: Option<GroupName>,
    before: Option<u64>,
    limit: Option<u64>,
}

impl Command {
    /// Parses one text frame. `max_text_chars` bounds the text of a message, in Unicode scalar values.
    ///
    /// # Errors
    /// Says what is wrong with the frame, with the id that it bore if that could be read.
    pub fn parse(frame: &str, max_text_chars: usize) -> Result<Self, BadCommand> {
        let bad = |code, message: &str| BadCommand { id: None, refusal: Refusal::new(code, message) };
        if !frame.trim_start().starts_with('{') {
            return Err(bad(ErrorCode::BadJson, "a command is one JSON object in one text frame"));
        }
        let envelope: Envelope = serde_json::from_str(frame).map_err(|error| {
            // A duplicate `type` or `id` is a data error: legal JSON, but no command.
            match error.is_data() {
                true => bad(ErrorCode::BadRequest, "`type` and `id` may stand only once in a command"),
                false => bad(ErrorCode::BadJson, "the frame is not one valid JSON object"),
            }
        })?;
        let id = match envelope.id.map(|raw| serde_json::from_str::<Option<CommandId>>(raw.get())) {
            None => None,
            Some(Ok(id)) => id,
            Some(Err(_)) => return Err(bad(ErrorCode::BadRequest, "`id` is a string of 1 to 64 characters")),
        };
        let fail = |code, message: String| BadCommand { id: id.clone(), refusal: Refusal::new(code, message) };
        let kind = match envelope.kind.map(|raw| serde_json::from_str::<String>(raw.get())) {
            Some(Ok(kind)) => kind,
            _ => return Err(fail(ErrorCode::BadRequest, "`type` is missing or no string".into())),
        };
        let wrong = |error: serde_json::Error| fail(ErrorCode::BadRequest, format!("{kind}: {}", sentence(&error)));
        let body = match kind.as_str() {
            "message.send" => {
                if id.is_none() {
                    return Err(fail(
                        ErrorCode::BadRequest,
                        "message.send needs an `id`, so that it can be retried".into(),
                    ));
                }
                let fields: SendFields = serde_json::from_str(frame).map_err(wrong)?;
                if fields.text.trim().is_empty() {
                    return Err(fail(ErrorCode::BadRequest, "`text` is empty".into()));
                }
                // No text has more characters than bytes: count only when it can matter.
                if fields.text.len() > max_text_chars && fields.text.chars().count() > max_text_chars {
                    let message = format!("`text` is longer than {max_text_chars} characters; send it in parts");
                    return Err(fail(ErrorCode::TooLarge, message));
                }
                if fields.metadata.as_ref().is_some_and(|metadata| is_map_deeper(metadata, METADATA_DEPTH)) {
                    let message = format!("`metadata` is nested more than {METADATA_DEPTH} deep");
                    return Err(fail(ErrorCode::BadRequest, message));
                }
                let (assistant, steer) = (fields.assistant.unwrap_or(true), fields.steer.unwrap_or(false));
                if steer && !assistant {
                    let message = "`steer` is for messages that the assistant answers; leave it out or set `assistant`";
                    return Err(fail(ErrorCode::BadRequest, message.into()));
                }
                CommandBody::Send(SendMessage {
                    text: fields.text,
                    images: fields.images.unwrap_or_default(),
                    group: fields.group,
                    assistant,
                    metadata: fields.metadata,
                    steer,
                })
            }
            "answer.cancel" => {
                CommandBody::CancelAnswer(serde_json::from_str::<AnswerFields>(frame).map_err(wrong)?.answer)
            }
            "answer.retry" => {
                CommandBody::RetryAnswer(serde_json::from_str::<MessageFields>(frame).map_err(wrong)?.message)
            }
            "auth.refresh" => {
                CommandBody::RefreshToken(serde_json::from_str::<TokenFields>(frame).map_err(wrong)?.token)
            }
            "group.join" => {
                let JoinFields { group, since, epoch } = serde_json::from_str(frame).map_err(wrong)?;
                CommandBody::Join(JoinGroup { group, since, epoch })
            }
            "group.leave" => CommandBody::Leave(serde_json::from_str::<GroupFields>(frame).map_err(wrong)?.group),
            "group.members" => CommandBody::Members(serde_json::from_str::<GroupFields>(frame).map_err(wrong)?.group),
            "group.typing" => {
                CommandBody::Typing(serde_json::from_str::<MaybeGroupFields>(frame).map_err(wrong)?.group)
            }
            "history.get" => {
                let HistoryFields { group, before, limit } = serde_json::from_str(frame).map_err(wrong)?;
                let limit = limit.map_or(Some(DEFAULT_HISTORY), |limit| usize::try_from(limit).ok());
                match limit {
                    Some(limit) if (1..=MAX_HISTORY).contains(&limit) => CommandBody::History { group, before, limit },
                    _ => return Err(fail(ErrorCode::BadRequest, format!("`limit` is 1 to {MAX_HISTORY}"))),
                }
            }
            "feedback" => {
                let given: GiveFeedback = serde_json::from_str(frame).map_err(wrong)?;
                CommandBody::Feedback(given.checked().map_err(|refusal| BadCommand { id: id.clone(), refusal })?)
            }
            "person.ask" => {
                let ask: AskForPerson = serde_json::from_str(frame).map_err(wrong)?;
                CommandBody::AskPerson(ask.checked().map_err(|refusal| BadCommand { id: id.clone(), refusal })?)
            }
            "ping" => CommandBody::Ping,
            _ => return Err(fail(ErrorCode::UnknownType, "there is no command of this type".into())),
        };
        Ok(Self { id, body })
    }
}

/// The longest of what serde says, in bytes: it repeats the value that is wrong, however long that is.
const MOST_SAID: usize = 200;

/// serde's message without its position, which says nothing about a frame of one line.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let said = text.rfind(" at line ").map_or(&*text, |end| &text[..end]);
    match cut(said, MOST_SAID) {
        whole if whole == said => whole.to_owned(),
        beginning => format!("{beginning}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(frame: &str) -> ErrorCode {
        Command::parse(frame, 10).expect_err("refused").refusal.code
    }

    #[test]
    fn what_is_no_command_is_refused_by_the_right_code() {
        assert_eq!(code_of("nonsense"), ErrorCode::BadJson);
        assert_eq!(code_of("[]"), ErrorCode::BadJson);
        assert_eq!(code_of("{\"type\":"), ErrorCode::BadJson);
        assert_eq!(code_of("{\"type\":\"ping\"} x"), ErrorCode::BadJson);
        assert_eq!(code_of("{}"), ErrorCode::BadRequest);
        assert_eq!(code_of("{\"type\":7}"), ErrorCode::BadRequest);
        assert_eq!(code_of("{\"type\":\"nope\"}"), ErrorCode::UnknownType);
        assert_eq!(code_of("{\"type\":\"message.send\",\"text\":\"hi\"}"), ErrorCode::BadRequest);
        assert_eq!(code_of("{\"type\":\"message.send\",\"id\":\"1\",\"text\":\" \"}"), ErrorCode::BadRequest);
        assert_eq!(code_of("{\"type\":\"message.send\",\"id\":\"1\",\"text\":\"01234567890\"}"), ErrorCode::TooLarge);
        assert_eq!(code_of("{\"type\":\"history.get\",\"limit\":0}"), ErrorCode::BadRequest);
        assert_eq!(code_of("{\"type\":\"history.get\",\"limit\":101}"), ErrorCode::BadRequest);
        assert_eq!(code_of("{\"type\":\"ping\",\"id\":5}"), ErrorCode::BadRequest);
        assert_eq!(code_of("{\"type\":\"ping\",\"id\":\"\"}"), ErrorCode::BadRequest);
    }

    #[test]
    fn a_refusal_bears_the_id_of_its_command() {
        let bad = Command::parse("{\"id\":\"c9\",\"type\":\"group.join\",\"group\":\"a b\"}", 10).expect_err("refused");
        assert_eq!(bad.id.expect("an id").as_str(), "c9");
        assert!(bad.refusal.message.contains("group name"), "{}", bad.refusal.message);
    }

    #[test]
    fn a_refusal_repeats_no_more_than_the_beginning_of_what_is_wrong() {
        let long = "é".repeat(50_000);
        for (kind, field) in
            [("message.send\",\"text\":\"hi", "assistant"), ("group.join", "group"), ("group.join", "since")]
        {
            let frame = format!("{{\"id\":\"c\",\"type\":\"{kind}\",\"{field}\":\"{long}\"}}");
            let message = Command::parse(&frame, 10).expect_err("refused").refusal.message;
            assert!(message.len() < 300 && message.starts_with(&kind[..10]), "{message}");
        }
    }

    #[test]
    fn metadata_is_nested_so_deep_and_no_deeper() {
        let nested = |deep: usize| format!("{}{}", "{\"a\":".repeat(deep - 1), "{".to_owned() + &"}".repeat(deep));
        let send =
            |deep| format!("{{\"type\":\"message.send\",\"id\":\"1\",\"text\":\"t\",\"metadata\":{}}}", nested(deep));
        assert!(Command::parse(&send(32), 10).is_ok());
        for deep in [33, 125, 200, 10_000] {
            let bad = Command::parse(&send(deep), 10).expect_err("refused");
            assert_eq!((bad.refusal.code, bad.id.expect("an id").as_str()), (ErrorCode::BadRequest, "1"), "{deep}");
        }
    }

    #[test]
    fn ids_of_this_service_are_no_longer_than_it_gives_them() {
        let long = "a".repeat(129);
        for fields in [
            format!("\"type\":\"answer.cancel\",\"answer\":\"{long}\""),
            format!("\"type\":\"answer.retry\",\"message\":\"{long}\""),
            format!("\"type\":\"group.join\",\"group\":\"g\",\"since\":1,\"epoch\":\"{long}\""),
        ] {
            assert_eq!(code_of(&format!("{{{fields}}}")), ErrorCode::BadRequest, "{fields}");
        }
    }

    #[test]
    fn text_is_counted_in_characters_and_unknown_fields_are_ignored() {
        let command = Command::parse("{\"type\":\"message.send\",\"id\":\"1\",\"text\":\"éééééééééé\",\"x\":1}", 10);
        assert!(matches!(command.expect("legal").body, CommandBody::Send(SendMessage { assistant: true, .. })));
    }
}
