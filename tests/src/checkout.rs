//! Somebody's copy of a repository, worked on with stock git.

use std::path::{Path, PathBuf};

use crate::run::{Ran, git_with};

/// A working copy.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// Where it is.
    pub path: PathBuf,
}

impl Checkout {
    /// A new repository at `path` whose pushes go to `url`, with one commit on main.
    ///
    /// # Panics
    /// When git fails.
    pub fn new(path: PathBuf, url: &str) -> Checkout {
        Self::of("sha1", path, url)
    }

    /// As [`Checkout::new`], of objects that have these ids: `sha1` or `sha256`.
    ///
    /// # Panics
    /// When git fails.
    pub fn of(object_format: &str, path: PathBuf, url: &str) -> Checkout {
        std::fs::create_dir_all(&path).expect("a directory");
        let checkout = Checkout { path };
        let format = format!("--object-format={object_format}");
        checkout.ok(&["init", "-q", "-b", "main", &format]);
        checkout.ok(&["remote", "add", "origin", url]);
        checkout.commit("README", "hello");
        checkout
    }

    /// Pushes are signed with the SSH key at `key` from now on.
    ///
    /// # Panics
    /// When git fails.
    pub fn sign_with(&self, key: &Path) {
        let public = key.with_extension("pub").display().to_string();
        self.ok(&["config", "gpg.format", "ssh"]);
        self.ok(&["config", "user.signingKey", &public]);
        self.ok(&["config", "push.gpgSign", "if-asked"]);
    }

    fn git(&self, args: &[&str]) -> Ran {
        git_with(args, &self.path, &[("HOME", "/nonexistent")])
    }

    /// Runs git and returns all that it said.
    ///
    /// # Panics
    /// When it fails.
    pub fn ok(&self, args: &[&str]) -> String {
        self.git(args).expect_ok().said()
    }

    /// Runs git, which must fail, and returns all that it said.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn fails(&self, args: &[&str]) -> String {
        self.git(args).expect_refused().said()
    }

    /// Commits a file with this content and returns the commit's id.
    ///
    /// # Panics
    /// When git fails.
    pub fn commit(&self, file: &str, content: &str) -> String {
        std::fs::write(self.path.join(file), content).expect("written");
        self.ok(&["add", "."]);
        self.ok(&["commit", "-q", "-m", file]);
        self.ok(&["rev-parse", "HEAD"]).trim().to_owned()
    }
}
