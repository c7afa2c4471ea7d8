//! Who may show the chat page in a frame: what `server.frame_ancestors` says, in the page's Content Security Policy.

use crate::support::{Mode, Reloadable, Reply, TestApp};

/// The sources of `frame-ancestors`, of which there is exactly one.
fn ancestors(reply: &Reply) -> String {
    let policy = reply.header("content-security-policy");
    let found: Vec<_> = policy.split(';').filter_map(|rule| rule.trim().strip_prefix("frame-ancestors ")).collect();
    assert_eq!(found.len(), 1, "{policy}");
    assert_eq!(reply.header("x-frame-options"), "", "it knows no list of sites, and would say otherwise");
    found[0].to_owned()
}

#[tokio::test]
async fn nobody_frames_the_chat_page_unless_the_settings_name_them_and_nobody_ever_the_console() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    for path in ["/", "/page/app/main.js", "/admin"] {
        assert_eq!(ancestors(&Reply::to(app.request("GET", path)).await), "'none'", "{path}");
    }
    let sites = "https://shop.example.org, 'self',https://*.example.com:8443";
    let app = TestApp::start(Mode::Memory, &[("SOPHIE__SERVER__FRAME_ANCESTORS", sites)]).await;
    let page = Reply::to(app.request("GET", "/")).await;
    assert_eq!(ancestors(&page), "https://shop.example.org 'self' https://*.example.com:8443");
    for rule in ["default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"] {
        assert!(page.header("content-security-policy").contains(rule), "{rule}");
    }
    for path in ["/page/app/main.js", "/page/icon.svg", "/admin", "/admin/files/app/main.js"] {
        assert_eq!(ancestors(&Reply::to(app.request("GET", path)).await), "'none'", "{path}");
    }
}

#[tokio::test]
async fn sites_are_taken_over_at_run_time_and_who_has_the_page_gets_it_anew() {
    let node = Reloadable::start("").await;
    let page = async |tag: &str| Reply::to(node.request("GET", "/").header("if-none-match", tag)).await;
    let before = page("").await;
    let tag = before.header("etag").to_owned();
    assert_eq!((ancestors(&before).as_str(), page(&tag).await.status), ("'none'", 304));
    let line = node.reload("server.frame_ancestors = [\"https://shop.example.org\"]\n").await;
    assert!(line.contains("taken=server.frame_ancestors needs_restart=\"\""), "{line}");
    let now = page(&tag).await;
    assert_eq!((now.status, ancestors(&now).as_str()), (200, "https://shop.example.org"), "a cached policy is left");
    let known = page(now.header("etag")).await;
    assert_eq!((known.status, ancestors(&known).as_str()), (304, "https://shop.example.org"));
    for wrong in ["shop.example.org", "https://shop.example.org/", "https://a.example; script-src *", "'none'", ""] {
        let line = node.reload(&format!("server.frame_ancestors = [\"{wrong}\"]\n")).await;
        assert!(line.contains("event=settings_refused") && line.contains("server.frame_ancestors"), "{wrong}: {line}");
        assert!(line.contains("http(s)://host"), "what is allowed: {line}");
        assert_eq!(ancestors(&page("").await), "https://shop.example.org", "{wrong}");
    }
}
