//! Waiting for something that a process outside this one does. It has no event to subscribe to,
//! so it is looked at; this is the only place in the tests that sleeps.

use std::time::{Duration, Instant};

const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Returns what `look` finds, looking until `patience` is over.
///
/// # Panics
/// When nothing was found in time, saying `what` was waited for.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}");
        std::thread::sleep(LOOK_INTERVAL);
    }
}
