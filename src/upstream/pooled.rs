//! Whether a request went over a connection that was there before. The HTTP library keeps connections and does not say; but whoever
//! needs a new one has it made, and that can be noted.

use std::cell::Cell;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static CONNECTS: Cell<bool>;
}

/// Sends a request; says whether a connection was begun for it.
pub async fn noted<T>(sending: impl Future<Output = T>) -> (T, bool) {
    let noted = async {
        let sent = sending.await;
        (sent, CONNECTS.with(Cell::get))
    };
    CONNECTS.scope(Cell::new(false), noted).await
}

/// Notes connections that are begun.
#[derive(Debug, Clone, Copy)]
pub struct Noting;

/// A connector that notes it.
#[derive(Debug, Clone)]
pub struct Noted<S>(S);

impl<S> Layer<S> for Noting {
    type Service = Noted<S>;

    fn layer(&self, connector: S) -> Noted<S> {
        Noted(connector)
    }
}

impl<R, S: Service<R>> Service<R> for Noted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        // Not within a request's task if it goes on for the pool after that has found another one.
        _ = CONNECTS.try_with(|connects| connects.set(true));
        self.0.call(request)
    }
}
