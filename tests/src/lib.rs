//! What tests with real programs share: where the repository and the built
//! programs are, how to run them, how to wait for them.

pub mod checkout;
pub mod cometbft;
pub mod http;
pub mod keys;
pub mod localnet;
pub mod person;
pub mod process;
pub mod relay;
pub mod run;
pub mod solo;
pub mod wait;

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the repository")
}

/// Says that something was not tested, past the capture of what a test prints.
pub fn not_run(why: &str) {
    // Who closed our output does not read it.
    let _ = writeln!(std::io::stderr(), "not run: {why}");
}

/// A program of the workspace, built in the same profile as the running test.
///
/// # Panics
/// When it was not built: `./tests/run` builds the whole workspace before it tests.
pub fn program(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own path");
    let profile = exe.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    [profile.join(name), profile.join("examples").join(name)]
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not built: cargo build --workspace --all-targets"))
}
