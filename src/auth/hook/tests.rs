//! The application is asked, its answers are kept, and nobody comes in by what it said before.

use super::*;

#[tokio::test]
async fn who_goes_away_while_they_wait_leaves_nothing_behind() {
    let asking = Asking::default();
    let session = SessionId::parse("s1").unwrap();
    let held = || asking.0.lock().unwrap().len();
    let first = asking.turn("entry", &session);
    let working = first.wait().await;
    {
        let second = asking.turn("entry", &session);
        let waiting = timeout(Duration::from_millis(10), second.wait());
        assert!(waiting.await.is_err(), "the first is still asking");
    }
    assert_eq!(held(), 1, "the first is still there");
    drop(working);
    drop(first);
    assert_eq!(held(), 0);
    let alone = asking.turn("entry", &session);
    _ = timeout(Duration::ZERO, alone.wait()).await;
    drop(alone);
    assert_eq!(held(), 0);
}

#[test]
fn the_entry_is_what_a_django_site_computes() {
    // python3 -c 'import hashlib; print(hashlib.sha256(b"sessionid=abc\n").hexdigest())'
    let digest = "a8299ef464d6e6a999655481d6258b9ea395ec84d6a5e0ce8ad2f0ccdb678b69";
    let headers = CallerHeaders { cookie: Some("sessionid=abc".into()), ..CallerHeaders::default() };
    assert_eq!(headers.entry(&[]), Some(format!("sophie:hook:{digest}")));
    assert_eq!(CallerHeaders::default().entry(&[]), None);
}

#[test]
fn the_order_of_cookies_does_not_matter_and_only_those_that_count_do() {
    let entry = |cookie: &str, count: &[&str]| {
        let headers = CallerHeaders { cookie: Some(cookie.into()), ..CallerHeaders::default() };
        headers.entry(&count.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(entry("b=2; a=1", &[]), entry("a=1;b=2", &[]));
    assert_ne!(entry("a=1; b=2", &[]), entry("a=1", &[]));
    assert_eq!(entry("_ga=9; sessionid=abc; theme=dark", &["sessionid"]), entry("sessionid=abc", &[]));
    assert_ne!(entry("sessionid=abd", &["sessionid"]), entry("sessionid=abc", &["sessionid"]));
    assert_eq!(entry("theme=dark; xsessionid=abc", &["sessionid"]), None, "shows nothing that counts");
}
