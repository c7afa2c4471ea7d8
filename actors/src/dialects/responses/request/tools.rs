//! The tools of a request, and which of them are to be used.

use bytestring::ByteString;
use serde_json::{Value, json};

use super::said;
use crate::dialects::{BadRequest, function_tool};
use crate::openai::{Body, each_element};

/// Hosted tools that some clients always send, whether they are there or not; and those that take any text, which few backends know.
const LEFT_OUT: [&str; 3] = ["web_search", "namespace", "custom"];

/// A function that may be called.
struct Function {
    name: String,
    text: String,
}

/// Sets the tools that a backend can have, and says which are left out.
pub fn set(body: &mut Body, request: &Body) -> Result<Vec<String>, BadRequest> {
    let (mut functions, dropped) = read(request)?;
    let choice = choice(request, &mut functions)?;
    if functions.is_empty() {
        let must = choice.is_some_and(|choice| choice != "auto" && choice != "none");
        return if must { Err(BadRequest::new("tool_choice", "there is no such tool")) } else { Ok(dropped) };
    }
    let tools: Vec<&str> = functions.iter().map(|function| &*function.text).collect();
    body.set_text("tools", format!("[{}]", tools.join(",")));
    if let Some(choice) = choice {
        body.set("tool_choice", &choice);
    }
    if let Some(parallel) = said(request, "parallel_tool_calls") {
        body.set_text("parallel_tool_calls", parallel.to_owned());
    }
    Ok(dropped)
}

fn read(request: &Body) -> Result<(Vec<Function>, Vec<String>), BadRequest> {
    let (mut functions, mut dropped) = (Vec::new(), Vec::new());
    let Some(list) = said(request, "tools") else { return Ok((functions, dropped)) };
    if !list.starts_with('[') {
        return Err(BadRequest::expected("tools", "an array of tools"));
    }
    let mut texts = Vec::new();
    each_element(list, |text| texts.push(text));
    for (at, text) in texts.into_iter().enumerate() {
        let tool = Body::parse(&ByteString::from(text));
        let tool = tool.map_err(|_| BadRequest::expected(format!("tools[{at}]"), "an object"))?;
        let name = tool.text("name").filter(|name| !name.is_empty());
        match tool.text("type").as_deref() {
            Some("function") => {
                let name = name.ok_or_else(|| BadRequest::missing(format!("tools[{at}].name")))?;
                functions.push(Function { text: function_tool(tool), name });
            }
            Some(kind) if is_left_out(kind) => dropped.push(match name {
                Some(name) => format!("{kind}:{name}"),
                None => kind.to_owned(),
            }),
            _ => return Err(BadRequest::new(format!("tools[{at}].type"), "tools of this type are not supported")),
        }
    }
    Ok((functions, dropped))
}

/// The versions of a type have the same beginning: `web_search_preview`.
fn is_left_out(kind: &str) -> bool {
    LEFT_OUT.iter().any(|known| kind.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
}

/// What is to be used, as a chat completion says it. Where some are allowed alone, the others are taken out.
fn choice(request: &Body, functions: &mut Vec<Function>) -> Result<Option<Value>, BadRequest> {
    let wrong = || BadRequest::expected("tool_choice", "'auto', 'none', 'required' or a function of 'tools'");
    let Some(text) = said(request, "tool_choice") else { return Ok(None) };
    let choice: Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let name_in = |tool: &Value| tool["name"].as_str().map(str::to_owned).filter(|_| tool["type"] == "function");
    match (choice.as_str(), choice["type"].as_str()) {
        (Some("auto" | "none" | "required"), _) => Ok(Some(choice)),
        (None, Some("function")) => {
            let name = name_in(&choice).filter(|name| functions.iter().any(|function| function.name == *name));
            let name = name.ok_or_else(|| BadRequest::new("tool_choice.name", "there is no such tool"))?;
            Ok(Some(json!({"type": "function", "function": {"name": name}})))
        }
        (None, Some("allowed_tools")) => {
            let tools = choice["tools"].as_array();
            let tools = tools.ok_or_else(|| BadRequest::expected("tool_choice.tools", "an array of tools"))?;
            let names: Vec<String> = tools.iter().filter_map(name_in).collect();
            functions.retain(|function| names.contains(&function.name));
            let mode = choice["mode"].as_str().filter(|mode| ["auto", "required"].contains(mode));
            Ok(Some(mode.ok_or_else(|| BadRequest::expected("tool_choice.mode", "'auto' or 'required'"))?.into()))
        }
        (None, Some(_)) => Err(BadRequest::new("tool_choice.type", "tools of this type are not supported")),
        _ => Err(wrong()),
    }
}
