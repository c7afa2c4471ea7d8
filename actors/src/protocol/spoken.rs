//! The protocols in which answers are asked for and read.

use serde::Serialize;

/// One of them. The word for it is a label of metrics, and stands in the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// `sophie.v1`, over a WebSocket.
    Sophie,
    /// The application's and the operator's API.
    HttpApi,
    /// Django's channel layer.
    Django,
    /// `useChat` of the AI SDK, over HTTP or a WebSocket.
    AiSdk,
    /// Durable Streams.
    DurableStreams,
    /// OpenAI's Responses, over HTTP or a WebSocket.
    Responses,
    /// AG-UI.
    AgUi,
    /// OpenAI's chat completions.
    ChatCompletions,
    /// OpenAI's completions.
    Completions,
    /// OpenAI's embeddings.
    Embeddings,
}

impl Protocol {
    /// Those in which answers are asked for.
    pub const ASKED: [Self; 8] = [
        Self::Sophie,
        Self::HttpApi,
        Self::AiSdk,
        Self::Responses,
        Self::AgUi,
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sophie => "sophie",
            Self::HttpApi => "http_api",
            Self::Django => "django",
            Self::AiSdk => "ai_sdk",
            Self::DurableStreams => "durable_streams",
            Self::Responses => "responses",
            Self::AgUi => "ag_ui",
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
    }
}
