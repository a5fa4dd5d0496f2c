//! Runs things side by side, one on each core of the host. In mode `insns` a boot keeps one core busy, and counts the same
//! however busy the others are.

use std::sync::{Mutex, MutexGuard};
use std::thread;

/// What `run` makes of each of these, in their order.
pub fn map<T: Sync, R: Send>(all: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (left, made) = (Mutex::new(all.iter().enumerate()), Mutex::new(Vec::new()));
    let next = || locked(&left).next();
    thread::scope(|scope| {
        for _ in 0..cores.min(all.len()) {
            scope.spawn(|| {
                while let Some((number, one)) = next() {
                    let result = run(one);
                    locked(&made).push((number, result));
                }
            });
        }
    });
    let mut made = std::mem::take(&mut *locked(&made));
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().map(|(_, result)| result).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no worker panics while it holds this")
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_come_in_the_order_of_what_was_given() {
        let all: Vec<u64> = (0..40).collect();
        let later = |one: &u64| {
            std::thread::sleep(std::time::Duration::from_millis((40 - one) % 7));
            one * 2
        };
        let doubled: Vec<u64> = all.iter().map(|one| one * 2).collect();
        assert_eq!(super::map(&all, later), doubled);
        assert_eq!(super::map(&[], later), Vec::<u64>::new());
    }
}
