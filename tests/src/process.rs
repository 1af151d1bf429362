//! Processes that a test starts and ends, and addresses for them.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ends a process with SIGKILL.
pub fn end(process: &mut Child) {
    // It may have ended by itself: a CometBFT whose application is gone does.
    let _gone = process.kill();
    let _status = process.wait();
}

/// Starts a program that writes both its outputs to a file.
///
/// # Panics
/// When it cannot be started.
pub fn spawn(mut command: Command, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).expect("a log file");
    let both = log.try_clone().expect("a second handle");
    command.stdin(Stdio::null()).stdout(both).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Addresses of the loopback that nobody listens on, all different.
///
/// # Panics
/// When there are no ports left.
pub fn free_addresses(count: usize) -> Vec<String> {
    // Held until all are known.
    let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a port");
    let held: Vec<_> = (0..count).map(bind).collect();
    held.iter().map(|held| held.local_addr().expect("bound").to_string()).collect()
}
