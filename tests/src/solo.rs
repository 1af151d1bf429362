//! A network of one validator on ports that the system chooses, with a genesis of the test's
//! making: all that a test of the command line needs, in a second.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::localnet::PATIENCE;
use crate::process::{end, show_ends, spawn};
use crate::run::{Ran, run};
use crate::{http, program, wait};

/// The pair of processes, ended when this is dropped.
pub struct Solo {
    home: tempfile::TempDir,
    rpc: String,
    gateway: String,
    /// Of the engine.
    settings: Vec<String>,
    processes: Vec<Child>,
}

/// Makes a `guts-app` home beside a validator's key, and returns what genesis says of the two: the
/// account of the gateway, and that it is the validator's operator.
///
/// # Panics
/// When `guts-app init` fails.
pub fn operator(app_home: &Path, validator_key: &Path) -> (Value, Value) {
    let home = app_home.display().to_string();
    run(&program("guts-app"), &["init", "--home", &home], Path::new("/"), &[]).expect_ok();
    let gateway = json_file(&app_home.join("gateway_key.json"));
    let key = json_file(validator_key);
    let key = STANDARD.decode(key["pub_key"]["value"].as_str().expect("a key")).expect("base64");
    let account = json!({"key": gateway["key"], "balance": "0"});
    (account, json!({"consensus_key": hex::encode(key), "account": gateway["account"]}))
}

/// The JSON of a file.
///
/// # Panics
/// When it is not there, or something else.
pub fn json_file(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the file is there");
    serde_json::from_str(&text).expect("it is JSON")
}

impl Solo {
    /// Starts it with a genesis that `change` has seen.
    ///
    /// # Panics
    /// When it does not make a block.
    pub fn start(change: impl FnOnce(&mut Value)) -> Solo {
        Self::start_set(change, &[])
    }

    /// As [`Solo::start`], with engine settings, `section.key=value`.
    ///
    /// # Panics
    /// When it does not make a block.
    pub fn start_set(change: impl FnOnce(&mut Value), settings: &[&str]) -> Solo {
        let home = tempfile::tempdir().expect("a directory");
        let engine = home.path().join("engine");
        let path = engine.display().to_string();
        let args = ["init", "--home", &path, "--chain-id", "guts-solo"];
        run(&program("guts-engine"), &args, home.path(), &[]).expect_ok();
        let key = engine.join("config/priv_validator_key.json");
        let (account, operator) = operator(&home.path().join("app"), &key);
        let file = engine.join("config/genesis.json");
        let mut genesis = json_file(&file);
        genesis["consensus_params"]["abci"]["vote_extensions_enable_height"] = "1".into();
        genesis["app_state"] = json!({
            "params": {},
            "account": {"accounts": [account]},
            "staking": {"operators": [operator]},
        });
        change(&mut genesis);
        std::fs::write(&file, genesis.to_string()).expect("written");
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let (rpc, gateway) = (String::new(), String::new());
        let mut solo = Solo { home, rpc, gateway, settings, processes: Vec::new() };
        solo.run();
        solo.wait("the first block", || (solo.height()? > 0).then_some(()));
        solo
    }

    /// Ends what runs, with SIGKILL.
    pub fn stop(&mut self) {
        self.processes.drain(..).for_each(|mut process| end(&mut process));
        // Of ports that nobody listens on any more.
        for half in ["app", "engine"] {
            let _gone = std::fs::remove_file(self.log(half));
        }
    }

    /// Starts both halves on ports that the system chooses.
    ///
    /// # Panics
    /// When one does not say where it listens.
    pub fn run(&mut self) {
        let mut engine = Command::new(program("guts-engine"));
        engine.arg("run").arg("--home").arg(self.home().join("engine"));
        engine.arg("--proxy-app").arg(self.socket());
        for listen in ["rpc.laddr", "p2p.laddr"] {
            engine.arg("--set").arg(format!("{listen}=tcp://127.0.0.1:0"));
        }
        for setting in &self.settings {
            engine.args(["--set", setting]);
        }
        self.processes.push(spawn(engine, &self.log("engine")));
        self.rpc =
            self.wait("the engine's RPC", || self.said("engine", "for RPC address=\"", "\""));
        self.run_app();
    }

    /// Starts the application alone: its gateway answers without an engine.
    ///
    /// # Panics
    /// When it does not say where it listens.
    pub fn run_app(&mut self) {
        let mut app = Command::new(program("guts-app"));
        app.arg("run").arg("--home").arg(self.home().join("app"));
        app.env("GUTS_APP_ABCI", self.socket()).env("GUTS_APP_GATEWAY", "127.0.0.1:0");
        app.env("GUTS_APP_ENGINE_RPC", self.rpc());
        self.processes.push(spawn(app, &self.log("app")));
        self.gateway =
            self.wait("the application's gateway", || self.said("app", "gateway=\"http://", "\""));
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.home().join("app.sock").display())
    }

    /// What stands in the log of a half between these two.
    fn said(&self, half: &str, before: &str, after: &str) -> Option<String> {
        let log = std::fs::read_to_string(self.log(half)).ok()?;
        Some(log.split_once(before)?.1.split_once(after)?.0.to_owned())
    }

    /// Runs a command of `guts-app` or `guts-engine` on its home.
    pub fn command(&self, program_name: &str, args: &[&str]) -> Ran {
        let half = program_name.trim_start_matches("guts-");
        let home = self.home().join(half).display().to_string();
        let all = [args, &["--home", &home]].concat();
        run(&program(program_name), &all, self.home(), &[])
    }

    /// Returns what `look` finds, looking whenever one of the halves writes a line.
    ///
    /// # Panics
    /// When nothing was found in time, saying `what` was waited for.
    pub fn wait<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait::until(&[self.home().to_owned()], what, PATIENCE, look)
    }

    fn log(&self, half: &str) -> PathBuf {
        self.home().join(format!("{half}.log"))
    }

    /// Where its files are.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// URL of its RPC.
    pub fn rpc(&self) -> String {
        format!("http://{}", self.rpc)
    }

    /// URL of its gateway.
    pub fn gateway(&self) -> String {
        format!("http://{}", self.gateway)
    }

    /// The answer of its RPC to a GET, or `None` while it does not answer.
    pub fn get(&self, call: &str) -> Option<Value> {
        http::get(&self.rpc, call)
    }

    /// Its newest height.
    pub fn height(&self) -> Option<u64> {
        let status = self.get("status")?;
        status["result"]["sync_info"]["latest_block_height"].as_str()?.parse().ok()
    }
}

impl Drop for Solo {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(end);
        show_ends(&["app", "engine"].map(|half| self.log(half)));
    }
}
