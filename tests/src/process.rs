//! Processes that a test starts and ends, and addresses for them.

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a command may take at most; twenty times the longest, a push of a whole history.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(300);

/// Ports that are asked for by their number only: the kernel gives to those who do not care others,
/// from 32768 on, and a localnet has its own below and above these.
const PORTS: std::ops::Range<u32> = 10_000..26_000;

/// Ends a process with SIGKILL.
pub fn end(process: &mut Child) {
    // It may have ended by itself: a CometBFT whose application is gone does.
    let _gone = process.kill();
    let _status = process.wait();
}

/// Ends the process with that id, which leads a group of its own and was not waited for yet, and
/// all that it has started.
pub fn end_group(leader: u32) {
    let pid = i32::try_from(leader).ok().and_then(Pid::from_raw).expect("a process id");
    // It may have ended in between.
    let _gone = kill_process_group(pid, Signal::KILL);
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

/// While a test fails, shows the last lines of what its processes said; else nothing.
pub fn show_ends(logs: &[PathBuf]) {
    if !std::thread::panicking() {
        return;
    }
    for log in logs {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(15).collect();
        eprintln!("-- end of {}", log.display());
        lines.iter().rev().for_each(|line| eprintln!("{line}"));
    }
}

/// What a command wrote to one of its outputs so far.
type Written = Arc<Mutex<Vec<u8>>>;

fn gather(mut from: impl Read, to: &Written) {
    let mut buffer = [0; 8 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
    }
}

fn text(written: &Written) -> String {
    let bytes = written.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs a command without input to its end: how it ended, and what it wrote to standard output and
/// error. It has a process group of its own, so that no signal meant for it or for what it starts
/// reaches the test.
///
/// # Panics
/// When it cannot be started, or takes longer than `patience`: then it is ended with all that it
/// has started, and what it wrote is said.
pub fn output(mut command: Command, patience: Duration) -> (ExitStatus, String, String) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let spawned = command.spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let leader = child.id();
    let (out, err) = (Written::default(), Written::default());
    let pipes = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let (sender, ended) = mpsc::channel();
    let written = (out.clone(), err.clone());
    std::thread::spawn(move || {
        let errors = std::thread::spawn(move || gather(pipes.1, &written.1));
        gather(pipes.0, &written.0);
        let _ = errors.join();
        // Nobody listens once the command took too long.
        let _ = sender.send(child.wait());
    });
    match ended.recv_timeout(patience) {
        Ok(status) => (status.expect("a child can be waited for"), text(&out), text(&err)),
        Err(_) => {
            end_group(leader);
            panic!("{command:?} ran for {patience:?}:\n{}{}", text(&out), text(&err));
        }
    }
}

/// Whether nobody listens there, over TCP or, as QUIC does, over UDP.
fn is_free(address: &str) -> bool {
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

/// Addresses of the loopback for programs that cannot be given port 0, all different: nobody
/// listens there, and nobody is given them without asking.
///
/// # Panics
/// When there are no ports left.
pub fn free_addresses(count: usize) -> Vec<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let width = PORTS.end - PORTS.start;
    // Test programs that run at one time begin far from each other.
    let begin = std::process::id().wrapping_mul(97) % width;
    let port = |_| PORTS.start + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % width;
    let addresses = (0..width).map(port).map(|port| format!("127.0.0.1:{port}"));
    let found: Vec<_> = addresses.filter(|at| is_free(at)).take(count).collect();
    assert_eq!(found.len(), count, "there are no ports left");
    found
}

#[cfg(test)]
mod tests;
