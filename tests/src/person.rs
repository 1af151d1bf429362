//! A developer with a key, an account and a handle: what the command line and stock git do for
//! them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::localnet::Localnet;
use crate::program;
use crate::run::{Ran, git, git_with, run};

/// Somebody with a `GUTS_HOME` of their own.
pub struct Person {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Person {
    /// Makes a key, an account and a handle through a validator.
    ///
    /// # Panics
    /// When `guts init` fails.
    pub fn new(net: &Localnet, validator: usize, handle: &str) -> Person {
        Self::at(net.rpc(validator), net.gateway(validator), handle)
    }

    /// Like [`Person::new`], through any node and gateway.
    ///
    /// # Panics
    /// When `guts init` fails.
    pub fn at(node: String, gateway: String, handle: &str) -> Person {
        let person = Self::stranger(node, gateway);
        person.guts(&["init", "--handle", handle], person.dir()).expect_ok();
        person
    }

    /// Somebody whom the chain does not know yet.
    ///
    /// # Panics
    /// When there is no place for a home.
    pub fn stranger(node: String, gateway: String) -> Person {
        let dir = tempfile::tempdir().expect("a directory");
        let home = dir.path().join(".guts").display().to_string();
        let env = [("GUTS_HOME", home), ("GUTS_NODE", node), ("GUTS_GATEWAY", gateway)];
        let env = env.map(|(key, value)| (key.to_owned(), value)).to_vec();
        Person { dir, env }
    }

    /// Sets a variable of their environment, such as `SSH_AUTH_SOCK`.
    pub fn set(&mut self, key: &str, value: &str) {
        self.env.push((key.to_owned(), value.to_owned()));
    }

    /// A place of their own.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `guts` in `dir`.
    pub fn guts(&self, args: &[&str], dir: &Path) -> Ran {
        run(&program("guts"), args, dir, &self.env())
    }

    /// Runs `guts` with `--output json`, which must succeed with nothing but JSON on stdout.
    ///
    /// # Panics
    /// When it does not.
    pub fn json(&self, args: &[&str], dir: &Path) -> Value {
        let ran = self.guts(&[args, &["--output", "json"]].concat(), dir).expect_ok();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// Runs stock git in `dir`, with their environment.
    pub fn git(&self, args: &[&str], dir: &Path) -> Ran {
        git_with(args, dir, &self.env())
    }

    fn env(&self) -> Vec<(&str, &str)> {
        self.env.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// Makes a git repository with one commit, and its home on the chain.
    pub fn repository(&self, name: &str) -> PathBuf {
        let dir = self.dir().join(name);
        let path = dir.display().to_string();
        git(&["init", "-q", "-b", "main", &path], self.dir()).expect_ok();
        self.commit(&dir, "README", "first");
        self.guts(&["repo", "create", name], &dir).expect_ok();
        dir
    }

    /// Commits a file with this content.
    pub fn commit(&self, dir: &Path, file: &str, content: &str) {
        std::fs::write(dir.join(file), content).expect("written");
        git(&["add", file], dir).expect_ok();
        git(&["commit", "-q", "-m", file], dir).expect_ok();
    }
}
