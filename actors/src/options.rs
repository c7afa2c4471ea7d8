//! The settings that the core needs, as plain data. Their defaults and meanings stand in `settings.toml`.

use serde::{Deserialize, Serialize};

/// How many bytes of data an answer may have for one of its text. A streamed token of four bytes comes in a chunk of some 250; so an
/// answer of tokens alone ends by its data, at some 65,000 tokens with the default, which is more than models write.
pub const DATA_PER_TEXT: usize = 16;

/// Bytes that images take of a frame beside their data: type, name (200 characters) however it is escaped, and what stands between.
const BESIDE_IMAGE: usize = 2_500;

/// Bytes of a frame that so many images of so many bytes take, in base64.
pub fn image_bytes(most: usize, bytes: usize) -> usize {
    let encoded = bytes.div_ceil(3).saturating_mul(4);
    most.saturating_mul(encoded.saturating_add(BESIDE_IMAGE))
}

/// `[session]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct SessionOptions {
    pub max_text_chars: usize,
    pub max_frame_bytes: usize,
    pub max_groups: usize,
    pub ping_seconds: u64,
    pub pong_seconds: u64,
    pub idle_seconds: u64,
    pub log_events: usize,
    pub log_seconds: u64,
    pub outbox_bytes: usize,
    pub outbox_messages: usize,
    pub outbox_seconds: u64,
    pub commands_per_second: u32,
    pub commands_burst: u32,
    pub presence_members: usize,
    pub compression: bool,
    pub delta_window_ms: u64,
    pub person: bool,
    pub max_images: usize,
    pub max_image_bytes: usize,
}

impl SessionOptions {
    /// Bytes of the largest frame, and of the largest message in fragments, that a client may send.
    ///
    /// Without a number of its own it takes a message of the greatest length however it is escaped: 12 bytes a character
    /// (`\\ud83d\\ude00`), as many images as it may have, and 16 KiB for all else that stands in the command.
    pub fn frame_bytes(&self) -> usize {
        match self.max_frame_bytes {
            0 => {
                let text = self.max_text_chars.saturating_mul(12).saturating_add(16 * 1024);
                text.saturating_add(image_bytes(self.max_images, self.max_image_bytes))
            }
            bytes => bytes,
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct LimitOptions {
    pub enabled: bool,
    pub user_messages_per_minute: u64,
    pub user_burst: u64,
    pub user_tokens_per_hour: u64,
    pub address_messages_per_minute: u64,
    pub address_tokens_per_hour: u64,
    pub group_messages_per_minute: u64,
    pub group_tokens_per_hour: u64,
    pub service_messages_per_minute: u64,
    pub service_tokens_per_hour: u64,
    pub answers_per_session: usize,
    pub answers_at_once: usize,
    pub connects_per_minute: u64,
    pub reads_per_minute: u64,
    pub joins_per_minute: u64,
    pub key_requests_per_minute: u64,
    pub key_burst: u64,
}

/// `[answers]`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct RecordingOptions {
    pub keep_seconds: u64,
}

/// `[cache]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct CacheOptions {
    pub enabled: bool,
    pub ttl_seconds: u64,
    pub scope: CacheScope,
    pub max_entry_bytes: usize,
    pub memory_bytes: u64,
}

/// Who shares cached answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheScope {
    /// Everyone for a session's first question, the user alone once there is history.
    Auto,
    /// Everyone.
    Global,
    /// The group.
    Group,
    /// The user.
    User,
}

/// The part of `[ai]` that is about conversations; how the backend is reached is the edge's affair.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct AnswerOptions {
    pub model: String,
    pub system_prompt: String,
    pub history_tokens: usize,
    pub max_answer_bytes: usize,
    pub total_seconds: u64,
    pub abandon_seconds: u64,
    pub show_reasoning: bool,
    pub images: bool,
}
