//! Options that are shown, or wrong.

use sophie_kit::TestServer;

use super::*;

#[test]
fn options_show_no_password() {
    let server = TestServer::absent();
    let shown = RedisOptions {
        url: "redis://ann:secret@127.0.0.1:1/0".into(),
        cache_url: "rediss://:secret@cache.example/2".into(),
        ..options(&server, PATIENT)
    };
    let text = format!("{shown:?}");
    assert!(!text.contains("secret") && text.contains("127.0.0.1:1/0"), "{text}");
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_an_error_that_does_not_repeat_it() {
    let server = TestServer::absent();
    let bad = RedisOptions { url: "http://:secret@x".into(), ..options(&server, PATIENT) };
    let error = connect(bad).await.err().expect("not a Redis URL");
    assert!(!error.to_string().contains("secret"));
}
