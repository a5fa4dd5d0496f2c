//! The table at the head of `ring`, under every interleaving of two threads.

use super::super::*;
use loom::sync::Arc;
use loom::thread;

/// A ring that two frames fill: the producer meets a full one, the consumer an empty one, frames go around the end.
#[test]
fn whole_frames_in_order() {
    loom::model(|| {
        let ring = Arc::new(Ring::<8>::new());
        let producer = {
            let ring = ring.clone();
            thread::spawn(move || {
                for i in 1..=3_u8 {
                    // SAFETY: this thread alone pushes.
                    while unsafe { ring.push(&[i, i]) }.is_err() {
                        thread::yield_now();
                    }
                }
            })
        };
        for i in 1..=3_u8 {
            let mut to = [0; 4];
            let len = loop {
                // SAFETY: this thread alone pops.
                match unsafe { ring.pop(&mut to) } {
                    Some(len) => break len,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(to[..len], [i, i]);
        }
        producer.join().expect("the producer ends");
    });
}
