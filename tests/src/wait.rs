//! Waiting for something that a process outside this one does.
//!
//! Programs write a line when something changed: the engine of every block, peer and application,
//! the application of every push that it checked or followed. So whoever waits is woken by what is
//! written, made or removed in the directories where the logs stand, and looks; that works while
//! the program starts, and after it was killed, as well.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

/// A look may fail by itself, when a busy machine refuses a connection: nobody writes a line about
/// that, and so it is looked again after that long without an event.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Returns what `look` finds, looking whenever something happens in one of `dirs` until `patience`
/// is over.
///
/// # Panics
/// When nothing was found in time, saying `what` was waited for.
pub fn until<T>(
    dirs: &[PathBuf],
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let events = Events::of(dirs);
    let deadline = Instant::now() + patience;
    loop {
        // Before the look: what happens from now on wakes.
        events.forget();
        if let Some(found) = look() {
            return found;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "waited {patience:?} in vain: {what}");
        events.next(left.min(LOOK_AGAIN));
    }
}

/// What happens in some directories.
struct Events {
    inotify: OwnedFd,
}

impl Events {
    fn of(dirs: &[PathBuf]) -> Events {
        let flags = CreateFlags::NONBLOCK | CreateFlags::CLOEXEC;
        let inotify = inotify::init(flags).expect("inotify");
        let what =
            WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVED_TO;
        for dir in dirs {
            inotify::add_watch(&inotify, dir, what)
                .unwrap_or_else(|error| panic!("cannot watch {}: {error}", dir.display()));
        }
        Events { inotify }
    }

    /// Takes away all events so far.
    fn forget(&self) {
        let mut buffer = [0; 4096];
        while rustix::io::read(&self.inotify, &mut buffer).is_ok_and(|length| length > 0) {}
    }

    /// Blocks until there is an event, or for so long.
    fn next(&self, most: Duration) {
        let most = Timespec::try_from(most).expect("a short time");
        let mut of = [PollFd::new(&self.inotify, PollFlags::IN)];
        match poll(&mut of, Some(&most)) {
            // An interrupted wait looks once more.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
