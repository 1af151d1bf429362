//! A localnet for a test: one at a time on a machine, ended whatever happens to the test.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::process::show_ends;
use crate::run::{Ran, run};
use crate::wait;

/// The ports are fixed, so networks take turns.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a step of a running network may take at most; twenty times what it takes on two cores.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with the programs of a network.
pub struct Programs {
    dir: PathBuf,
    /// Removed at the end; those that were built stay.
    _own: Option<tempfile::TempDir>,
}

impl Programs {
    /// Those that were built, where they were built.
    ///
    /// # Panics
    /// When they were not.
    pub fn as_built() -> Programs {
        let program = crate::program("guts-localnet");
        let dir = program.parent().expect("a directory of programs").to_owned();
        Programs { dir, _own: None }
    }

    /// Those that were built, in a place of their own, where others can be installed.
    ///
    /// # Panics
    /// When they cannot be linked there.
    pub fn linked() -> Programs {
        let built = Self::as_built();
        // A link does not leave a file system.
        let own = tempfile::tempdir_in(&built.dir).expect("a directory");
        let programs = Programs { dir: own.path().to_owned(), _own: Some(own) };
        for name in ["guts-localnet", "guts-engine", "guts-app"] {
            programs.install(name, name);
        }
        programs
    }

    /// Puts a program that was built into the place of `name`, as an operator does with a release:
    /// what runs goes on as it is.
    ///
    /// # Panics
    /// When it cannot be linked there.
    pub fn install(&self, built: &str, name: &str) {
        let part = self.dir.join(format!("{name}.part"));
        std::fs::hard_link(crate::program(built), &part).expect("linked");
        std::fs::rename(&part, self.dir.join(name)).expect("renamed");
    }
}

/// A running network of pairs.
pub struct Localnet {
    programs: Programs,
    home: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Localnet {
    /// Starts a network with these arguments to `./localnet/start`.
    ///
    /// # Panics
    /// When it does not start, with what it said.
    pub fn start(args: &[&str]) -> Localnet {
        Self::start_of(Programs::as_built(), args)
    }

    /// As [`Localnet::start`], with these programs.
    ///
    /// # Panics
    /// When it does not start, with what it said.
    pub fn start_of(programs: Programs, args: &[&str]) -> Localnet {
        let net = Self::reserve(programs);
        net.restart(args);
        net
    }

    /// A place and the ports for a network of these programs, of which nothing was made yet.
    ///
    /// # Panics
    /// When there is no place.
    pub fn reserve(programs: Programs) -> Localnet {
        // A test that failed with a network running has ended it in its drop: the turn is free.
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let home = tempfile::tempdir().expect("a directory");
        Localnet { programs, home, _turn: turn }
    }

    /// Starts the network again after [`Self::call`] `stop`, or after all its processes died.
    pub fn restart(&self, args: &[&str]) -> Ran {
        self.call("start", &[&["--detach"], args].concat()).expect_ok()
    }

    /// Calls `guts-localnet VERB --home HOME ARGS`.
    pub fn call(&self, verb: &str, args: &[&str]) -> Ran {
        let home = self.home().display().to_string();
        let all = [&[verb, "--home", &home], args].concat();
        run(&self.programs.dir.join("guts-localnet"), &all, Path::new("/"), &[])
    }

    /// The programs it runs.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Where each validator is, as many as there are.
    fn places(&self) -> Vec<PathBuf> {
        let place = |validator| self.home().join(format!("v{validator}"));
        (0..).map(place).take_while(|place| place.is_dir()).collect()
    }

    /// Ends both halves of a validator with SIGKILL.
    pub fn kill(&self, validator: usize) {
        self.call("kill", &[&validator.to_string()]).expect_ok();
    }

    /// Ends one half (`app` or `engine`) of a validator with SIGKILL.
    pub fn kill_half(&self, validator: usize, half: &str) {
        self.call("kill", &[&validator.to_string(), "--half", half]).expect_ok();
    }

    /// Starts a killed validator again.
    pub fn revive(&self, validator: usize) {
        self.call("revive", &[&validator.to_string()]).expect_ok();
    }

    /// Where the network's files are.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// URL of a validator's gateway.
    pub fn gateway(&self, validator: usize) -> String {
        format!("http://127.0.0.1:{}", 8080 + 10 * validator)
    }

    /// URL of a validator's RPC.
    pub fn rpc(&self, validator: usize) -> String {
        format!("http://127.0.0.1:{}", 26657 + 10 * validator)
    }

    /// The answer of a validator's RPC to a GET, or `None` while it does not answer.
    pub fn get(&self, validator: usize, call: &str) -> Option<serde_json::Value> {
        crate::http::get(&format!("127.0.0.1:{}", 26657 + 10 * validator), call)
    }

    /// A validator's newest height, or `None` while it does not answer.
    pub fn height(&self, validator: usize) -> Option<u64> {
        let status = self.get(validator, "status")?;
        status["result"]["sync_info"]["latest_block_height"].as_str()?.parse().ok()
    }

    /// Waits until a validator has a block, for as long as it gets others.
    ///
    /// # Panics
    /// When it gets none any more.
    pub fn wait_height(&self, validator: usize, height: u64) {
        let mut newest = 0;
        while newest < height {
            let another = || self.height(validator).filter(|now| *now > newest);
            newest = self.wait("another block", another);
        }
    }

    /// Newest height and its application hash as a validator's own application reports them.
    pub fn app_state(&self, validator: usize) -> Option<(u64, String)> {
        let info = self.get(validator, "abci_info")?;
        let response = &info["result"]["response"];
        let height = response["last_block_height"].as_str()?.parse().ok()?;
        Some((height, response["last_block_app_hash"].as_str()?.to_string()))
    }

    /// Returns what `look` finds, looking whenever a validator writes a line.
    ///
    /// # Panics
    /// When nothing was found in time, saying `what` was waited for.
    pub fn wait<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait::until(&self.places(), what, PATIENCE, look)
    }

    /// Waits until all these validators' applications are at one height of at least `height` with
    /// one hash, and returns it.
    pub fn wait_agreed(&self, validators: &[usize], height: u64) -> (u64, String) {
        self.wait("equal application hashes", || {
            let states: Vec<_> =
                validators.iter().map(|v| self.app_state(*v)).collect::<Option<_>>()?;
            let first: &(u64, String) = states.first()?;
            (first.0 >= height && states.iter().all(|state| state == first)).then(|| first.clone())
        })
    }

    /// Path of a validator's log.
    pub fn log(&self, validator: usize, half: &str) -> PathBuf {
        self.home().join(format!("v{validator}")).join(format!("{half}.log"))
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        let of_each = |validator| ["app", "engine"].map(|half| self.log(validator, half));
        let logs: Vec<PathBuf> = (0..self.places().len()).flat_map(of_each).collect();
        show_ends(&logs);
        self.call("stop", &[]);
    }
}
