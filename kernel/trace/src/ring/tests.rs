#[cfg(feature = "loom")]
mod loom;

#[cfg(not(feature = "loom"))]
mod plain {
    use super::super::*;
    use std::{thread, vec, vec::Vec};

    #[test]
    fn frames_come_back_whole_and_in_order_around_the_end() {
        let ring = Ring::<16>::new();
        for i in 0..100_u8 {
            let frame = [i, i + 1, i + 2];
            // SAFETY: one thread.
            unsafe { ring.push(&frame) }.expect("room");
            // SAFETY: one thread.
            unsafe { ring.push(&[i]) }.expect("room");
            let mut to = [0; 8];
            // SAFETY: one thread.
            assert_eq!(unsafe { ring.pop(&mut to) }, Some(3));
            assert_eq!(to[..3], frame);
            // SAFETY: one thread.
            assert_eq!(unsafe { ring.pop(&mut to) }, Some(1));
            assert_eq!(to[0], i);
            // SAFETY: one thread.
            assert_eq!(unsafe { ring.pop(&mut to) }, None);
        }
    }

    #[test]
    fn a_full_ring_takes_nothing_of_a_frame() {
        let ring = Ring::<16>::new();
        // SAFETY: one thread.
        unsafe { ring.push(&[1; 10]) }.expect("room");
        // SAFETY: one thread.
        assert_eq!(unsafe { ring.push(&[2; 3]) }, Err(Full));
        // SAFETY: one thread.
        unsafe { ring.push(&[3; 2]) }.expect("room for 2");
        let mut to = [0; 16];
        // SAFETY: one thread.
        assert_eq!(unsafe { ring.pop(&mut to) }, Some(10));
        // SAFETY: one thread.
        assert_eq!(unsafe { ring.pop(&mut to) }, Some(2));
        assert_eq!(to[..2], [3, 3]);
    }

    #[test]
    fn two_threads_pass_frames() {
        let ring = Ring::<64>::new();
        let count = 20_000_u32;
        thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..count {
                    let frame = vec![i as u8; (i % 20) as usize];
                    // SAFETY: this thread alone pushes.
                    while unsafe { ring.push(&frame) }.is_err() {
                        thread::yield_now();
                    }
                }
            });
            let mut got = 0;
            let mut to = [0; 32];
            while got < count {
                // SAFETY: this thread alone pops.
                let Some(len) = (unsafe { ring.pop(&mut to) }) else {
                    thread::yield_now();
                    continue;
                };
                let expected: Vec<u8> = vec![got as u8; (got % 20) as usize];
                assert_eq!(to[..len], expected[..]);
                got += 1;
            }
        });
    }
}
