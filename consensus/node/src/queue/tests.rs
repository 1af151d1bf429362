//! Order, bounds and waking.

use super::*;
use std::task::Context;

fn queue(items_max: usize, bytes_max: usize) -> Queue<u32> {
    Queue::new(Bell::default(), &[Room { items_max, bytes_max }; 2])
}

#[test]
fn urgent_classes_come_first_each_in_order() {
    let queue = queue(10, 100);
    for (class, item) in [(1, 10), (0, 1), (1, 11), (0, 2)] {
        queue.try_push(class, 1, item).unwrap();
    }
    let mut out = Vec::new();
    queue.drain(3, &mut out);
    assert_eq!(out, [1, 2, 10]);
    queue.drain(3, &mut out);
    assert_eq!(out, [1, 2, 10, 11]);
    assert!(queue.is_empty());
}

#[test]
fn a_full_class_refuses_and_wakes_when_drained() {
    let queue = queue(10, 5);
    assert_eq!(queue.try_push(0, 9, 1), Ok(()), "one item always fits");
    assert_eq!(queue.try_push(0, 1, 2), Err(2));
    assert_eq!(queue.try_push(1, 1, 3), Ok(()), "other classes are not held back");
    let (waker, count) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    assert!(queue.poll_room(0, &mut cx).is_pending());
    let mut out = Vec::new();
    queue.drain(1, &mut out);
    assert_eq!(count.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert!(queue.poll_room(0, &mut cx).is_ready());
}

#[test]
fn a_ring_before_the_wait_is_not_lost() {
    let bell = Bell::default();
    bell.listen();
    bell.ring();
    // Would hang for ever if the ring were lost.
    bell.wait(None);
}

struct Count(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

fn counting_waker() -> (Waker, Arc<Count>) {
    let count = Arc::new(Count(std::sync::atomic::AtomicUsize::new(0)));
    (Waker::from(count.clone()), count)
}
