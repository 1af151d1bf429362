//! A developer with a key, an account and a handle: what the command line and stock git do for
//! them.

use std::path::{Path, PathBuf};

use guts_client::send::Progress;
use guts_client::{Chain, Home, Signer};
use guts_schema::proto::propose::Content;
use guts_schema::proto::{Propose, VoteOption};
use guts_schema::tx::GovernanceAction;
use guts_schema::{AccountId, Action};
use serde_json::Value;

use crate::localnet::Localnet;
use crate::program;
use crate::run::{Ran, git, git_with, run};

/// Their `GUTS_HOME`, in a place of their own.
const HOME: &str = ".guts";
/// What opens a vote on a proposal, by default.
const DEPOSIT: u64 = 1_000_000;

/// Somebody with a `GUTS_HOME` of their own.
pub struct Person {
    dir: tempfile::TempDir,
    node: String,
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

    /// Somebody with the OpenSSH key at `key`, of whom the chain knows from its genesis on.
    ///
    /// # Panics
    /// When `guts init` fails.
    pub fn with_key(node: String, gateway: String, key: &Path) -> Person {
        let person = Self::stranger(node, gateway);
        person.json(&["init", "--key", &key.display().to_string()], person.dir());
        person
    }

    /// Somebody whom the chain does not know yet.
    ///
    /// # Panics
    /// When there is no place for a home.
    pub fn stranger(node: String, gateway: String) -> Person {
        let dir = tempfile::tempdir().expect("a directory");
        let home = dir.path().join(HOME).display().to_string();
        let env = [("GUTS_HOME", home), ("GUTS_NODE", node.clone()), ("GUTS_GATEWAY", gateway)];
        let env = env.map(|(key, value)| (key.to_owned(), value)).to_vec();
        Person { dir, node, env }
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

    /// The address of the validator that is listed first.
    ///
    /// # Panics
    /// When there is none.
    pub fn first_validator(&self) -> String {
        let listed = self.json(&["validators", "list"], self.dir());
        listed["validators"][0]["address"].as_str().expect("an address").to_owned()
    }

    /// Makes the proposal that will have this number and votes for it in one transaction, so that
    /// on no machine, however slow, the vote comes too late.
    ///
    /// # Panics
    /// When it is refused.
    pub fn decide(&self, number: u64, content: Content) {
        let (title, text, content) = ("this".to_owned(), "why".to_owned(), Some(content));
        let propose = Propose { title, text, deposit: DEPOSIT, content };
        let vote = GovernanceAction::Vote { proposal: number, option: VoteOption::Yes };
        let changes = [GovernanceAction::Propose(propose), vote];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let home = Home::open(&self.dir().join(HOME)).expect("a home");
            let signer = Signer::open(&home).await.expect("a key");
            let actor: AccountId =
                home.config.account.as_deref().and_then(|id| id.parse().ok()).expect("an account");
            let actions = changes.map(|change| Action::Governance { actor, change });
            let mut chain = Chain::open(&home, &self.node).expect("a pinned genesis");
            let sent = chain.send(actor, &actions, &signer, &Untold).await;
            sent.unwrap_or_else(|error| panic!("proposal {number}: {error}"));
        });
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

/// Nobody is told how far a proof of work is.
struct Untold;

impl Progress for Untold {
    fn begins(&self, _bits: u32, _seconds: u64) {}
    fn work(&self, _tried: u64, _expected: u64) {}
}
