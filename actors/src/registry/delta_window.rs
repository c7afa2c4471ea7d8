//! Pieces of answers that come soon after one that was told: they wait for a moment and are told together, so that a piece is
//! encoded and written once for what a backend sends in many. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::AnswerId;
use crate::protocol::AnswerText;

/// A piece of a text: its offset in Unicode scalar values, and its text.
type Piece = (usize, String);

#[derive(Debug)]
struct Window {
    /// When something of the text was told.
    told_at: Instant,
    waiting: Option<Piece>,
}

/// What waits of the texts of one group's answers.
#[derive(Debug, Default)]
pub(super) struct DeltaWindows(BTreeMap<AnswerText, Window>);

/// When a piece is told.
#[derive(Debug, PartialEq)]
pub(super) enum When {
    Now(Piece),
    /// With what waits already.
    WithOthers,
    /// After this time.
    After(Duration),
}

impl DeltaWindows {
    /// A piece that follows all that were given before.
    pub(super) fn add(&mut self, of: &AnswerText, (offset, text): Piece, within: Duration) -> When {
        let now = Instant::now();
        let Some(window) = self.0.get_mut(of) else {
            self.0.insert(of.clone(), Window { told_at: now, waiting: None });
            return When::Now((offset, text));
        };
        if let Some((_, waiting)) = &mut window.waiting {
            waiting.push_str(&text);
            return When::WithOthers;
        }
        let left = within.saturating_sub(now - window.told_at);
        if left.is_zero() {
            window.told_at = now;
            return When::Now((offset, text));
        }
        window.waiting = Some((offset, text));
        When::After(left)
    }

    /// What waits of a text, which is told now.
    pub(super) fn take(&mut self, of: &AnswerText) -> Option<Piece> {
        let window = self.0.get_mut(of)?;
        let piece = window.waiting.take()?;
        window.told_at = Instant::now();
        Some(piece)
    }

    /// The texts of which something waits.
    pub(super) fn waiting(&self) -> Vec<AnswerText> {
        self.0.iter().filter(|(_, window)| window.waiting.is_some()).map(|(of, _)| of.clone()).collect()
    }

    /// An answer is over.
    pub(super) fn end(&mut self, answer: &AnswerId) {
        AnswerText::both(answer).iter().for_each(|of| _ = self.0.remove(of));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_millis(5);

    #[tokio::test(start_paused = true)]
    async fn the_first_piece_is_told_at_once_and_those_that_follow_soon_together() {
        let (mut windows, answer) = (DeltaWindows::default(), AnswerText::of(&AnswerId::from("a")));
        assert_eq!(windows.add(&answer, (0, "a".into()), WITHIN), When::Now((0, "a".into())));
        tokio::time::advance(WITHIN / 5).await;
        assert_eq!(windows.add(&answer, (1, "b".into()), WITHIN), When::After(WITHIN * 4 / 5));
        assert_eq!(windows.add(&answer, (2, "c".into()), WITHIN), When::WithOthers);
        assert_eq!(windows.waiting().as_slice(), std::slice::from_ref(&answer));
        assert_eq!(windows.take(&answer), Some((1, "bc".into())));
        assert_eq!(windows.take(&answer), None);
        assert_eq!(windows.add(&answer, (3, "d".into()), WITHIN), When::After(WITHIN), "another window began");
        assert_eq!(windows.take(&answer), Some((3, "d".into())));
        tokio::time::advance(WITHIN).await;
        assert_eq!(windows.add(&answer, (4, "e".into()), WITHIN), When::Now((4, "e".into())), "it was quiet meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_window_every_piece_is_told_at_once() {
        let (mut windows, answer) = (DeltaWindows::default(), AnswerText::of(&AnswerId::from("a")));
        for offset in 0..3 {
            let piece = (offset, "x".to_owned());
            assert_eq!(windows.add(&answer, piece.clone(), Duration::ZERO), When::Now(piece));
        }
    }
}
