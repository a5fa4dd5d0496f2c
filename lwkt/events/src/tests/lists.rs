//! The lists of waiters against the plainest model of them.

use std::collections::VecDeque;
use std::vec::Vec;

use proptest::prelude::*;

use crate::waiters::{Waiter, Waiters};
use lwkt_sched::{Thread, ThreadRef, Unstarted};

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Pop(usize),
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4usize).prop_map(Step::Push),
        2 => (0..4usize).prop_map(Step::Pop),
        2 => (0..32usize).prop_map(Step::Remove),
    ]
}

fn thread() -> ThreadRef {
    Unstarted::new(super::leak(Thread::new())).thread()
}

proptest! {
    /// Four queues, some of which share a chain.
    #[test]
    fn lists_follow_the_model(steps in prop::collection::vec(step(), 1..150)) {
        // The first three share a chain: their addresses differ above what the table looks at.
        let queues = [0x1000_0000usize, 0x1002_0000_0000, 0x1004_0000_0000, 0x2040];
        let mut waiters = Waiters::new();
        let all: Vec<_> = (0..4).flat_map(|queue| (0..8).map(move |_| queue)).collect();
        let threads: Vec<_> = all.iter().map(|_| thread()).collect();
        let nodes: Vec<_> = all
            .iter()
            .zip(&threads)
            .map(|(&queue, &thread)| Waiter::new(queues[queue], thread))
            .collect();
        let mut model: [VecDeque<usize>; 4] = Default::default();
        for step in steps {
            match step {
                Step::Push(queue) => {
                    let free = (queue * 8..queue * 8 + 8).find(|&node| !nodes[node].is_queued());
                    let Some(node) = free else { continue };
                    model[queue].push_back(node);
                    // SAFETY: `nodes` stays where it is until after `waiters`' last use.
                    #[allow(unsafe_code)]
                    unsafe { waiters.push(&nodes[node]) };
                }
                Step::Pop(queue) => {
                    let expected = model[queue].pop_front().map(|node| threads[node]);
                    prop_assert_eq!(waiters.pop(queues[queue]), expected);
                }
                Step::Remove(node) if nodes[node].is_queued() => {
                    model[node / 8].retain(|&one| one != node);
                    waiters.remove(&nodes[node]);
                }
                Step::Remove(_) => {}
            }
            let queued = nodes.iter().filter(|node| node.is_queued()).count();
            prop_assert_eq!(queued, model.iter().map(VecDeque::len).sum::<usize>());
            for (node, thread) in nodes.iter().zip(&threads) {
                prop_assert_eq!(waiters.has(*thread), node.is_queued());
            }
        }
    }
}
