//! The pages, the client library and the widget, embedded: every file that a browser needs, with its type and validator. Knows nothing of HTTP servers.
//! Here is the chat page, in `console` the operators' console.

pub mod console;
mod library;

use sophie_actors::ids::hex;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

pub use library::library;

/// What the chat page may do: load its own files, talk to its own origin, and nothing else. And who may show it in a frame: nobody, or these
/// sources, which were checked when the settings were read.
///
/// `'self'` of `connect-src` covers `ws:` and `wss:` of the same origin (CSP level 3). Strings reach the HTML parser only
/// through the sanitiser's own Trusted Types policy, which bears the name `dompurify`.
pub fn content_security_policy(frame_ancestors: &[String]) -> String {
    let ancestors = if frame_ancestors.is_empty() { "'none'".to_owned() } else { frame_ancestors.join(" ") };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; font-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}; \
         require-trusted-types-for 'script'; trusted-types dompurify"
    )
}

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
    "/page/style/embed.css" => "style/embed.css",
    "/page/style/panel.css" => "style/panel.css",
    "/page/style/prose.css" => "style/prose.css",
    "/page/app/answer.js" => "app/answer.js",
    "/page/app/answerfoot.js" => "app/answerfoot.js",
    "/page/app/apart.js" => "app/apart.js",
    "/page/app/brand.js" => "app/brand.js",
    "/page/app/chat.js" => "app/chat.js",
    "/page/app/chatlist.js" => "app/chatlist.js",
    "/page/app/chats.js" => "app/chats.js",
    "/page/app/client.js" => "app/client.js",
    "/page/app/composer.js" => "app/composer.js",
    "/page/app/config.js" => "app/config.js",
    "/page/app/conversation.js" => "app/conversation.js",
    "/page/app/copy.js" => "app/copy.js",
    "/page/app/dialog.js" => "app/dialog.js",
    "/page/app/dom.js" => "app/dom.js",
    "/page/app/embed.js" => "app/embed.js",
    "/page/app/empty.js" => "app/empty.js",
    "/page/app/export.js" => "app/export.js",
    "/page/app/guest.js" => "app/guest.js",
    "/page/app/highlight.js" => "app/highlight.js",
    "/page/app/listing.js" => "app/listing.js",
    "/page/app/log.js" => "app/log.js",
    "/page/app/main.js" => "app/main.js",
    "/page/app/markdown.js" => "app/markdown.js",
    "/page/app/math.js" => "app/math.js",
    "/page/app/members.js" => "app/members.js",
    "/page/app/names.js" => "app/names.js",
    "/page/app/naming.js" => "app/naming.js",
    "/page/app/news.js" => "app/news.js",
    "/page/app/outbox.js" => "app/outbox.js",
    "/page/app/panel.js" => "app/panel.js",
    "/page/app/people.js" => "app/people.js",
    "/page/app/pictures.js" => "app/pictures.js",
    "/page/app/place.js" => "app/place.js",
    "/page/app/rating.js" => "app/rating.js",
    "/page/app/reason.js" => "app/reason.js",
    "/page/app/rows.js" => "app/rows.js",
    "/page/app/share.js" => "app/share.js",
    "/page/app/shrink.js" => "app/shrink.js",
    "/page/app/signin.js" => "app/signin.js",
    "/page/app/standing.js" => "app/standing.js",
    "/page/app/status.js" => "app/status.js",
    "/page/app/storage.js" => "app/storage.js",
    "/page/app/texts.js" => "app/texts.js",
    "/page/app/unread.js" => "app/unread.js",
    "/page/app/theme.js" => "app/theme.js",
    "/page/app/thoughts.js" => "app/thoughts.js",
    "/page/app/toggle.js" => "app/toggle.js",
    "/page/app/tools.js" => "app/tools.js",
    "/page/app/tray.js" => "app/tray.js",
    "/page/app/texts/en.js" => "app/texts/en.js",
    "/page/app/texts/pt.js" => "app/texts/pt.js",
    "/page/vendor/dompurify.LICENSE" => "vendor/dompurify.LICENSE",
    "/page/vendor/highlight.LICENSE" => "vendor/highlight.LICENSE",
    "/page/vendor/highlight.min.js" => "vendor/highlight.min.js",
    "/page/vendor/katex.LICENSE" => "vendor/katex.LICENSE",
    "/page/vendor/katex.min.js" => "vendor/katex.min.js",
    "/page/vendor/marked.LICENSE" => "vendor/marked.LICENSE",
    "/page/vendor/marked.esm.js" => "vendor/marked.esm.js",
    "/page/vendor/purify.min.js" => "vendor/purify.min.js",
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
mod tests;
