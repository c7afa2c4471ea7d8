//! The pages and the client library, embedded: every file that a browser needs, with its type and validator. Knows nothing of HTTP servers.
//! Here is the chat page, in `console` the operators' console.

pub mod console;
mod library;

use sophie_actors::ids::hex;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

pub use library::library;

/// What the chat page may do: load its own files, talk to its own origin, and nothing else.
///
/// `'self'` of `connect-src` covers `ws:` and `wss:` of the same origin (CSP level 3). Strings reach the HTML parser only
/// through the sanitiser's own Trusted Types policy, which bears the name `dompurify`.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; font-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types dompurify";

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// The path of its URL: `/` for the page itself, `/page/…` for all else.
    pub path: &'static str,
    /// `Content-Type`, with the charset where it is text.
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: &'static [u8],
    /// A strong validator for `ETag`, quotes included. The paths bear no version: let browsers ask (`Cache-Control: no-cache`).
    pub etag: String,
}

macro_rules! files {
    ($($path:literal => $file:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("page/", $file)) as &[u8])),*]
    };
}

const FILES: &[(&str, &[u8])] = files! {
    "/" => "index.html",
    "/page/icon.svg" => "icon.svg",
    "/page/style.css" => "style.css",
    "/page/app/answer.js" => "app/answer.js",
    "/page/app/client.js" => "app/client.js",
    "/page/app/composer.js" => "app/composer.js",
    "/page/app/conversation.js" => "app/conversation.js",
    "/page/app/copy.js" => "app/copy.js",
    "/page/app/dom.js" => "app/dom.js",
    "/page/app/log.js" => "app/log.js",
    "/page/app/main.js" => "app/main.js",
    "/page/app/markdown.js" => "app/markdown.js",
    "/page/app/names.js" => "app/names.js",
    "/page/app/outbox.js" => "app/outbox.js",
    "/page/app/panel.js" => "app/panel.js",
    "/page/app/people.js" => "app/people.js",
    "/page/app/place.js" => "app/place.js",
    "/page/app/rows.js" => "app/rows.js",
    "/page/app/status.js" => "app/status.js",
    "/page/app/theme.js" => "app/theme.js",
    "/page/app/toggle.js" => "app/toggle.js",
    "/page/vendor/marked.esm.js" => "vendor/marked.esm.js",
    "/page/vendor/purify.min.js" => "vendor/purify.min.js",
    "/page/vendor/marked.LICENSE" => "vendor/marked.LICENSE",
    "/page/vendor/dompurify.LICENSE" => "vendor/dompurify.LICENSE",
};

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| FILES.iter().map(asset_of).collect());

fn asset_of(&(path, bytes): &(&'static str, &'static [u8])) -> Asset {
    Asset { path, content_type: content_type(path), bytes, etag: etag(bytes) }
}

/// The file at a URL path, exactly as [`Asset::path`] spells it.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Every file of the page.
pub fn assets() -> &'static [Asset] {
    &ASSETS
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("LICENSE") => "text/plain; charset=utf-8",
        _ => "text/html; charset=utf-8",
    }
}

fn etag(bytes: &[u8]) -> String {
    let digest = hex(&Sha256::digest(bytes)[..12]);
    format!("\"{digest}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(asset: &Asset) -> &str {
        std::str::from_utf8(asset.bytes).expect("text")
    }

    /// What stands between each `before` and the quote that follows.
    fn quoted<'a>(text: &'a str, before: &'a str, quote: char) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(move |rest| rest.split(quote).next())
    }

    #[test]
    fn every_file_that_the_page_names_is_embedded() {
        let page = text(asset("/").expect("the page"));
        let named: Vec<_> = quoted(page, "=\"page/", '"').map(|name| format!("/page/{name}")).collect();
        assert!(named.len() > 5, "{named:?}");
        for path in named {
            assert!(asset(&path).is_some(), "{path}");
        }
    }

    #[test]
    fn every_module_that_is_imported_is_embedded() {
        let mut imports = 0;
        for from in assets().iter().filter(|asset| asset.path.starts_with("/page/app/")) {
            for line in text(from).lines().filter(|line| line.starts_with("import ")) {
                let name = line.split('\'').nth(1).expect("a quoted module");
                if name == "../../client.mjs" {
                    assert!(library("/client.mjs").is_some());
                    continue;
                }
                let path = match name.strip_prefix("../") {
                    Some(rest) => format!("/page/{rest}"),
                    None => format!("/page/app/{}", name.trim_start_matches("./")),
                };
                assert!(asset(&path).is_some(), "{} imports {path}", from.path);
                imports += 1;
            }
        }
        assert!(imports > 10, "{imports}");
    }

    #[test]
    fn the_page_holds_nothing_that_its_policy_forbids() {
        let page = text(asset("/").expect("the page"));
        assert!(!page.contains("<style"), "inline style");
        assert!(!page.contains(" style="), "inline style");
        let handler = |word: &str| word.starts_with("on") && word.contains('=');
        assert!(!page.split_whitespace().any(handler), "inline handler");
        assert!(!page.contains("://"), "another host");
        assert!(quoted(page, "<script", '>').all(|tag| tag.contains("src=")), "inline script");
        for script in assets().iter().filter(|asset| asset.path.starts_with("/page/app/")) {
            let without_comments = text(script).lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in without_comments {
                assert!(!line.contains("innerHTML") && !line.contains("eval("), "{}: {line}", script.path);
            }
        }
    }

    #[test]
    fn types_and_validators_are_right() {
        let page = asset("/").expect("the page");
        let script = asset("/page/app/main.js").expect("a script");
        assert!(page.content_type.starts_with("text/html"));
        assert!(script.content_type.starts_with("text/javascript"));
        assert!(page.etag.starts_with('"') && page.etag.ends_with('"') && page.etag.len() == 26, "{}", page.etag);
        assert_ne!(page.etag, script.etag);
        assert!(asset("/page/").is_none());
        assert!(asset("/page/../mod.rs").is_none());
    }

    #[test]
    fn the_vendored_libraries_are_the_published_ones() {
        let origins = include_str!("page/vendor/README.md");
        for asset in
            assets().iter().filter(|asset| asset.path.starts_with("/page/vendor/") && asset.path.ends_with(".js"))
        {
            let digest = hex(Sha256::digest(asset.bytes));
            assert!(origins.contains(&digest), "{}: {digest}", asset.path);
        }
    }
}
