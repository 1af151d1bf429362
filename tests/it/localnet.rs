//! The scripts in `localnet/` as a person uses them: what runs is watched, what is dead is said.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use guts_tests::localnet::{Localnet, PATIENCE};
use guts_tests::process::end;
use guts_tests::program;
use guts_tests::run::run;

/// A network in the foreground of a terminal of its own.
struct Foreground {
    process: Child,
    lines: Receiver<String>,
    begun: Instant,
}

impl Foreground {
    /// Starts `net`, of which nothing runs.
    fn start(net: &Localnet) -> Foreground {
        let mut command = Command::new(program("guts-localnet"));
        command.arg("start").arg("--home").arg(net.home());
        let mut process =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(process.stderr.take().expect("piped"));
        let (sender, lines) = channel();
        // Ends with the process.
        std::thread::spawn(move || {
            said.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let foreground = Foreground { process, lines, begun: Instant::now() };
        foreground.wait_said("✓ first block");
        foreground
    }

    /// Waits for a line with this in it.
    fn wait_said(&self, what: &str) {
        let mut said = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(what) => return,
                Ok(line) => said += &(line + "\n"),
                Err(error) => panic!("{error}: nobody said {what:?}:\n{said}"),
            }
        }
    }

    /// Waits for its end, and returns its exit status.
    fn wait_end(&mut self) -> Option<i32> {
        // Its processes write to their logs, so what it says ends when it does.
        while self.lines.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Disconnected) {
            assert!(self.begun.elapsed() < 5 * PATIENCE, "it says something for ever");
        }
        self.process.wait().expect("it was started").code()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn kvstore() -> String {
    format!("{} --address unix://{{socket}}", program("kvstore").display())
}

/// Ends one half of a validator behind the network's back.
fn kill_behind(net: &Localnet, validator: usize, half: &str) {
    let state = std::fs::read_to_string(net.home().join("network.json")).expect("readable");
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    let pid = state["validators"][validator][half]["pid"].as_u64().expect("a pid").to_string();
    run(Path::new("kill"), &["-9", &pid], Path::new("/"), &[]).expect_ok();
}

#[test]
fn the_foreground_says_who_ends_and_who_is_back() {
    let net = Localnet::start(&["--app", &kvstore()]);
    net.wait("all answer", || net.call("status", &[]).ok.then_some(()));
    net.call("stop", &[]).expect_ok();
    let mut foreground = Foreground::start(&net);

    net.kill(3);
    foreground.wait_said("• ./localnet/kill ended the");
    foreground.wait_said("of validator 3");
    let said = net.call("status", &[]).expect_refused().said();
    assert!(said.contains("error: the app of validator 3 is dead; the engine of"), "{said}");
    net.revive(3);
    foreground.wait_said("of validator 3 is back");
    foreground.wait_said("✓ the engine of validator 3 is back");
    net.wait("all answer again", || net.call("status", &[]).ok.then_some(()));

    kill_behind(&net, 1, "app");
    foreground.wait_said("✗ the app of validator 1 ended (signal 9); the end of");
    assert_eq!(foreground.process.try_wait().expect("it was started"), None, "others run");
    for validator in 0..4 {
        net.kill(validator);
    }
    foreground.wait_said("error: nothing of the network is left");
    assert_eq!(foreground.wait_end(), Some(1));
    let said = net.call("status", &[]).expect_refused().said();
    assert!(said.contains("(dead)") && said.contains("nothing of this network runs"), "{said}");

    // An end that was asked for is none to complain about.
    let mut foreground = Foreground::start(&net);
    net.call("stop", &[]).expect_ok();
    assert_eq!(foreground.wait_end(), Some(0));
}

#[test]
fn a_pair_that_ends_before_the_first_block_is_said() {
    let net = Localnet::start(&["--app", &kvstore()]);
    net.call("stop", &[]).expect_ok();
    let home = net.home().join("other").display().to_string();
    let app = "ls /no/such/file";
    let args = ["start", "--home", &home, "--detach", "--app", app];
    let ran = run(&program("guts-localnet"), &args, Path::new("/"), &[]).expect_refused();
    assert!(ran.stderr.contains("error: the app of validator"), "{}", ran.stderr);
    assert!(ran.stderr.contains("No such file"), "the end of its log: {}", ran.stderr);
    let args = ["status", "--home", &home];
    let said = run(&program("guts-localnet"), &args, Path::new("/"), &[]).expect_refused().said();
    assert!(said.contains("nothing of this network runs"), "{said}");
}
