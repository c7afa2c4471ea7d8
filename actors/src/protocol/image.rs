//! Images in a message: what a client may send, and what is kept of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{ErrorCode, Refusal};

/// Characters of an image's name.
pub const IMAGE_NAME_CHARS: usize = 200;

/// The kinds of images that models take, with the bytes that each begins with.
const KINDS: [(&str, &[u8]); 5] = [
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/webp", b"RIFF"),
    ("image/gif", b"GIF87a"),
    ("image/gif", b"GIF89a"),
];

/// An image of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Itself, as a `data:` URL in base64.
    pub url: String,
    /// What it is called, for who cannot see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How many images a message may have, and how large each may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageLimits {
    /// How many; 0 where the model takes none.
    pub most: usize,
    /// Bytes of each, before they are written in base64.
    pub bytes: usize,
}

impl ImageLimits {
    /// Whether a message may have these.
    ///
    /// # Errors
    /// Says which may not be, and what to do.
    pub fn check(self, images: &[Image]) -> Result<(), Refusal> {
        if images.is_empty() {
            return Ok(());
        }
        if self.most == 0 {
            return Err(Refusal::new(ErrorCode::NotAllowed, "this service takes no images; send the text alone"));
        }
        if images.len() > self.most {
            let message = format!("a message has at most {} images; send fewer", self.most);
            return Err(Refusal::new(ErrorCode::TooLarge, message));
        }
        images.iter().zip(1_usize..).try_for_each(|(image, number)| self.check_one(image, number))
    }

    fn check_one(self, Image { url, name }: &Image, number: usize) -> Result<(), Refusal> {
        let bad = |what: &str| Err(Refusal::new(ErrorCode::BadRequest, format!("image {number} {what}")));
        if name.as_ref().is_some_and(|name| name.chars().count() > IMAGE_NAME_CHARS) {
            return bad(&format!("has a name of more than {IMAGE_NAME_CHARS} characters; shorten it"));
        }
        let Some((kind, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) else {
            return bad("is no data: URL in base64, as in data:image/png;base64,iVBO…");
        };
        if !KINDS.iter().any(|(known, _)| *known == kind) {
            return bad("is neither image/png, image/jpeg, image/webp nor image/gif; convert it");
        }
        // No more is decoded than may be.
        if data.len() > self.bytes.div_ceil(3).saturating_mul(4) {
            return self.too_large(number);
        }
        let Ok(bytes) = STANDARD.decode(data) else { return bad("is not written in base64") };
        if bytes.len() > self.bytes {
            return self.too_large(number);
        }
        let begins = KINDS.iter().any(|(known, magic)| *known == kind && bytes.starts_with(magic));
        // RIFF holds sounds, too.
        let is_it = begins && (kind != "image/webp" || bytes.get(8..12) == Some(b"WEBP"));
        if is_it { Ok(()) } else { bad(&format!("is not what it says, {kind}")) }
    }

    fn too_large(self, number: usize) -> Result<(), Refusal> {
        let message = format!("image {number} is larger than {} bytes; make it smaller", self.bytes);
        Err(Refusal::new(ErrorCode::TooLarge, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(kind: &str, bytes: &[u8]) -> Image {
        Image { url: format!("data:{kind};base64,{}", STANDARD.encode(bytes)), name: None }
    }

    const LIMITS: ImageLimits = ImageLimits { most: 2, bytes: 32 };

    #[test]
    fn an_image_is_what_its_bytes_say_and_no_larger_than_it_may_be() {
        let png = b"\x89PNG\r\n\x1a\n....";
        for (kind, bytes) in [
            ("image/png", png.as_slice()),
            ("image/jpeg", b"\xff\xd8\xff\xe0"),
            ("image/webp", b"RIFF....WEBPVP8 "),
            ("image/gif", b"GIF89a"),
            ("image/gif", b"GIF87a"),
        ] {
            assert_eq!(LIMITS.check(&[image(kind, bytes)]), Ok(()), "{kind}");
        }
        let code = |images: &[Image]| LIMITS.check(images).expect_err("refused").code;
        let good = || image("image/png", png);
        assert_eq!(code(&[good(), good(), good()]), ErrorCode::TooLarge);
        let mut long = png.to_vec();
        long.resize(33, 0);
        assert_eq!(code(&[image("image/png", &long)]), ErrorCode::TooLarge);
        long.resize(4_000, 0);
        assert_eq!(code(&[image("image/png", &long)]), ErrorCode::TooLarge);
        let url = |url: &str| Image { url: url.to_owned(), name: None };
        for bad in [
            image("image/jpeg", png),
            image("image/webp", b"RIFF....WAVE"),
            image("image/svg+xml", b"<svg/>"),
            url("data:image/png;base64,%%%"),
            url("data:image/png,abc"),
            url("https://example.org/a.png"),
            Image { name: Some("n".repeat(201)), ..good() },
        ] {
            assert_eq!(code(&[good(), bad.clone()]), ErrorCode::BadRequest, "{bad:?}");
        }
        let none = ImageLimits { most: 0, ..LIMITS };
        assert_eq!(none.check(&[]), Ok(()));
        assert_eq!(none.check(&[good()]).expect_err("refused").code, ErrorCode::NotAllowed);
    }

    #[test]
    fn a_frame_takes_as_many_as_there_may_be_and_their_names() {
        let name = "\u{10ffff}".repeat(IMAGE_NAME_CHARS);
        let escaped: usize = name.encode_utf16().count() * 6;
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.resize(LIMITS.bytes, 0);
        let whole = serde_json::to_string(&Image { name: Some(String::new()), ..image("image/png", &bytes) });
        assert!(
            (whole.expect("JSON").len() + escaped) * LIMITS.most
                <= crate::options::image_bytes(LIMITS.most, LIMITS.bytes)
        );
    }
}
