//! The peers that schedule: coroutines of may on one worker, tasks of tokio on its current thread.
//!
//! Each does what our user threads do: two that yield to each other, two that wake each other by semaphores, one that is made,
//! run and joined. Their schedulers do more (other workers may take a coroutine, wakers may come from any thread).

use crate::clock::ticks;
use std::hint::black_box;

/// Yields per measurement.
const YIELDS: u64 = 20_000;
/// Semaphore round trips per measurement.
const TRIPS: u64 = 5_000;
/// Coroutines or tasks made per measurement.
const CREATED: u64 = 5_000;

/// Coroutines of may.
pub mod of_may {
    use super::{CREATED, TRIPS, YIELDS, black_box, ticks};
    use may::coroutine::{spawn, yield_now};
    use may::sync::Semphore;
    use std::sync::{Arc, Once};

    /// Runs `f` as a coroutine; all run on one worker, which stays on the CPU that this thread is on.
    fn run(f: impl FnOnce() -> f64 + Send + 'static) -> f64 {
        static ONE_WORKER: Once = Once::new();
        ONE_WORKER.call_once(|| {
            may::config().set_workers(1);
        });
        // SAFETY: the coroutine uses little stack and no thread-local storage across a yield.
        let coroutine = unsafe { spawn(f) };
        coroutine.join().expect("it does not panic")
    }

    /// Ticks per switch when two yield to each other.
    pub fn yields() -> f64 {
        run(|| {
            let yielder = || (0..YIELDS / 2).for_each(|_| yield_now());
            // SAFETY: as in `run`.
            let other = unsafe { spawn(yielder) };
            let start = ticks();
            yielder();
            let end = ticks();
            other.join().expect("it does not panic");
            (end - start) as f64 / YIELDS as f64
        })
    }

    /// Ticks for two to wake each other.
    pub fn round_trip() -> f64 {
        run(|| {
            let pair = Arc::new((Semphore::new(0), Semphore::new(0)));
            let answers = pair.clone();
            let answer = move || {
                for _ in 0..TRIPS {
                    answers.0.wait();
                    answers.1.post();
                }
            };
            // SAFETY: as in `run`.
            let other = unsafe { spawn(answer) };
            let start = ticks();
            for _ in 0..TRIPS {
                pair.0.post();
                pair.1.wait();
            }
            let end = ticks();
            other.join().expect("it does not panic");
            (end - start) as f64 / TRIPS as f64
        })
    }

    /// Ticks to create, run and join one.
    pub fn create_join() -> f64 {
        run(|| {
            let mut number = 0;
            let start = ticks();
            for _ in 0..CREATED {
                // SAFETY: as in `run`.
                let one = unsafe { spawn(move || number + 1) };
                number = one.join().expect("it does not panic");
            }
            let end = ticks();
            assert_eq!(black_box(number), CREATED);
            (end - start) as f64 / CREATED as f64
        })
    }
}

/// Tasks of tokio.
pub mod of_tokio {
    use super::{CREATED, TRIPS, YIELDS, black_box, ticks};
    use std::future::Future;
    use std::sync::Arc;
    use tokio::runtime::Builder;
    use tokio::sync::Semaphore;
    use tokio::task::{spawn, yield_now};

    /// Runs a future as a task, with all others on this thread.
    fn run(future: impl Future<Output = f64> + Send + 'static) -> f64 {
        let runtime = Builder::new_current_thread().build().expect("no drivers are asked for");
        runtime.block_on(async { spawn(future).await.expect("it does not panic") })
    }

    async fn yielder() {
        for _ in 0..YIELDS / 2 {
            yield_now().await;
        }
    }

    /// Ticks per switch when two yield to each other.
    pub fn yields() -> f64 {
        run(async {
            let other = spawn(yielder());
            let start = ticks();
            yielder().await;
            let end = ticks();
            other.await.expect("it does not panic");
            (end - start) as f64 / YIELDS as f64
        })
    }

    async fn wait(semaphore: &Semaphore) {
        semaphore.acquire().await.expect("nobody closes it").forget();
    }

    /// Ticks for two to wake each other.
    pub fn round_trip() -> f64 {
        run(async {
            let pair = Arc::new((Semaphore::new(0), Semaphore::new(0)));
            let answers = pair.clone();
            let other = spawn(async move {
                for _ in 0..TRIPS {
                    wait(&answers.0).await;
                    answers.1.add_permits(1);
                }
            });
            let start = ticks();
            for _ in 0..TRIPS {
                pair.0.add_permits(1);
                wait(&pair.1).await;
            }
            let end = ticks();
            other.await.expect("it does not panic");
            (end - start) as f64 / TRIPS as f64
        })
    }

    /// Ticks to create, run and join one.
    pub fn create_join() -> f64 {
        run(async {
            let mut number = 0;
            let start = ticks();
            for _ in 0..CREATED {
                number = spawn(async move { number + 1 }).await.expect("it does not panic");
            }
            let end = ticks();
            assert_eq!(black_box(number), CREATED);
            (end - start) as f64 / CREATED as f64
        })
    }
}
