//! Runs programs as a person would and keeps what they said.

use std::path::Path;
use std::process::Command;

use crate::process::{COMMAND_PATIENCE, output};

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    /// The command line, for messages.
    pub line: String,
    /// Whether it exited with 0.
    pub ok: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Standard output and error together, as a person sees them.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Itself, if it succeeded.
    ///
    /// # Panics
    /// When it did not, with everything it said.
    pub fn expect_ok(self) -> Ran {
        assert!(self.ok, "{} failed:\n{}", self.line, self.said());
        self
    }

    /// Itself, if it failed.
    ///
    /// # Panics
    /// When it succeeded.
    pub fn expect_refused(self) -> Ran {
        assert!(!self.ok, "{} was not refused:\n{}", self.line, self.said());
        self
    }
}

/// Runs `program` with `args` in `dir`, with `env` added.
///
/// # Panics
/// When it cannot be started, or does not end.
pub fn run(program: &Path, args: &[&str], dir: &Path, env: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).envs(env.iter().copied());
    let line = format!("{} {}", program.display(), args.join(" "));
    let (status, stdout, stderr) = output(command, COMMAND_PATIENCE);
    Ran { line, ok: status.success(), stdout, stderr }
}

/// Runs stock git with nothing of this machine's configuration.
pub fn git(args: &[&str], dir: &Path) -> Ran {
    git_with(args, dir, &[])
}

/// As [`git`], with `env` added.
pub fn git_with(args: &[&str], dir: &Path, env: &[(&str, &str)]) -> Ran {
    let own = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ];
    run(Path::new("git"), args, dir, &[&own, env].concat())
}
