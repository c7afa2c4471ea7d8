//! The client library in JavaScript, embedded as `make clients` built it: for pages of anybody.

use std::sync::LazyLock;

use super::{Asset, etag};

const TYPE: &str = "text/javascript; charset=utf-8";
/// Makes `Sophie` of a page that has a `<script>` of it.
const SCRIPT: &[u8] = include_bytes!("../../clients/js/dist/sophie.global.js");
/// The same to be imported, as the chat page does.
const MODULE: &[u8] = include_bytes!("../../clients/js/dist/sophie.js");

static LIBRARY: LazyLock<[Asset; 2]> = LazyLock::new(|| {
    [("/client.js", SCRIPT), ("/client.mjs", MODULE)].map(|(path, bytes)| Asset {
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
