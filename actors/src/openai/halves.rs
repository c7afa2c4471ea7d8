//! Characters that a backend has cut in two: `\\ud83d` in one chunk and `\\ude00` in the next. JSON allows it, Rust's text does not. Pure.
//!
//! Within this crate's texts a half is held as a row of noncharacters of Unicode, which no text has: which half it is, and its ten bits.

use serde_json::Value;

/// Begins the first half.
const FIRST: char = '\u{fdd0}';
/// Begins the second half.
const SECOND: char = '\u{fdd1}';
/// The first of sixteen that stand for four bits each.
const BITS: u32 = 0xfde0;

/// The halves at the ends of a text, as units of UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Halves {
    /// A second half before the text.
    pub begins: Option<u16>,
    /// A first half after it.
    pub ends: Option<u16>,
}

/// The JSON text with its halves in a form that can be read; `None` if there is none in it.
pub fn mend(json: &str) -> Option<String> {
    let mut mended = String::new();
    let mut rest = json;
    let mut copied = json;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at..];
        let Some(unit) = unit(escape) else {
            // Some other escape, of two characters.
            let next = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
            rest = &escape[next..];
            continue;
        };
        let paired = is_first(unit) && self::unit(&escape[6..]).is_some_and(is_second);
        rest = &escape[if paired { 12 } else { 6 }..];
        if !paired && (is_first(unit) || is_second(unit)) {
            mended.push_str(&copied[..copied.len() - escape.len()]);
            mended.extend(written(unit));
            copied = rest;
        }
    }
    if copied.len() == json.len() {
        return None;
    }
    mended.push_str(copied);
    Some(mended)
}

/// A text without the halves at its ends, and those. A half within it can have no other half any more.
pub fn split(text: String) -> (String, Halves) {
    if !text.contains([FIRST, SECOND]) {
        return (text, Halves::default());
    }
    let units = units(&text);
    let begins = units.first().copied().filter(|unit| is_second(*unit));
    let ends = units.last().copied().filter(|unit| is_first(*unit));
    let within = &units[usize::from(begins.is_some())..units.len() - usize::from(ends.is_some())];
    (String::from_utf16_lossy(within), Halves { begins, ends })
}

/// Puts a half that was left over and the next chunk's text together.
pub fn join(left: Option<u16>, begins: Option<u16>, text: &str) -> String {
    let halves: Vec<u16> = left.into_iter().chain(begins).collect();
    String::from_utf16_lossy(&halves) + text
}

/// Puts a text together that comes in pieces, between which characters may have been cut in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seam {
    /// The first half of a character whose other half has not come yet.
    left: Option<u16>,
}

impl Seam {
    /// What can be shown of the text with this piece of it: a half waits for the next piece.
    pub fn join(&mut self, piece: String) -> String {
        let (text, halves) = split(piece);
        self.close(text, halves)
    }

    /// The same with a piece whose halves have been split off.
    pub fn close(&mut self, text: String, Halves { begins, ends }: Halves) -> String {
        let joins = begins.is_some() || !text.is_empty() && self.left.is_some();
        let whole = if joins { join(self.left.take(), begins, &text) } else { text };
        self.left = ends.or(self.left.take());
        whole
    }
}

/// Puts the halves in all texts of a value together.
pub fn join_all(value: &mut Value) {
    match value {
        Value::String(text) if text.contains([FIRST, SECOND]) => *text = String::from_utf16_lossy(&units(text)),
        Value::Array(values) => values.iter_mut().for_each(join_all),
        Value::Object(fields) => fields.values_mut().for_each(join_all),
        _ => {}
    }
}

fn is_first(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

fn is_second(unit: u16) -> bool {
    (0xdc00..0xe000).contains(&unit)
}

/// The unit of UTF-16 that an escape at the beginning of `json` names.
fn unit(json: &str) -> Option<u16> {
    let digits = json.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// A half as noncharacters.
fn written(unit: u16) -> impl Iterator<Item = char> {
    let bits = [8, 4, 0].map(|shift| char::from_u32(BITS + u32::from(unit >> shift & 0xf & (0x3ff >> shift))));
    let kind = if is_first(unit) { FIRST } else { SECOND };
    std::iter::once(kind).chain(bits.into_iter().flatten())
}

/// The text as units of UTF-16, its halves among them.
fn units(text: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let base = match character {
            FIRST => 0xd800,
            SECOND => 0xdc00,
            other => {
                units.extend_from_slice(other.encode_utf16(&mut [0; 2]));
                continue;
            }
        };
        let bits = characters.by_ref().take(3).fold(0, |bits, it| bits << 4 | (u32::from(it).wrapping_sub(BITS) & 0xf));
        units.push(base | (bits & 0x3ff) as u16);
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> String {
        serde_json::from_str(&mend(json).unwrap_or_else(|| json.to_owned())).expect("JSON")
    }

    #[test]
    fn whole_characters_and_other_escapes_are_left_alone() {
        for json in [r#""a\ud83d\ude00""#, r#""\\ud83d""#, r#""\u00e9\n\"""#, r#""😀""#, r#""\"#, r#""\u12"#] {
            assert_eq!(mend(json), None, "{json}");
        }
    }

    #[test]
    fn halves_at_the_ends_are_told_apart_from_the_text() {
        let halves = |begins, ends| Halves { begins, ends };
        for (json, text, found) in [
            (r#""a\ud83d""#, "a", halves(None, Some(0xd83d))),
            (r#""\uDE00b""#, "b", halves(Some(0xde00), None)),
            (r#""\ude00 \uD83C""#, " ", halves(Some(0xde00), Some(0xd83c))),
            (r#""\udbff""#, "", halves(None, Some(0xdbff))),
            (r#""a\ud83db""#, "a\u{fffd}b", halves(None, None)),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀", halves(None, None)),
        ] {
            assert_eq!(split(read(json)), (text.to_owned(), found), "{json}");
        }
    }

    #[test]
    fn a_half_waits_for_the_piece_with_the_other_one() {
        let mut seam = Seam::default();
        let joined: Vec<_> = [r#""a\ud83d""#, r#""""#, r#""\ude00b\ud83d""#, r#""c""#, r#""\ude00""#]
            .map(|json| seam.join(read(json)))
            .into();
        assert_eq!(joined, ["a", "", "😀b", "\u{fffd}c", "\u{fffd}"]);
    }

    #[test]
    fn two_halves_are_a_character_and_one_is_none() {
        assert_eq!(join(Some(0xd83d), Some(0xde00), "!"), "😀!");
        assert_eq!(join(None, Some(0xde00), "!"), "\u{fffd}!");
        assert_eq!(join(Some(0xd83d), None, "!"), "\u{fffd}!");
        let mut value = serde_json::json!({ "a": [read(r#""x\ud83d""#) + &read(r#""\ude00y""#)] });
        join_all(&mut value);
        assert_eq!(value, serde_json::json!({ "a": ["x😀y"] }));
    }
}
