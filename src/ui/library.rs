//! What pages of anybody load, embedded: the client library in JavaScript, as `make clients` built it, and the widget.

use std::sync::LazyLock;

use super::{Asset, etag};

const TYPE: &str = "text/javascript; charset=utf-8";
/// Makes `Sophie` of a page that has a `<script>` of it.
const SCRIPT: &[u8] = include_bytes!("../../clients/js/dist/sophie.global.js");
/// The same to be imported, as the chat page does.
const MODULE: &[u8] = include_bytes!("../../clients/js/dist/sophie.js");
/// Puts the chat page into a corner of a page that has a `<script>` of it.
const WIDGET: &[u8] = concat!(
    "(() => {\n'use strict';\n",
    include_str!("widget/words.js"),
    include_str!("widget/look.js"),
    include_str!("widget/widget.js"),
    "})();\n"
)
.as_bytes();

static LIBRARY: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [("/client.js", SCRIPT), ("/client.mjs", MODULE), ("/widget.js", WIDGET)].map(|(path, bytes)| Asset {
        path,
        content_type: TYPE,
        bytes,
        etag: etag(bytes),
    })
});

/// The file at a URL path.
pub fn library(path: &str) -> Option<&'static Asset> {
    LIBRARY.iter().find(|asset| asset.path == path)
}
