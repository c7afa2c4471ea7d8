//! The id of the request that is being carried out. It goes where the work goes: into the lines of the log that are written meanwhile,
//! to the AI backend and to the application. With it goes the span that the work stands in.

use std::fmt;
use std::sync::Arc;

use tokio::task::futures::TaskLocalFuture;

use super::random_text;
use crate::spans::Span;

/// Characters of one that is made up.
const LENGTH: usize = 20;
/// Characters that a caller's own may have.
const LONGEST: usize = 128;

tokio::task_local! {
    static CURRENT: Option<RequestId>;
}

/// Names one request, or one socket by its handshake. Clones share the text.
#[derive(Clone)]
pub struct RequestId {
    text: Arc<str>,
    span: Span,
}

impl PartialEq for RequestId {
    /// A request is the same in whichever span of it.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RequestId {}

impl RequestId {
    /// The caller's own, if it is 1 to 128 visible ASCII characters.
    pub fn read(text: &[u8]) -> Option<Self> {
        let is_good = (1..=LONGEST).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(text).ok().filter(|_| is_good)?;
        Some(Self { text: text.into(), span: Span::default() })
    }

    /// A new one.
    pub fn random() -> Self {
        Self { text: random_text(LENGTH).into(), span: Span::default() }
    }

    /// That of the request that this task carries out.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok().flatten()
    }

    /// The span that this task stands in.
    pub fn span() -> Span {
        CURRENT.try_with(|id| id.as_ref().map(|id| id.span.clone())).ok().flatten().unwrap_or_default()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same in another span.
    #[must_use]
    pub fn under(self, span: &Span) -> Self {
        Self { span: span.clone(), ..self }
    }

    /// The request of this task in another span; a new one if the span is all there is.
    pub fn current_under(span: &Span) -> Option<Self> {
        let id = Self::current().or_else(|| span.context().map(|_| Self::random()));
        id.map(|id| id.under(span))
    }

    /// The same for what is no part of what is done for it now, such as what comes later over its socket.
    #[must_use]
    pub fn apart(self) -> Self {
        let span = self.span.apart();
        self.under(&span)
    }

    /// The span that it stands in.
    pub fn stands_in(&self) -> &Span {
        &self.span
    }

    /// Carries something out for a request; none: for nobody's.
    pub fn within<F: Future>(request: Option<Self>, work: F) -> TaskLocalFuture<Option<Self>, F> {
        CURRENT.scope(request, work)
    }

    /// The same for what does not wait.
    pub fn within_now<R>(request: Option<Self>, work: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(request, work)
    }

    /// Carries out a part of what is under way, in a span of its own.
    pub async fn spanned<F: Future>(name: &'static str, work: F) -> F::Output {
        let span = Self::span().begin(name);
        Self::within(Self::current_under(&span), work).await
    }

    /// A task of its own for what is carried out for the same request.
    pub fn carried<F: Future>(work: F) -> TaskLocalFuture<Option<Self>, F> {
        Self::within(Self::current(), work)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_own_is_taken_if_it_is_short_and_visible() {
        assert_eq!(RequestId::read(b"req-42").map(|id| id.to_string()).as_deref(), Some("req-42"));
        for bad in [&b""[..], b"two words", b"a\nb", "ä".as_bytes(), &[b'x'; 129]] {
            assert_eq!(RequestId::read(bad), None, "{bad:?}");
        }
        assert!(RequestId::read(&[b'x'; 128]).is_some());
        assert!(RequestId::read(RequestId::random().as_str().as_bytes()).is_some());
    }

    #[tokio::test]
    async fn it_goes_with_the_work_into_other_tasks_and_ends_with_it() {
        assert_eq!(RequestId::current(), None);
        let id = RequestId::random();
        let seen = RequestId::within(Some(id.clone()), async {
            let carried = tokio::spawn(RequestId::carried(async { RequestId::current() }));
            let other = tokio::spawn(async { RequestId::current() });
            (RequestId::current(), carried.await.expect("it ends"), other.await.expect("it ends"))
        });
        assert_eq!(seen.await, (Some(id.clone()), Some(id.clone()), None));
        assert_eq!(RequestId::within_now(Some(id.clone()), RequestId::current), Some(id));
        assert_eq!(RequestId::current(), None);
    }
}
