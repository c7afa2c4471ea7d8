//! What a test may choose, and what is so where it does not.

use std::sync::Arc;
use std::time::Duration;

use sophie_actors::channel_layer::ChannelLayer;
use sophie_actors::options::{AnswerOptions, CacheOptions, CacheScope, LimitOptions, SessionOptions};
use sophie_actors::protocol::DjangoEvent;
use sophie_actors::registry::RegistryOptions;

/// What a test may choose.
pub struct Options {
    pub session: SessionOptions,
    pub limits: LimitOptions,
    pub answers: AnswerOptions,
    pub cache: CacheOptions,
    /// What Django is told.
    pub notify: Vec<DjangoEvent>,
    /// In the place of no Django.
    pub layer: Option<Arc<dyn ChannelLayer>>,
    /// The stores of another node, which this one shares.
    pub beside: Option<(sophie_actors::store::Stores, sophie_kit::faults::Faults)>,
    pub flights: Option<Arc<dyn sophie_actors::store::Flights>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session: SessionOptions {
                max_text_chars: 32_000,
                max_frame_bytes: 1 << 20,
                max_groups: 10,
                ping_seconds: 25,
                pong_seconds: 10,
                idle_seconds: 60,
                log_events: 1_000,
                log_seconds: 86_400,
                outbox_bytes: 1 << 20,
                outbox_messages: 1_000,
                outbox_seconds: 3_600,
                commands_per_second: 50,
                presence_members: 100,
                compression: false,
                delta_window_ms: 5,
                person: true,
                max_images: 0,
                max_image_bytes: 0,
                commands_burst: 500,
            },
            limits: LimitOptions {
                enabled: true,
                user_messages_per_minute: 6_000,
                user_burst: 1_000,
                user_tokens_per_hour: 10_000_000,
                address_messages_per_minute: 60_000,
                address_tokens_per_hour: 0,
                group_messages_per_minute: 0,
                group_tokens_per_hour: 0,
                service_messages_per_minute: 0,
                service_tokens_per_hour: 0,
                answers_per_session: 4,
                answers_at_once: 0,
                connects_per_minute: 6_000,
                reads_per_minute: 1_200,
                joins_per_minute: 60,
                key_requests_per_minute: 600,
                key_burst: 60,
            },
            answers: AnswerOptions {
                model: "test".into(),
                system_prompt: String::new(),
                history_tokens: 1_000,
                max_answer_bytes: 1 << 16,
                total_seconds: 600,
                abandon_seconds: 30,
                show_reasoning: true,
                images: false,
            },
            cache: CacheOptions {
                enabled: true,
                ttl_seconds: 3_600,
                scope: CacheScope::Global,
                max_entry_bytes: 1 << 20,
                memory_bytes: 1 << 20,
            },
            notify: Vec::new(),
            layer: None,
            flights: None,
            beside: None,
        }
    }
}

/// As the settings have it.
pub fn registry_options() -> RegistryOptions {
    RegistryOptions {
        ping_interval: Duration::from_secs(25),
        presence_members: 100,
        delta_window: Duration::from_millis(5),
    }
}
