//! Tests of the helpers: a helper that does not see a failure hides every other one.

use std::net::{TcpListener, UdpSocket};
use std::panic::catch_unwind;
use std::process::Command;
use std::time::Duration;

use super::{COMMAND_PATIENCE, is_free, output};

fn bash(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", script]);
    command
}

#[test]
fn a_command_says_how_it_ended_and_what_it_wrote() {
    let (status, out, err) = output(bash("echo one; echo two >&2; exit 3"), COMMAND_PATIENCE);
    assert_eq!((status.code(), out.as_str(), err.as_str()), (Some(3), "one\n", "two\n"));
}

#[test]
fn a_command_that_hangs_is_ended_and_named() {
    let dir = tempfile::tempdir().unwrap();
    // Opened for reading and writing: nobody ever writes, and it never ends.
    let script = format!("cd {} && mkfifo fifo && cat <>fifo", dir.path().display());
    let hung = catch_unwind(|| output(bash(&script), Duration::from_secs(1)));
    let said = *hung.expect_err("it hung").downcast::<String>().unwrap();
    assert!(said.contains(&script) && said.contains("ran for 1s"), "{said}");
}

#[test]
fn an_address_where_somebody_listens_is_not_free() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(!is_free(&tcp.local_addr().unwrap().to_string()));
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(!is_free(&udp.local_addr().unwrap().to_string()));
}
