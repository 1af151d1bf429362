//! What git is asked and told. Settings go into one repository, never into the user's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Error;

/// A git directory to work in.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
}

impl Git {
    /// The repository that `dir` is in; `None` outside one.
    pub fn find(dir: &Path) -> Result<Option<Self>, Error> {
        let git = Self { dir: dir.to_owned() };
        let output = git.output(&["rev-parse", "--git-dir"])?;
        Ok(output.status.success().then_some(git))
    }

    fn output(&self, args: &[&str]) -> Result<Output, Error> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.dir).args(args);
        command.output().map_err(|error| Error::Git(format!("cannot run git: {error}")))
    }

    /// What git prints, without the last line end; its own words when it fails.
    pub fn run(&self, args: &[&str]) -> Result<String, Error> {
        let output = self.output(args)?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Git(format!("git {}: {}", args.join(" "), words.trim_end())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }

    /// As [`Git::run`]; `None` when git fails or has nothing to say.
    pub fn ask(&self, args: &[&str]) -> Result<Option<String>, Error> {
        let output = self.output(args)?;
        let text = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
        Ok(Some(text).filter(|text| output.status.success() && !text.is_empty()))
    }

    /// Full name of the branch that is checked out, made already or not.
    pub fn head(&self) -> Result<Option<String>, Error> {
        self.ask(&["symbolic-ref", "-q", "HEAD"])
    }

    /// The URL of a remote.
    pub fn remote(&self, name: &str) -> Result<Option<String>, Error> {
        self.ask(&["config", "--get", &format!("remote.{name}.url")])
    }
}

/// The settings that make `git push` sign its certificate, as `git config` takes them.
pub fn settings(signing_key: &str) -> [(&'static str, String); 3] {
    [
        ("gpg.format", "ssh".into()),
        ("user.signingKey", signing_key.into()),
        ("push.gpgSign", "if-asked".into()),
    ]
}

/// Text as a shell takes it for one word.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
