//! A tool that is a function, as a chat completion has it.

use crate::openai::Body;

/// The tool: what other protocols say of it beside its type stands in a field of its own.
pub fn function_tool(mut said: Body) -> String {
    said.remove("type");
    let nothing: Vec<String> =
        said.iter().filter(|(_, value)| *value == "null").map(|(name, _)| name.to_owned()).collect();
    nothing.iter().for_each(|name| _ = said.remove(name));
    let mut tool = Body::default();
    tool.set("type", &"function".into());
    tool.set_text("function", said.to_string());
    tool.to_string()
}
