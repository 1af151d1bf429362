//! Git child processes: how they are started, limited and ended.
//!
//! Every child gets an empty environment but for what is listed here: no system or user
//! configuration, an empty home, no hooks but ours, and limits on memory, CPU, file size, wall
//! time and input. Limits are set with `prlimit` right after the spawn, before the first byte of
//! input is written, and are inherited by the children git starts itself. A child leads its own
//! process group; dropping its [`Running`] kills the group.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::error::GitError;

/// How much of a child's stderr is kept for messages, in bytes.
const STDERR_KEPT_BYTES: u64 = 4096;

/// fsck findings that old, honest histories are full of; everything else refuses the pack.
pub(crate) const FSCK_IGNORED: [&str; 3] =
    ["badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode"];

/// What one git child may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Address space, in bytes (`RLIMIT_AS`).
    pub memory_bytes: u64,
    /// Processor time, in seconds (`RLIMIT_CPU`).
    pub cpu_s: u64,
    /// Largest file it may write, in bytes (`RLIMIT_FSIZE`).
    pub file_bytes: u64,
    /// Wall time from start to exit.
    pub wall: Duration,
    /// Bytes we feed it, after decompression.
    pub input_bytes: u64,
    /// Seconds without a byte of a client's request, or without its taking one of the answer, after
    /// which it is not waited for.
    pub silence_s: u64,
    /// Seconds spent waiting for a client over which it must keep up [`Limits::pace_bytes_per_s`].
    pub pace_s: u64,
    /// The least rate, in bytes a second, at which a client must send a pack or take an answer.
    pub pace_bytes_per_s: u64,
    /// Bytes we read back into memory (streamed answers are not counted).
    pub output_bytes: u64,
}

impl Default for Limits {
    /// Enough for a repository of a few GiB on a small machine.
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 30,
            cpu_s: 600,
            file_bytes: 4 << 30,
            wall: Duration::from_secs(1800),
            input_bytes: 2 << 30,
            silence_s: 30,
            pace_s: 60,
            pace_bytes_per_s: 4 << 10,
            output_bytes: 256 << 20,
        }
    }
}

/// How git is started: where it is, its empty home, our hooks.
#[derive(Debug, Clone)]
pub struct Git {
    home: PathBuf,
    hooks: PathBuf,
    limits: Limits,
}

impl Git {
    /// Git children with the empty directory `home` as `HOME` and `hooks` as the only hooks.
    pub fn new(home: PathBuf, hooks: PathBuf, limits: Limits) -> Self {
        Self { home, hooks, limits }
    }

    /// The limits every child of this one gets.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether this git takes `http.curloptResolve`, which came with 2.37: older ones ignore it.
    pub(crate) async fn pins_names(&self) -> Result<bool, GitError> {
        let said = self.command(&self.home, &["version"]).success(b"").await?;
        Ok(version(&String::from_utf8_lossy(&said)).is_some_and(|found| found >= (2, 37)))
    }

    /// A git command on the repository at `dir`, not started yet.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, dir: &Path, args: &[S]) -> GitCommand {
        let mut command = Command::new("git");
        command.args(args).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
            .env("HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_DIR", dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .current_dir(dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let what = args.first().map(|arg| arg.as_ref().to_string_lossy().into_owned());
        let mut git = GitCommand {
            command,
            what: what.unwrap_or_default(),
            limits: self.limits,
            settings: 0,
        };
        git.setting("core.hooksPath", self.hooks.as_os_str());
        for (key, value) in SETTINGS {
            git.setting(key, OsStr::new(value));
        }
        git
    }
}

/// The first two numbers of what `git version` says.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("git version ")?.split('.');
    let mut next = || numbers.next()?.trim().parse().ok();
    Some((next()?, next()?))
}

/// Settings of every child, above anything a repository's own file could say.
const SETTINGS: [(&str, &str); 8] = [
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.fsync", "objects,pack-metadata"),
    ("core.packedGitWindowSize", "32m"),
    ("core.packedGitLimit", "512m"),
    ("core.bigFileThreshold", "32m"),
    ("pack.windowMemory", "128m"),
    ("protocol.allow", "never"),
];

/// A git command being put together.
pub(crate) struct GitCommand {
    command: Command,
    what: String,
    limits: Limits,
    settings: usize,
}

impl GitCommand {
    /// Adds a configuration setting (through the environment, so that children inherit it).
    pub(crate) fn setting(&mut self, key: &str, value: &OsStr) -> &mut Self {
        let i = self.settings;
        self.command.env(format!("GIT_CONFIG_KEY_{i}"), key);
        self.command.env(format!("GIT_CONFIG_VALUE_{i}"), value);
        self.settings = i.saturating_add(1);
        self.command.env("GIT_CONFIG_COUNT", self.settings.to_string());
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(&mut self, key: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(key, value);
        self
    }

    /// Sets the longest that it may run.
    pub(crate) fn wall(&mut self, wall: Duration) -> &mut Self {
        self.limits.wall = wall.min(self.limits.wall);
        self
    }

    /// Starts it, limited.
    pub(crate) fn start(&mut self) -> Result<Running, GitError> {
        let spawned = self.command.spawn();
        let mut child =
            spawned.map_err(|source| GitError::Spawn { what: self.what.clone(), source })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        limit(group, &self.limits);
        let missing = || GitError::Protocol("a child without its three pipes");
        Ok(Running {
            stdin: child.stdin.take(),
            stdout: Some(child.stdout.take().ok_or_else(missing)?),
            stderr: Some(child.stderr.take().ok_or_else(missing)?),
            child,
            group,
            what: self.what.clone(),
            limits: self.limits,
        })
    }

    /// Runs it to its end with `input` on stdin; any exit code is an answer.
    pub(crate) async fn output(&mut self, input: &[u8]) -> Result<Ended, GitError> {
        let running = self.start()?;
        running.finish(input).await
    }

    /// As [`GitCommand::output`], but an exit code other than 0 is an error.
    pub(crate) async fn success(&mut self, input: &[u8]) -> Result<Vec<u8>, GitError> {
        let what = self.what.clone();
        let ended = self.output(input).await?;
        if ended.status.success() {
            return Ok(ended.stdout);
        }
        Err(GitError::Failed { what, status: ended.status.to_string(), stderr: ended.stderr })
    }
}

/// Sets the resource limits of a child that waits for its first input byte. A child that is gone
/// already needs none, so failures are ignored.
fn limit(pid: Option<Pid>, limits: &Limits) {
    let Some(pid) = pid else { return };
    let set = |resource, value| {
        let value = Rlimit { current: Some(value), maximum: Some(value) };
        let _ = rustix::process::prlimit(Some(pid), resource, value);
    };
    set(Resource::As, limits.memory_bytes);
    set(Resource::Cpu, limits.cpu_s);
    set(Resource::Fsize, limits.file_bytes);
    set(Resource::Core, 0);
}

/// What git and the C library say when this machine, not the objects, is at fault.
const RAN_OUT: [&str; 9] = [
    "ut of memory",
    "Cannot allocate memory",
    "mmap failed",
    "unable to create thread",
    "Resource temporarily unavailable",
    "Too many open files",
    "No space left on device",
    "File too large",
    "Input/output error",
];

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All of its stdout.
    pub stdout: Vec<u8>,
    /// The start of its stderr.
    pub stderr: String,
}

impl Ended {
    /// Its exit code when it is one of `expected`; else the child failed (killed, a broken
    /// repository), which is no answer. Nor is it one when this machine ran out of something: git
    /// says that with the same exit code, 128, as what it finds wrong with objects.
    pub(crate) fn decided(&self, what: &str, expected: &[i32]) -> Result<i32, GitError> {
        match self.status.code() {
            Some(0) if expected.contains(&0) => Ok(0),
            Some(code) if expected.contains(&code) && !self.ran_out() => Ok(code),
            _ => Err(self.failed(what)),
        }
    }

    /// As an error that says nothing about what the child was asked.
    pub(crate) fn failed(&self, what: &str) -> GitError {
        GitError::Failed {
            what: what.to_owned(),
            status: self.status.to_string(),
            stderr: self.stderr.clone(),
        }
    }

    /// Whether the words say that memory, disk, processes or files of this machine ran out.
    fn ran_out(&self) -> bool {
        RAN_OUT.iter().any(|words| self.stderr.contains(words))
    }
}

/// A started child. Dropping it kills its whole process group.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where its input goes.
    pub stdin: Option<ChildStdin>,
    /// Where its output comes from.
    pub stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    child: Child,
    group: Option<Pid>,
    what: String,
    limits: Limits,
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a wait that saw the exit, `id` is none: the number may be another's by then.
        if let (Some(_), Some(group)) = (self.child.id(), self.group) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

impl Running {
    /// The longest it may run.
    pub(crate) fn wall(&self) -> Duration {
        self.limits.wall
    }

    /// Waits for the end and gives status and the start of stderr; stdout was taken before.
    pub(crate) async fn ended(&mut self) -> Result<(ExitStatus, String), GitError> {
        let stderr = match self.stderr.take() {
            Some(stderr) => read_start(stderr).await,
            None => String::new(),
        };
        let waited = self.child.wait().await;
        let status =
            waited.map_err(|source| GitError::Spawn { what: self.what.clone(), source })?;
        Ok((status, stderr))
    }

    async fn finish(mut self, input: &[u8]) -> Result<Ended, GitError> {
        let what = self.what.clone();
        let (wall, most) = (self.limits.wall, self.limits.output_bytes);
        let stdin = self.stdin.take();
        let stdout = self.stdout.take();
        let write = async {
            if let Some(mut stdin) = stdin {
                // A child that closes its input early says why by its exit code.
                let _ = stdin.write_all(input).await;
            }
        };
        let read = async {
            let mut bytes = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(most.saturating_add(1)).read_to_end(&mut bytes).await?;
            }
            Ok::<_, std::io::Error>(bytes)
        };
        let work = async {
            let ((), stdout, ended) = tokio::join!(write, read, self.ended());
            let stdout = stdout.map_err(|source| GitError::Spawn { what: what.clone(), source })?;
            if stdout.len() as u64 > most {
                return Err(GitError::Limit { what: what.clone(), limit: "output" });
            }
            let (status, stderr) = ended?;
            Ok(Ended { status, stdout, stderr })
        };
        match tokio::time::timeout(wall, work).await {
            Ok(result) => result,
            Err(_) => Err(GitError::Limit { what, limit: "time" }),
        }
    }
}

/// Reads a stderr to its end, keeping the start (so that a chatty child never blocks).
async fn read_start(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let _ = (&mut stderr).take(STDERR_KEPT_BYTES).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).trim_end().to_owned()
}

#[cfg(test)]
mod tests;
