//! The values of labels that no other list of the program has: each stands at 0 from the start.

/// How a WebSocket's handshake ended: accepted, or the code of the refusal.
pub const CONNECTS: [&str; 9] = [
    "accepted",
    "auth_unavailable",
    "bad_request",
    "draining",
    "not_allowed",
    "overloaded",
    "rate_limited",
    "store_unavailable",
    "unauthorized",
];
/// How an answer ended.
pub const ANSWERS: [&str; 5] = ["cancelled", "complete", "failed", "interrupted", "steered"];
/// How an answer came about.
pub const CACHE_LOOKUPS: [&str; 4] = ["bypass", "coalesced", "hit", "miss"];
/// The limits.
pub const LIMITS: [&str; 17] = [
    "address_connects",
    "address_messages",
    "address_reads",
    "address_tokens",
    "connection_commands",
    "group_messages",
    "group_tokens",
    "key_reads",
    "key_requests",
    "key_tokens",
    "service_messages",
    "service_tokens",
    "user_connects",
    "user_joins",
    "user_messages",
    "user_reads",
    "user_tokens",
];
/// The calls to the store whose failures are counted.
pub const STORE_CALLS: [&str; 24] = [
    "add_group",
    "answer_begin",
    "answer_end",
    "answer_start",
    "append",
    "audit",
    "cache_get",
    "cache_put",
    "feedback",
    "find",
    "flight_board",
    "grant",
    "load",
    "members",
    "open",
    "person",
    "read",
    "recording_add",
    "recording_end",
    "remove_group",
    "steer",
    "tell",
    "usage",
    "worker",
];
/// Ratings by what is rated.
pub const RATINGS: [(&str, &str); 7] = [
    ("answer", "-1"),
    ("answer", "1"),
    ("session", "1"),
    ("session", "2"),
    ("session", "3"),
    ("session", "4"),
    ("session", "5"),
];
/// Memberships written to Redis.
pub const MIRROR_WRITES: [&str; 2] = ["failed", "ok"];
/// What a message of Django became.
pub const FROM_DJANGO: [&str; 6] = ["close", "event", "frame", "lost", "message", "nobody"];
/// What became of a message to Django.
pub const TO_DJANGO: [&str; 3] = ["dropped", "failed", "sent"];
/// The same of one to Django's worker.
pub const TO_WORKER: [&str; 2] = ["full", "sent"];
/// Messages in the channel layer.
pub const LAYER_MESSAGES: [&str; 8] = ["bad", "dropped", "foreign", "full", "own", "received", "told", "undecryptable"];
/// Callers that the application was asked about.
pub const HOOK_REQUESTS: [&str; 4] = ["cached", "failed", "granted", "refused"];
/// HTTP responses.
pub const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// What became of a span.
pub const SPANS: [&str; 2] = ["lost", "sent"];
