//! A span under way, which ends when this is dropped, whatever ended what it tells of.

use std::ops::Deref;

use super::Span;

/// A span under way.
#[derive(Default)]
pub struct Begun(Span);

impl Begun {
    pub(super) fn of(span: Span) -> Self {
        Self(span)
    }
}

impl Deref for Begun {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_recording() { "a span" } else { "no span" })
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.end();
    }
}
