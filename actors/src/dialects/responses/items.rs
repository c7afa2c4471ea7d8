//! The items of a conversation as they are kept: each as its own text, and with an id by which it is found again. Pure.

use bytestring::ByteString;
use serde_json::{Value, json};

use crate::dialects::BadRequest;
use crate::openai::{Api, Body, ChatMessage, each_element};

use super::request::input_messages;
use super::{Item, ItemStatus, Response};

/// Items, in their order, as JSON texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Items(Vec<String>);

impl Items {
    /// Those that a request's `input` says. What has no id gets one out of the answer's; what is wrong with them is left as it is.
    /// `None`: it is neither a text nor a list.
    pub fn of_input(request: &Body, answer: &str) -> Option<Self> {
        let input = request.get("input")?;
        if input.starts_with('"') {
            let message = json!({"type": "message", "role": "user"}).to_string();
            let message = Body::parse(&message.into()).ok().map(|mut message| {
                message.set_text("content", input.to_owned());
                named(message, answer, 0)
            });
            return message.map(|message| Self(vec![message]));
        }
        if !input.starts_with('[') {
            return None;
        }
        let mut items = Vec::new();
        each_element(input, |text| {
            let item = match Body::parse(&ByteString::from(text)) {
                Ok(item) => named(item, answer, items.len()),
                Err(_) => text.to_owned(),
            };
            items.push(item);
        });
        Some(Self(items))
    }

    /// Those of a list as [`Self::json`] writes it.
    pub fn read(list: &str) -> Self {
        let mut items = Vec::new();
        each_element(list, |text| items.push(text.to_owned()));
        Self(items)
    }

    /// The same as a JSON list.
    pub fn json(&self) -> String {
        format!("[{}]", self.0.join(","))
    }

    /// How many bytes they are.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(String::len).sum()
    }

    /// The text of each.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Adds others behind them.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Adds what a response says. A call that did not come to its end was never one.
    pub fn add_output(&mut self, response: &Response) {
        let is_lost =
            |item: &Item| matches!(item, Item::FunctionCall { status, .. } if *status != ItemStatus::Completed);
        let items = response.output.iter().filter(|item| !is_lost(item));
        self.0.extend(items.filter_map(|item| serde_json::to_string(item).ok()));
    }

    /// The ids of the items that are named, and not said.
    pub fn references(&self) -> Vec<String> {
        self.iter().filter_map(reference).collect()
    }

    /// Puts the items themselves in the place of those that are named.
    ///
    /// # Errors
    /// `known` has no such item.
    pub fn resolve(&mut self, known: &dyn Fn(&str) -> Option<String>) -> Result<(), BadRequest> {
        for (at, item) in self.0.iter_mut().enumerate() {
            if let Some(id) = reference(item) {
                let unknown = || BadRequest::new(format!("input[{at}].id"), "there is no such item");
                *item = known(&id).ok_or_else(unknown)?;
            }
        }
        Ok(())
    }

    /// The item of an id.
    pub fn find(&self, id: &str) -> Option<&str> {
        self.iter().find(|item| id_of(item).as_deref() == Some(id))
    }

    /// The same as messages, for a backend that is asked by this API.
    ///
    /// # Errors
    /// Something of them is wrong.
    pub fn messages(&self, api: Api) -> Result<Vec<ChatMessage>, BadRequest> {
        let mut request = Body::default();
        request.set_text("input", self.json());
        input_messages(&request, api, &|_| None)
    }

    /// The same for a backend that speaks Responses: it knows no ids of ours, and takes thoughts back only as it sealed them.
    pub fn for_backend(&self) -> String {
        let items = self.iter().filter_map(|text| {
            let Ok(mut item) = Body::parse(&ByteString::from(text)) else { return Some(text.to_owned()) };
            if item.text("type").as_deref() == Some("reasoning") && !item.says("encrypted_content") {
                return None;
            }
            item.remove("id");
            Some(item.to_string())
        });
        format!("[{}]", items.collect::<Vec<_>>().join(","))
    }
}

/// The id of an item.
pub fn id_of(item: &str) -> Option<String> {
    Body::parse(&ByteString::from(item)).ok()?.text("id")
}

fn reference(item: &str) -> Option<String> {
    // Most are long, and name nothing.
    let item = Some(item).filter(|item| item.contains("item_reference"))?;
    let item = Body::parse(&ByteString::from(item)).ok()?;
    item.text("id").filter(|_| item.text("type").as_deref() == Some("item_reference"))
}

/// An item with its type, an id, and a list of parts for its content.
fn named(mut item: Body, answer: &str, number: usize) -> String {
    if !item.says("type") {
        item.set("type", &"message".into());
    }
    let kind = item.text("type").unwrap_or_default();
    if !item.says("id") {
        let prefix = match kind.as_str() {
            "function_call" | "function_call_output" => "fc",
            "reasoning" => "rs",
            _ => "msg",
        };
        item.set("id", &Value::from(format!("{prefix}_{answer}_in{number}")));
    }
    let text = item.get("content").filter(|content| content.starts_with('"') && kind == "message").map(str::to_owned);
    if let Some(text) = text {
        let kind = if item.text("role").as_deref() == Some("assistant") { "output_text" } else { "input_text" };
        item.set_text("content", format!(r#"[{{"type":"{kind}","text":{text}}}]"#));
    }
    item.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(input: Value) -> Option<Items> {
        Items::of_input(&Body::parse(&json!({"input": input}).to_string().into()).expect("a body"), "a")
    }

    fn values(items: &Items) -> Value {
        serde_json::from_str(&items.json()).expect("JSON")
    }

    #[test]
    fn each_item_has_a_type_and_an_id_and_is_else_as_it_came() {
        let text = of(json!("hi \"you\"")).expect("items");
        let message = json!([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi \"you\""}], "id": "msg_a_in0"}]);
        assert_eq!(values(&text), message);
        let asked = json!([
            {"role": "assistant", "content": "yes"},
            {"type": "function_call_output", "call_id": "c", "output": "7"},
            {"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
            7,
        ]);
        let items = of(asked.clone()).expect("items");
        let read = values(&items);
        assert_eq!(read[0]["content"], json!([{"type": "output_text", "text": "yes"}]));
        assert_eq!((&read[0]["id"], &read[1]["id"], &read[2]), (&json!("msg_a_in0"), &json!("fc_a_in1"), &asked[2]));
        assert_eq!(read[3], 7);
        assert_eq!(Item::answer_of("fc_a_in1"), Some("a"));
        assert_eq!(Items::read(&items.json()), items);
        assert_eq!(items.find("mine"), items.iter().nth(2));
        assert_eq!((of(json!(7)), of(json!({}))), (None, None));
    }

    #[test]
    fn a_backend_gets_no_ids_and_no_thoughts_but_those_that_it_sealed() {
        let items = of(json!([
            {"type": "reasoning", "id": "rs_a_0", "summary": []},
            {"type": "reasoning", "id": "rs_a_1", "summary": [], "encrypted_content": "x"},
            {"type": "message", "id": "msg_a_2", "role": "user", "content": [], "x": 1.0},
        ]));
        let expected = r#"[{"encrypted_content":"x","summary":[],"type":"reasoning"},{"content":[],"role":"user","type":"message","x":1.0}]"#;
        assert_eq!(items.expect("items").for_backend(), expected);
    }

    #[test]
    fn what_is_named_is_put_in_its_place() {
        let asked = json!([{"type": "item_reference", "id": "x"}, {"role": "user", "content": "item_reference"}]);
        let mut items = of(asked).expect("items");
        assert_eq!(items.references(), ["x"]);
        let missing = items.clone().resolve(&|_| None).expect_err("refused");
        assert_eq!(missing.field, "input[0].id");
        let known = |id: &str| {
            (id == "x").then(|| json!({"type": "message", "role": "assistant", "content": "said"}).to_string())
        };
        items.resolve(&known).expect("known");
        let messages = items.messages(Api::ChatCompletions).expect("messages");
        assert_eq!(messages, [ChatMessage::says("assistant", "said"), ChatMessage::says("user", "item_reference")]);
    }
}
