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
    Start {
        #[command(flatten)]
        home: Home,
        /// How many validators [default: 4].
        #[arg(long, value_name = "N")]
        validators: Option<usize>,
        /// Run this ABCI program in place of guts-app; {socket} becomes a path.
        #[arg(long, value_name = "CMD")]
        app: Option<String>,
        /// An engine setting for all, as consensus.create_empty_blocks=true.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// Accounts that the genesis of guts-app funds for load [default: 2048].
        #[arg(long, value_name = "N")]
        accounts: Option<u64>,
        /// Return when the first block is there; the network goes on.
        #[arg(long)]
        detach: bool,
        /// Allow fewer than four validators, which survive no fault.
        #[arg(long)]
        allow_small: bool,
    },
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
        Command::Start { home, validators, app, settings, accounts, detach, allow_small } => {
            let home = home.home;
            let options =
                start::Options { home, validators, app, settings, accounts, detach, allow_small };
            start::start(&options)
        }
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
