//! Cached answers, and what the general cache keeps.

use std::time::Duration;

use sophie_kit::eventually;

use super::*;
use crate::ids::random_text;

fn answer(text: &str) -> CachedAnswer {
    CachedAnswer {
        model: "m".into(),
        text: text.into(),
        finish_reason: "stop".into(),
        created_at: "2025-10-09T08:53:20.123Z".into(),
        usage: None,
        chunks: vec!["{\"choices\":[ ]}".into(), format!("{{\"x\":\"{text}\"}}").into()],
        span: (text == "newer").then(|| "a span".into()),
    }
}

pub(in crate::store) async fn a_cached_answer_comes_back_whole(stores: Stores) {
    let digest = random_text(64);
    assert_eq!(stores.cache.get(&digest).await.expect("asked"), None);
    stores.cache.put(&digest, &answer("Grüße \u{1f600}"), None).await.expect("kept");
    assert_eq!(stores.cache.get(&digest).await.expect("asked"), Some(answer("Grüße \u{1f600}")));
    stores.cache.put(&digest, &answer("newer"), None).await.expect("kept");
    assert_eq!(stores.cache.get(&digest).await.expect("asked"), Some(answer("newer")));
}

pub(in crate::store) async fn entries_are_counted_and_purged_by_model(stores: Stores) {
    let model = random_text(8);
    for n in 0..3 {
        let entry = CachedAnswer { model: if n == 0 { "other".into() } else { model.clone() }, ..answer("x") };
        stores.cache.put(&format!("{model}{n}"), &entry, Some(60)).await.expect("kept");
    }
    let held = stores.cache.held().await.expect("counted");
    assert!(held.entries >= 3 && held.bytes > 300, "{held:?}");
    assert_eq!(stores.cache.purge(Some(&model)).await.expect("purged"), 2);
    assert_eq!(stores.cache.get(&format!("{model}1")).await.expect("asked"), None);
    assert!(stores.cache.get(&format!("{model}0")).await.expect("asked").is_some());
}

pub(in crate::store) async fn too_large_an_answer_is_not_cached(stores: Stores) {
    let digest = random_text(64);
    stores.cache.put(&digest, &answer(&"x".repeat(CACHE_MAX_ENTRY_BYTES)), None).await.expect("not an error");
    assert_eq!(stores.cache.get(&digest).await.expect("asked"), None);
}

pub(in crate::store) async fn a_general_entry_is_kept_for_its_time(stores: Stores) {
    let (value, name) =
        (serde_json::json!({"user": "älice", "n": [1, null]}), format!("sophie:test:{}", random_text(8)));
    assert_eq!(stores.general.get(&name).await.expect("read"), None);
    stores.general.set(&name, &value, 5).await.expect("kept");
    assert_eq!(stores.general.get(&name).await.expect("read"), Some(value));
    eventually("its time is over", Duration::from_secs(20), async || {
        stores.general.get(&name).await.expect("read").is_none().then_some(())
    })
    .await;
}
