//! Whether a request went over a connection that was there before. The HTTP library keeps connections and does not say; but whoever
//! goes over a new one has waited for it, and that can be noted.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static CONNECTS: Cell<bool>;
}

/// Sends a request; says whether a connection was made for it.
pub async fn noted<T>(sending: impl Future<Output = T>) -> (T, bool) {
    let noted = async {
        let sent = sending.await;
        (sent, CONNECTS.with(Cell::get))
    };
    CONNECTS.scope(Cell::new(false), noted).await
}

/// Notes connections that are made.
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

impl<R, S: Service<R>> Service<R> for Noted<S>
where
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let made = connecting.await?;
            // Not before it is there: while it is made, a kept one may come free, and is taken. Then this goes on for the pool, in a
            // task of its own.
            _ = CONNECTS.try_with(|connects| connects.set(true));
            Ok(made)
        })
    }
}
