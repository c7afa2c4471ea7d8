//! What is looked up once a second at most, however many ask for it.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// How old what is told may be.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// The last look. Who asks while one is under way waits for that.
#[derive(Debug)]
pub struct Recent<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Recent<T> {
    /// What was seen within the last second, or what `look` sees now. A look that fails is no look.
    ///
    /// # Errors
    /// That of `look`.
    pub async fn get<E>(&self, look: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut last = self.0.lock().await;
        if let Some((_, seen)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH_FOR) {
            return Ok(seen.clone());
        }
        let seen = look().await?;
        *last = Some((Instant::now(), seen.clone()));
        Ok(seen)
    }

    /// What was seen is no longer so.
    pub async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_within_a_second_cost_one_look() {
        let (recent, looks) = (Recent::default(), Cell::new(0));
        let ask = || {
            recent.get(async || {
                tokio::time::sleep(Duration::from_millis(100)).await;
                looks.set(looks.get() + 1);
                Ok::<_, ()>(looks.get())
            })
        };
        assert_eq!(join_all((0..50).map(|_| ask())).await, vec![Ok(1); 50]);
        tokio::time::advance(FRESH_FOR).await;
        assert_eq!(ask().await, Ok(2));
        recent.forget().await;
        assert_eq!(ask().await, Ok(3));
        recent.forget().await;
        assert_eq!(recent.get(async || Err::<i32, _>("away")).await, Err("away"));
        assert_eq!(ask().await, Ok(4));
    }
}
