//! What a stream holds, and pieces of it.

/// What a stream holds so far. Positions count bytes of text, or messages.
#[derive(Debug)]
pub(super) enum Content {
    /// Text, as it comes.
    Text(String),
    /// JSON values.
    Messages(Vec<String>),
}

impl Content {
    /// The position of its tail.
    pub(super) fn len(&self) -> u64 {
        let length = match self {
            Self::Text(text) => text.len(),
            Self::Messages(messages) => messages.len(),
        };
        length as u64
    }

    /// Whether a piece may begin here: within what there is, and between two characters.
    pub(super) fn is_place(&self, position: u64) -> bool {
        let Ok(at) = usize::try_from(position) else { return false };
        match self {
            Self::Text(text) => text.is_char_boundary(at),
            Self::Messages(messages) => at <= messages.len(),
        }
    }

    /// A body of at most so many bytes from a place on (of one message at least), and the position behind it.
    pub(super) fn piece(&self, from: u64, most: usize) -> (String, u64) {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        match self {
            Self::Text(text) => {
                let rest = text.get(from..).unwrap_or_default();
                let piece = sophie_actors::ids::cut(rest, most);
                (piece.to_owned(), (from + piece.len()) as u64)
            }
            Self::Messages(messages) => {
                let rest = messages.get(from..).unwrap_or_default();
                let (body, taken) = array(rest.iter().map(String::as_str), most);
                (body, (from + taken) as u64)
            }
        }
    }

    /// The content type.
    pub(super) fn mime(&self) -> &'static str {
        match self {
            Self::Text(_) => "text/plain; charset=utf-8",
            Self::Messages(_) => "application/json",
        }
    }
}

/// An array of at most so many bytes (of one element at least), and how many elements are in it.
pub(super) fn array<T: AsRef<str>>(elements: impl Iterator<Item = T>, most: usize) -> (String, usize) {
    let (mut body, mut taken) = (String::from("["), 0);
    for element in elements {
        let element = element.as_ref();
        if taken > 0 {
            if body.len() + element.len() + 2 > most {
                break;
            }
            body.push(',');
        }
        body.push_str(element);
        taken += 1;
    }
    body.push(']');
    (body, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        let text = Content::Text("Größe".to_owned());
        assert_eq!(text.len(), 7);
        assert_eq!(text.piece(0, 3), ("Gr".to_owned(), 2));
        assert_eq!(text.piece(2, 2), ("ö".to_owned(), 4));
        assert_eq!(text.piece(7, 9), (String::new(), 7));
        let places: Vec<u64> = (0..10).filter(|at| text.is_place(*at)).collect();
        assert_eq!(places, [0, 1, 2, 4, 6, 7]);
    }

    #[test]
    fn messages_come_whole_as_an_array() {
        let messages = Content::Messages(vec!["1".into(), "{\"a\":2}".into(), "3".into()]);
        assert_eq!(messages.piece(0, 100), ("[1,{\"a\":2},3]".to_owned(), 3));
        assert_eq!(messages.piece(0, 11), ("[1,{\"a\":2}]".to_owned(), 2));
        assert_eq!(messages.piece(1, 1), ("[{\"a\":2}]".to_owned(), 2), "one at least");
        assert_eq!(messages.piece(3, 9), ("[]".to_owned(), 3));
        assert!(messages.is_place(3) && !messages.is_place(4) && !messages.is_place(u64::MAX));
    }
}
