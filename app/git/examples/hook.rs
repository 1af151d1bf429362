//! The two hook programs alone: `hook hook pre-receive|proc-receive`, for tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    guts_git::hook::run(&std::env::args().nth(2).unwrap_or_default())
}
