use super::*;

#[test]
fn only_the_last_are_kept() {
    let mut queue = VecDeque::new();
    for number in 0..KEPT + 5 {
        keep(&mut queue, number);
    }
    assert_eq!((queue.len(), queue[0]), (KEPT, 5));
}
