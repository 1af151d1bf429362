//! The scripts in `localnet/` as a person uses them: what runs is watched, what is dead is said.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use guts_tests::localnet::{Localnet, PATIENCE, Programs};
use guts_tests::process::end;
use guts_tests::run::{Ran, run};
use guts_tests::{program, root};

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

/// What a network says that has an application without which there is no first block.
fn start_in_vain(app: &str, args: &[&str]) -> String {
    let net = Localnet::reserve(Programs::as_built());
    let said = net.call("start", &[&["--detach", "--app", app], args].concat());
    let status = net.call("status", &[]).expect_refused().said();
    assert!(status.contains("nothing of this network runs"), "{status}");
    said.expect_refused().stderr
}

#[test]
fn a_pair_that_ends_before_the_first_block_is_said() {
    let said = start_in_vain("ls /no/such/file", &[]);
    assert!(said.contains("error: the app of validator"), "{said}");
    assert!(said.contains("No such file"), "the end of its log: {said}");
}

#[test]
fn the_first_block_is_waited_for_while_something_happens() {
    let small = ["--validators", "1", "--allow-small", "--patience", "2"];
    let said = start_in_vain("tail -f /dev/null", &small);
    assert!(said.contains("of 1 answer") && said.contains("applications have worked"), "{said}");
    assert!(said.contains("error: no first block, and nothing has happened for 2 s"), "{said}");
    assert!(said.contains("the end of") && said.contains("engine.log"), "{said}");

    // Like one that has a large genesis to go through, for longer than the patience.
    let place = tempfile::tempdir().expect("a directory");
    let script = place.path().join("busy");
    let work = "end=$((SECONDS + 5)); while ((SECONDS < end)); do :; done; echo done";
    std::fs::write(&script, work).expect("written");
    let said = start_in_vain(&format!("bash {}", script.display()), &small);
    assert!(said.contains("error: the app of validator 0 ended"), "{said}");
    assert!(said.contains("    done"), "the end of its log: {said}");
}

/// Runs a script of `localnet/` on a network, with programs that were built already.
fn script(net: &Localnet, name: &str, args: &[&str]) -> Ran {
    let target = net.home().join("target");
    if !target.exists() {
        std::fs::create_dir(&target).expect("made");
        let programs = program("guts-localnet");
        let programs = programs.parent().expect("a directory of programs");
        std::os::unix::fs::symlink(programs, target.join("release")).expect("linked");
    }
    let home = net.home().display().to_string();
    script_with(&target, name, &[&["--home", &home], args].concat())
}

fn script_with(target: &Path, name: &str, args: &[&str]) -> Ran {
    let target = target.display().to_string();
    let env = [("CARGO_TARGET_DIR", target.as_str())];
    run(&root().join("localnet").join(name), args, Path::new("/"), &env)
}

/// The report of a bench.
fn bench(net: &Localnet, args: &[&str]) -> serde_json::Value {
    let ran = script(net, "bench", args).expect_ok();
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.said()))
}

#[test]
fn the_scripts_work_on_a_network_of_one() {
    let args = ["--validators", "1", "--allow-small", "--set", "moniker=seen"];
    let net = Localnet::start(&args);
    let status = net.get(0, "status").expect("it answers");
    assert_eq!(status["result"]["node_info"]["moniker"], "seen", "a setting reaches the engine");

    script(&net, "kill", &["0"]).expect_ok();
    let said = script(&net, "status", &[]).expect_refused().said();
    assert!(said.contains("(dead)") && said.contains("nothing of this network runs"), "{said}");
    script(&net, "revive", &["0"]).expect_ok();
    let table = net.wait("it answers", || {
        let ran = script(&net, "status", &[]);
        ran.ok.then_some(ran.stdout)
    });
    assert!(table.contains(&net.rpc(0)) && table.contains(&net.gateway(0)), "{table}");
    let said = script(&net, "kill", &["1"]).expect_refused().said();
    assert!(said.contains("no validator 1: this network has 0 to 0"), "{said}");

    a_load_is_reported(&net);
    let kill = ["--kind", "kill", "--rate", "50", "--trials", "1", "--seconds", "1"];
    let killed = bench(&net, &kill);
    assert_eq!((&killed["lost"], &killed["bad_trials"]), (&0.into(), &0.into()), "{killed}");
    assert!(killed["seen"].as_u64() > Some(0) && killed["trials"][0]["killed"] == 2, "{killed}");
    let cloned = bench(&net, &["--kind", "clone", "--size", "300000", "--trials", "1"]);
    for name in ["clone_p50_ms", "plain_p50_ms"] {
        assert!(cloned[name].as_f64() > Some(0.0), "{name}: {cloned}");
    }
    let idle = bench(&net, &["--kind", "idle", "--seconds", "1"]);
    let names: Vec<_> = idle["processes"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = names.iter().map(|it| it["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["app0", "engine0", "bench"]);

    script(&net, "stop", &[]).expect_ok();
    let said = script(&net, "bench", &["--kind", "idle"]).expect_refused().said();
    assert!(said.contains("error: no process of this network runs"), "{said}");
}

/// The fields of a report, and that they fit together.
fn a_load_is_reported(net: &Localnet) {
    let args = ["--kind", "guts", "--rate", "40", "--batch", "5", "--seconds", "2"];
    let report = bench(net, &args);
    let count = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("{name}: {report}"));
    let figure = |name: &str| report[name].as_f64().unwrap_or_else(|| panic!("{name}: {report}"));
    assert_eq!(report["kind"], "guts");
    assert_eq!(count("sent") + count("unsent"), 80, "{report}");
    assert_eq!(count("accepted") + count("refused"), count("sent"), "{report}");
    assert_eq!(count("committed") + count("failed") + count("unseen"), count("accepted"));
    assert!(count("committed") > 0, "{report}");
    let per_s = count("committed") as f64 / 2.0;
    assert!(figure("tx_per_s") > 0.0 && figure("tx_per_s") <= per_s + 0.1, "{report}");
    let [p50, max] = ["p50", "max"].map(|at| report["latency_ms"][at].as_f64().expect("a figure"));
    assert!(0.0 < p50 && p50 <= max && max < 60_000.0, "milliseconds: {report}");
    for name in ["tx_per_cpu_s", "cpu_us_per_tx", "bench_cpu_percent"] {
        assert!(figure(name) > 0.0, "{name}: {report}");
    }
    // One block has no interval.
    assert!(figure("block_interval_ms") >= 0.0, "{report}");
    let processes = report["processes"].as_array().expect("a list");
    assert_eq!(processes.len(), 3, "two halves and the load: {report}");
    let is_used =
        |it: &serde_json::Value| it["cpu_s"].is_f64() && it["rss_mb"].as_f64() > Some(1.0);
    assert!(processes.iter().all(is_used), "{report}");
    for name in ["cores", "ed25519_batch256_per_s", "sha256_mb_per_s", "fsync_p50_us"] {
        assert!(report["machine"][name].as_u64() > Some(0), "{name}: {report}");
    }
}

#[test]
fn scripts_say_what_is_missing() {
    let empty = tempfile::tempdir().expect("a directory");
    for name in ["stop", "status", "kill", "revive", "bench"] {
        let said = script_with(empty.path(), name, &[]).expect_refused().said();
        assert!(said.contains("error: nothing is built yet: run ./localnet/start first"), "{said}");
    }
    let help = script_with(empty.path(), "start", &["--help"]).expect_ok().stdout;
    assert!(help.contains("usage: ./localnet/start") && help.contains("--allow-small"), "{help}");

    let programs = program("guts-localnet");
    let programs = programs.parent().expect("a directory of programs");
    std::os::unix::fs::symlink(programs, empty.path().join("release")).expect("linked");
    let home = empty.path().join("none").display().to_string();
    for args in [&["status"][..], &["stop"], &["kill", "0"], &["revive", "0"]] {
        let (name, rest) = args.split_first().expect("a name");
        let args = [&["--home", &home], rest].concat();
        let said = script_with(empty.path(), name, &args).expect_refused().said();
        assert!(said.contains("error: no network in"), "{name}: {said}");
    }
    let args = ["--home", &home];
    let said = script_with(empty.path(), "bench", &args).expect_refused().said();
    assert!(said.contains("error: no network: give --rpc"), "{said}");
    let usage = std::fs::read_to_string(root().join("localnet/bench")).expect("readable");
    let help = script_with(empty.path(), "bench", &["--help"]).expect_ok().stdout;
    for word in help.split_whitespace().filter(|word| word.starts_with("--")) {
        let flag = word.trim_end_matches([',', ';', ']']);
        let is_own = ["--help", "--version", "--pid"].contains(&flag);
        assert!(is_own || usage.contains(flag), "{flag} is not in the usage line");
    }
}
