//! Open files of this process: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process open as many files as the system allows it at all: connections must not leave
/// the database without. Does what it can, and warns where that is nothing.
pub fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, ?current, "cannot raise the limit of open files");
    }
}

/// How many files this process may have open; none if there is no limit.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many it has open; none where the system does not tell.
pub fn open() -> Option<u64> {
    let listed = std::fs::read_dir("/proc/self/fd").ok()?;
    // The listing itself is one.
    u64::try_from(listed.count()).ok()?.checked_sub(1)
}
