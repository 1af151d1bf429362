//! `guts-localnet`: what the scripts in `localnet/` call.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use guts_localnet::network::{Half, Network};
use guts_localnet::{Result, end, start, status};

/// A network of validators on this machine.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Home {
    /// Directory of the network.
    #[arg(long, overrides_with = "home")]
    home: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Make or find a network, start it, wait for the first block.
    Start(start::Options),
    /// Show every validator.
    Status(Home),
    /// End every process; the data stays.
    Stop(Home),
    /// End both halves of a validator at once, as a power cut would.
    Kill {
        #[command(flatten)]
        home: Home,
        /// Which validator, from 0.
        validator: usize,
        /// End only this half.
        #[arg(long, value_enum)]
        half: Option<Half>,
    },
    /// Start what does not run of a validator.
    Revive {
        #[command(flatten)]
        home: Home,
        /// Which validator, from 0.
        validator: usize,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Start(options) => start::start(&options),
        Command::Status(home) => {
            let table = status::table(&Network::load(&home.home)?);
            print!("{}", table.text);
            table.verdict()
        }
        Command::Stop(home) => end::stop(&home.home),
        Command::Kill { home, validator, half } => end::kill(&home.home, validator, half),
        Command::Revive { home, validator } => {
            let (mut network, _turn) = Network::load_to_change(&home.home)?;
            network.validator(validator)?;
            start::start_pair(&mut network, validator)
        }
    }
}
