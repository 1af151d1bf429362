//! A developer with a key, an account and a handle: what the command line and stock git do for
//! them.

use std::path::{Path, PathBuf};

use crate::localnet::Localnet;
use crate::program;
use crate::run::{Ran, git, run};

/// Somebody with a `GUTS_HOME` of their own.
pub struct Person {
    dir: tempfile::TempDir,
    node: String,
    gateway: String,
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
        let dir = tempfile::tempdir().expect("a directory");
        let person = Person { dir, node, gateway };
        person.guts(&["init", "--handle", handle], person.dir()).expect_ok();
        person
    }

    /// A place of their own.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `guts` in `dir`.
    pub fn guts(&self, args: &[&str], dir: &Path) -> Ran {
        let home = self.dir().join(".guts").display().to_string();
        let env = [
            ("GUTS_HOME", home.as_str()),
            ("GUTS_NODE", self.node.as_str()),
            ("GUTS_GATEWAY", self.gateway.as_str()),
        ];
        run(&program("guts"), args, dir, &env)
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
        git(&["commit", "-q", "-m", content], dir).expect_ok();
    }
}
