//! An AI backend on a bad day: most answers are good and slow, the others go wrong in turn, as the seed has it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sophie_kit::ai_server::{AiServer, Script};

const PAUSE: Duration = Duration::from_millis(120);

/// Has each call get what the seed and its number say.
pub fn misbehaves(ai: &AiServer, seed: u64) {
    let calls = AtomicU64::new(0);
    ai.set_default(move || script(seed ^ calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
}

fn script(seed: u64) -> Script {
    let mut random = StdRng::seed_from_u64(seed);
    let text = "word ".repeat(random.random_range(2..30));
    match random.random_range(0..20) {
        0 => Script::broken_after("this breaks off"),
        1 => Script::hang_up(),
        2 => Script::refusal(500, "server_error", "none", &[]),
        3 => Script::refusal(429, "rate_limit", "slow_down", &[("retry-after", "1")]),
        4 => Script::ended_after("this ends in the"),
        5 => Script::error_after("this fails", serde_json::json!({"message": "no"})),
        6 => Script::answer(&text),
        _ => Script::slow_answer(&text, PAUSE),
    }
}
