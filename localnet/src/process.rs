//! Starts, finds again and ends the processes of a network.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use crate::network::{Half, Network, Started};
use crate::{Error, Result, at};

/// How long a process may take to end after a signal: after SIGTERM it is killed then.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// A clock tick of `/proc`: fixed on Linux.
const MILLIS_PER_TICK: u64 = 10;
/// How much of a log's end is shown when its process died.
const LOG_TAIL_LINES: usize = 12;

/// The program `name` beside this one, where a build puts them.
pub fn sibling(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()
        .map_err(|error| Error::Process(format!("cannot tell where this program is: {error}")))?;
    let dir = own.parent().expect("a program stands in a directory");
    // Test binaries stand one level deeper than the programs they start.
    [dir, dir.parent().unwrap_or(dir)]
        .iter()
        .map(|dir| dir.join(name))
        .find(|p| p.is_file())
        .ok_or_else(|| {
            Error::Process(format!(
                "no {name} beside {}: build it with ./localnet/start",
                own.display()
            ))
        })
}

/// Starts one half of a pair in the background, its output appended to its log.
pub fn spawn(network: &mut Network, index: usize, half: Half) -> Result<()> {
    let mut command = command(network, index, half)?;
    let path = network.log(index, half);
    let log = at("cannot open", &path, OpenOptions::new().create(true).append(true).open(&path))?;
    let err = at("cannot share", &path, log.try_clone())?;
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(err))
        // A group of its own: Ctrl-C in the terminal reaches us, and we end the pairs in order.
        .process_group(0)
        .spawn()
        .map_err(|error| {
            let program = command.get_program().to_string_lossy().into_owned();
            Error::Process(format!("cannot start {program}: {error}"))
        })?;
    *network.validators[index].started_mut(half) = Some(recorded(child.id()));
    network.save()
}

fn command(network: &Network, index: usize, half: Half) -> Result<Command> {
    let dir = network.dir(index, half);
    match (half, &network.app_command) {
        (Half::App, Some(line)) => {
            let line = line.replace("{socket}", &network.socket(index).display().to_string());
            let mut words = line.split_whitespace();
            let program =
                words.next().ok_or_else(|| Error::Usage("--app needs a program".to_string()))?;
            let mut command = Command::new(program);
            command.args(words);
            Ok(command)
        }
        (Half::App, None) => {
            let mut command = Command::new(sibling("guts-app")?);
            command.arg("run").arg("--home").arg(dir);
            Ok(command)
        }
        (Half::Engine, _) => {
            let mut command = Command::new(sibling("guts-engine")?);
            command.arg("run").arg("--home").arg(dir);
            for setting in &network.settings {
                command.arg("--set").arg(setting);
            }
            Ok(command)
        }
    }
}

/// A running process, as it is found again.
pub fn recorded(pid: u32) -> Started {
    Started { pid, start_ticks: start_ticks(pid).unwrap_or(0), ended_by: None }
}

/// Whether the process recorded is still running (not merely one with the same pid, nor a zombie).
pub fn is_alive(started: &Started) -> bool {
    start_ticks(started.pid) == Some(started.start_ticks) && !is_zombie(started.pid)
}

fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces; the fields after its closing bracket do not.
    let rest = text.rsplit_once(')')?.1;
    Some(rest.split_whitespace().map(str::to_string).collect())
}

fn start_ticks(pid: u32) -> Option<u64> {
    stat_fields(pid)?.get(19)?.parse().ok()
}

/// Processor time that a process has used so far, user and system; none when it is gone.
pub fn cpu_time(pid: u32) -> Duration {
    let fields = stat_fields(pid).unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis(ticks(11).saturating_add(ticks(12)).saturating_mul(MILLIS_PER_TICK))
}

fn is_zombie(pid: u32) -> bool {
    stat_fields(pid).and_then(|fields| fields.first().cloned()).as_deref() == Some("Z")
}

/// Takes the exit status of children of ours that ended, so that they do not linger.
fn reap() {
    use rustix::process::{WaitOptions, waitpid};
    while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
}

/// A handle of the process recorded, which stays its own when the pid is given to another; `None`
/// when it is gone.
fn handle(started: &Started) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(started.pid).ok()?)?;
    let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    (start_ticks(started.pid) == Some(started.start_ticks)).then_some(handle)
}

/// Waits until a process has ended, however long that takes, and returns how it did, as "exit
/// status 1" or "signal 9", and takes its status; `None` when it is no child of this one.
pub fn wait_and_take(started: &Started) -> Option<String> {
    let handle = handle(started)?;
    let mut ended = [PollFd::new(&handle, PollFlags::IN)];
    while poll(&mut ended, None) == Err(Errno::INTR) {}
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = waitid(WaitId::PidFd(handle.as_fd()), options).ok()??;
    let exit = status.exit_status().map(|code| format!("exit status {code}"));
    exit.or_else(|| status.terminating_signal().map(|signal| format!("signal {signal}")))
}

/// Waits until all threads of a process have ended, and so its ports and files are free: the main
/// thread alone ends earlier, while another still waits for the disk. `false` after `patience`.
fn wait_end(started: &Started, patience: Duration) -> bool {
    let Some(handle) = handle(started) else { return true };
    let patience = Timespec::try_from(patience).expect("some seconds");
    let mut ended = [PollFd::new(&handle, PollFlags::IN)];
    // A signal of our own ends the wait early: the caller then sees a process that has not ended.
    let ended = poll(&mut ended, Some(&patience)).is_ok_and(|count| count > 0);
    reap();
    ended
}

/// Sends a signal to all of them, then waits for each; returns those that have not ended.
fn end(all: &[Started], signal: Signal) -> Vec<Started> {
    for handle in all.iter().filter_map(handle) {
        // It may have ended in between: that is what was wanted.
        let _ = pidfd_send_signal(&handle, signal);
    }
    all.iter().filter(|started| !wait_end(started, END_PATIENCE)).cloned().collect()
}

/// Ends processes with SIGTERM, all at once, and with SIGKILL those that do not listen; returns
/// how many had to be killed.
///
/// # Errors
/// As [`kill`].
pub fn terminate(all: &[Started]) -> Result<usize> {
    let deaf = end(all, Signal::TERM);
    kill(&deaf)?;
    Ok(deaf.len())
}

/// Ends processes with SIGKILL and waits until they are gone.
///
/// # Errors
/// When one does not end: it waits for a disk that does not answer.
pub fn kill(all: &[Started]) -> Result<()> {
    match end(all, Signal::KILL).first() {
        None => Ok(()),
        Some(started) => Err(Error::Process(format!(
            "process {} was killed and has not ended after {} s: its disk may not answer",
            started.pid,
            END_PATIENCE.as_secs()
        ))),
    }
}

/// Waits for processes that are ending, so that their ports are free.
pub fn wait_for_ending<'a>(all: impl Iterator<Item = &'a Started>) {
    for started in all.filter(|started| !is_alive(started)) {
        wait_end(started, END_PATIENCE);
    }
}

/// The last lines of a log, indented, and where they are from, for an error message.
pub fn end_of(log: &Path) -> String {
    match log_tail(log) {
        tail if tail.is_empty() => format!("{} is empty", log.display()),
        tail => format!("the end of {}:\n{tail}", log.display()),
    }
}

fn log_tail(path: &Path) -> String {
    let text = File::open(path)
        .and_then(|mut file| {
            use std::io::{Read, Seek, SeekFrom};
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(len.saturating_sub(16 * 1024)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
        .unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines[from..].iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
