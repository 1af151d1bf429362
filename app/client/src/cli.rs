//! The `guts` command: nouns first, one `✓` line a fact.
//!
//! Exit codes: 0 done, 1 refused, too dear or missing, 2 wrong usage, 3 not proved, 4 no node or
//! too late.

mod account;
mod act;
mod days;
mod git;
mod gov;
mod handle;
mod init;
mod issue;
mod key;
mod node;
mod org;
mod out;
mod pages;
mod recovery;
mod repo;
mod stake;
mod text;
mod tx;
mod validators;
mod verify;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use guts_genesis::GenesisDoc;

use crate::home::{Home, genesis_hash};
use crate::send::{FEE_MAX_DEFAULT, Pay, Paying, WORK_MAX_DEFAULT_S};
use crate::{Chain, Error, chain};
use out::Out;

/// A home for code that no single operator controls.
#[derive(Debug, Parser)]
#[command(name = "guts", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// RPC address of the node to ask [default: the one of GUTS_HOME, or http://127.0.0.1:26657]
    #[arg(long, global = true, value_name = "URL", env = "GUTS_NODE")]
    node: Option<String>,
    /// Gateway to push to [default: the one of GUTS_HOME, or http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL", env = "GUTS_GATEWAY")]
    gateway: Option<String>,
    /// Genesis to pin: a file, or the hash that the node's must have
    #[arg(long, global = true, value_name = "FILE|HASH")]
    genesis: Option<String>,
    /// What stdout gets: lines for people, or one JSON object
    #[arg(long, global = true, value_enum, default_value = "text")]
    output: Format,
    /// Send nothing: show what a transaction would cost and do
    #[arg(long, global = true)]
    dry_run: bool,
    /// How to pay for a transaction [default: by work where the network takes it, else by a fee]
    #[arg(long, global = true, value_enum)]
    pay: Option<Payment>,
    /// Pay no more than that for a transaction, in smallest units
    #[arg(long, global = true, value_name = "AMOUNT", default_value_t = FEE_MAX_DEFAULT)]
    fee_max: u64,
    /// Begin no proof of work that takes this machine longer than that
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = WORK_MAX_DEFAULT_S)]
    work_max: u64,
    /// Configuration, pinned genesis and what was verified last [default: ~/.guts]
    #[arg(long = "home", global = true, value_name = "DIR", env = "GUTS_HOME")]
    home: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Payment {
    /// By proof of work on this machine
    Work,
    /// Out of your balance
    Fee,
    /// By being a bonded validator's operator, for what is free to them
    Stake,
}

impl From<Payment> for Pay {
    fn from(payment: Payment) -> Self {
        match payment {
            Payment::Work => Self::Work,
            Payment::Fee => Self::Fee,
            Payment::Stake => Self::Stake,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account, claim a handle, write the configuration
    Init(init::Init),
    /// Show the account, its handle and keys
    Whoami,
    /// Accounts
    #[command(subcommand)]
    Account(account::Account),
    /// Where newcomers get something to spend
    #[command(subcommand)]
    Faucet(account::Faucet),
    /// Keys of accounts
    #[command(subcommand)]
    Key(key::Keys),
    /// Handles: the names that people know accounts by
    #[command(subcommand)]
    Handle(handle::Handle),
    /// Organisations and their members
    #[command(subcommand)]
    Org(org::Org),
    /// Teams of organisations
    #[command(subcommand)]
    Team(org::Team),
    /// Guardians: who may replace a lost key
    #[command(subcommand)]
    Recovery(recovery::Recovery),
    /// Stake: give it to validators, take it back, be one
    #[command(subcommand)]
    Stake(stake::Stake),
    /// What the network decides: propose, lay something down, vote
    #[command(subcommand)]
    Gov(gov::Gov),
    /// Repositories
    #[command(subcommand)]
    Repo(repo::Repo),
    /// Issues of repositories
    #[command(subcommand)]
    Issue(issue::Issue),
    /// Labels of issues
    #[command(subcommand)]
    Label(issue::tracker::Label),
    /// Milestones of issues
    #[command(subcommand)]
    Milestone(issue::tracker::Milestone),
    /// Transactions
    #[command(subcommand)]
    Tx(tx::Tx),
    /// Who makes blocks
    #[command(subcommand)]
    Validators(validators::Validators),
    /// The node that is asked
    #[command(subcommand)]
    Node(node::Node),
    /// Check a clone, a saved answer or a transaction against the pinned genesis
    Verify(verify::Verify),
    /// Blocks as they come, their transactions and events
    Watch(watch::Watch),
    /// Print what a shell needs to complete commands
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write a manual page for each command
    Man {
        /// Where to
        dir: PathBuf,
    },
}

/// What every command gets.
struct Context {
    home: Home,
    node: String,
    gateway: String,
    dry_run: bool,
    paying: Paying,
    out: Out,
}

impl Context {
    /// The chain, its genesis pinned: on first use by what the node gives, which is said.
    async fn chain(&self) -> Result<Chain, Error> {
        let mut chain = Chain::open(&self.home, &self.node)?;
        (chain.dry_run, chain.paying) = (self.dry_run, self.paying);
        Ok(chain)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Out::new(cli.global.output == Format::Json);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli, &out)),
        Err(error) => Err(Error::Usage(error.to_string())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // A dry run ends where a transaction would be sent.
        Err(Error::NotSent(trial)) => {
            out.trial(&trial);
            // What would be refused ends as what is refused.
            ExitCode::from(u8::from(trial.outcome.code != 0))
        }
        Err(error) => {
            out.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run(cli: Cli, out: &Out) -> Result<(), Error> {
    // Some commands are about this program alone: they need no chain.
    match &cli.command {
        Command::Completions { shell } => return pages::completions(*shell, out),
        Command::Man { dir } => return pages::man(dir, out),
        _ => {}
    }
    let dir = cli.global.home.clone().map_or_else(default_home, Ok)?;
    let mut home = Home::open(&dir)?;
    let node = home.node(cli.global.node.as_deref());
    let gateway = home.gateway(cli.global.gateway.as_deref());
    pin(&mut home, &node, cli.global.genesis.as_deref(), out).await?;
    let paying = Paying {
        how: cli.global.pay.map(Pay::from),
        fee_max: cli.global.fee_max,
        work_max_s: cli.global.work_max,
    };
    let dry_run = cli.global.dry_run;
    let mut context = Context { home, node, gateway, dry_run, paying, out: out.clone() };
    match cli.command {
        Command::Init(args) => init::init(&mut context, args).await,
        Command::Whoami => init::whoami(&context).await,
        Command::Account(args) => account::run(&context, args).await,
        Command::Faucet(args) => account::draw(&context, args).await,
        Command::Key(args) => key::run(&context, args).await,
        Command::Handle(args) => handle::run(&context, args).await,
        Command::Org(args) => org::run(&context, args).await,
        Command::Team(args) => org::run_team(&context, args).await,
        Command::Recovery(args) => recovery::run(&context, args).await,
        Command::Stake(args) => stake::run(&context, args).await,
        Command::Gov(args) => gov::run(&context, args).await,
        Command::Repo(args) => repo::run(&context, args).await,
        Command::Issue(args) => issue::run(&context, args).await,
        Command::Label(args) => issue::tracker::run_label(&context, args).await,
        Command::Milestone(args) => issue::tracker::run_milestone(&context, args).await,
        Command::Tx(args) => tx::run(&context, args).await,
        Command::Validators(args) => validators::run(&context, args).await,
        Command::Node(args) => node::run(&context, args).await,
        Command::Verify(args) => verify::run(&context, args).await,
        Command::Watch(args) => watch::run(&context, args).await,
        Command::Completions { .. } | Command::Man { .. } => Ok(()),
    }
}

fn default_home() -> Result<PathBuf, Error> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let home = home.ok_or_else(|| Error::Usage("neither GUTS_HOME nor HOME is set".into()))?;
    Ok(home.join(".guts"))
}

/// Pins the genesis if none is, or checks that the one asked for is.
async fn pin(home: &mut Home, node: &str, asked: Option<&str>, out: &Out) -> Result<(), Error> {
    let Some(pinned) = home.config.genesis_hash.clone() else {
        let (doc, whence) = match asked {
            Some(path) if Path::new(path).exists() => (read_genesis(path)?, path),
            _ => (chain::genesis_of(node).await?, node),
        };
        let hash = genesis_hash(&doc);
        match asked {
            Some(wanted) if whence == node && *wanted != hash => {
                return Err(Error::Proof(format!(
                    "{wanted} is no file, and not the hash of the node's genesis, which is {hash}"
                )));
            }
            _ => {}
        }
        home.pin(&doc)?;
        let how = if asked.is_some() { "as asked" } else { "trusted on first use" };
        out.fact(&format!("genesis {hash} of {} pinned, {how}", doc.chain_id.as_str()));
        if asked.is_none() {
            pin_newest(home, node, out).await?;
        }
        return Ok(());
    };
    let wanted = match asked {
        None => return Ok(()),
        Some(path) if Path::new(path).exists() => genesis_hash(&read_genesis(path)?),
        Some(hash) => hash.to_owned(),
    };
    if wanted == pinned {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "genesis {pinned} is pinned, {wanted} was asked for: set another GUTS_HOME for another \
         network"
    )))
}

/// A genesis trusted on first use may be too old to prove anything from. Then the same node is
/// trusted with its newest header, too, which is no more than it could have done with the genesis.
async fn pin_newest(home: &Home, node: &str, out: &Out) -> Result<(), Error> {
    let mut chain = Chain::open(home, node)?;
    if !chain.is_expired() {
        return Ok(());
    }
    let header = chain.trust_newest().await?;
    out.fact(&format!(
        "header {} {} pinned, trusted on first use: the genesis is too old to prove from",
        header.height,
        header.hash()
    ));
    Ok(())
}

fn read_genesis(path: &str) -> Result<GenesisDoc, Error> {
    let wrong = |why: String| Error::Usage(format!("{path}: {why}"));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    GenesisDoc::parse(&text).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests;
