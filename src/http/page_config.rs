//! What the chat page is told of the settings, and who may show it in a frame. Anybody may read it, so nothing stands here that is not for
//! everybody.

use serde::Serialize;
use sha2::{Digest, Sha256};
use sophie_actors::ids::hex;

use crate::settings::{AuthMode, Settings};
use crate::ui;

/// `/page/config.json` as it is sent, and what is sent with the page itself.
#[derive(Debug)]
pub struct PageConfig {
    /// JSON.
    pub text: String,
    /// A strong validator for `ETag`, quotes included.
    pub etag: String,
    /// The page's Content Security Policy.
    pub policy: String,
    /// The validator of the page under this policy: who has the page with another one gets it anew, since browsers need not take a header
    /// from a 304.
    pub page_etag: String,
}

#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    color: &'a str,
    greeting: &'a str,
    examples: &'a [String],
    language: &'a str,
    sign_in: SignIn,
    max_text_chars: usize,
    /// What images a message may have: none where there are 0.
    max_images: usize,
    max_image_bytes: usize,
    max_frame_bytes: usize,
    /// Whether people may ask for a person.
    person: bool,
    /// Whether answers and chats can be rated.
    feedback: bool,
}

/// What is needed to come in.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum SignIn {
    /// Nothing: everyone is a guest.
    None,
    /// A token.
    Token,
    /// What the application asks for, mostly its cookies.
    Application,
}

impl From<&Settings> for PageConfig {
    fn from(settings: &Settings) -> Self {
        let page = &settings.page;
        let told = Told {
            name: page.name.trim(),
            color: &page.color,
            greeting: page.greeting.trim(),
            examples: &page.examples,
            language: &page.language,
            sign_in: match settings.auth.mode {
                AuthMode::None => SignIn::None,
                AuthMode::Jwt => SignIn::Token,
                AuthMode::Hook => SignIn::Application,
            },
            max_text_chars: settings.session.max_text_chars,
            max_images: settings.session.max_images,
            max_image_bytes: settings.session.max_image_bytes,
            max_frame_bytes: settings.session.frame_bytes(),
            person: settings.session.person,
            feedback: true,
        };
        let text = serde_json::to_string(&told).expect("texts and numbers alone");
        let policy = ui::content_security_policy(&settings.server.frame_ancestors);
        let page = ui::asset("/").map_or(&b""[..], |page| page.bytes);
        let page_etag = etag(Sha256::new_with_prefix(page).chain_update(&policy));
        Self { etag: etag(Sha256::new_with_prefix(&text)), text, policy, page_etag }
    }
}

fn etag(digest: Sha256) -> String {
    format!("\"{}\"", hex(&digest.finalize()[..12]))
}
