//! A `guts-app` that knows one version of the rules more: what a release with an upgrade looks like
//! from within, and what tests of upgrades install in the place of `guts-app`.
//!
//! Version 2 lets an account have twice as many repositories as version 1 did.

use std::process::ExitCode;

use guts_app_core::Broken;
use guts_app_core::modules::params;
use guts_app_core::rules::Rules;
use guts_app_core::run::Run;
use guts_schema::keys;

fn more_repositories(run: &mut Run<'_>) -> Result<(), Broken> {
    let mut params = params::get(&run.state)?;
    params.repos_per_account_max = params.repos_per_account_max.saturating_mul(2);
    run.save(keys::params(), &params)
}

fn main() -> ExitCode {
    guts_app::program::main(Rules::new(&[more_repositories]), || {})
}
