//! Why a choice ended, out of the words of many servers. Pure.

/// Why a choice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model was through.
    Stop,
    /// It had written as much as it may.
    Length,
    /// A filter cut it off.
    Filter,
    /// It asks for tools.
    Calls,
    /// It broke off.
    Error,
    /// Something else.
    Other,
}

impl Finish {
    /// Reads a server's word.
    pub fn read(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "stop" | "eos" | "eos_token" | "stop_sequence" | "end_turn" => Self::Stop,
            "length" | "max_tokens" | "model_length" | "max_output_tokens" => Self::Length,
            "content_filter" | "safety" | "refusal" => Self::Filter,
            "tool_calls" | "function_call" | "tool_use" => Self::Calls,
            "error" => Self::Error,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_servers_are_known_in_any_case() {
        for (word, finish) in [
            ("stop", Finish::Stop),
            ("STOP", Finish::Stop),
            ("max_tokens", Finish::Length),
            ("content_filter", Finish::Filter),
            ("function_call", Finish::Calls),
            ("error", Finish::Error),
            ("tea_time", Finish::Other),
            ("", Finish::Other),
        ] {
            assert_eq!(Finish::read(word), finish, "{word}");
        }
    }
}
