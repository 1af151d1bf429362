//! The command line of `guts-app`, for the versions of the rules that a program knows.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use guts_app_core::rules::Rules;
use guts_rpc::server::files;
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::tools::{self, Stopped};
use crate::{metrics, node};

/// The Guts application: state, repositories and git gateway of a node.
#[derive(Parser)]
#[command(version, about)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a home directory: settings and the gateway's key.
    Init {
        /// The home directory.
        #[arg(long, env = "GUTS_APP_HOME")]
        home: PathBuf,
    },
    /// Runs the application and the gateway.
    Run {
        /// The home directory.
        #[arg(long, env = "GUTS_APP_HOME")]
        home: PathBuf,
        /// Prints the settings in force, environment included, and ends.
        #[arg(long)]
        print_config: bool,
    },
    /// Checks every rule that the whole state must keep, on a node that does not run.
    Audit {
        /// The home directory.
        #[arg(long, env = "GUTS_APP_HOME")]
        home: PathBuf,
    },
    /// Prints a genesis document from which the chain goes on where this node, which does not
    /// run, has stopped.
    Export {
        /// The home directory.
        #[arg(long, env = "GUTS_APP_HOME")]
        home: PathBuf,
        /// The genesis document that the chain began with.
        #[arg(long)]
        genesis: PathBuf,
    },
    /// Answers on the gateway's address what can be read of a node that does not run: its page and
    /// the methods at /rpc.
    Inspect {
        /// The home directory.
        #[arg(long, env = "GUTS_APP_HOME")]
        home: PathBuf,
    },
    /// Packs the files of the state of a node that does not run.
    Compact {
        /// The home directory.
        #[arg(long, env = "GUTS_APP_HOME")]
        home: PathBuf,
    },
    /// Takes the state of a node that does not run back to an older height, so that the blocks
    /// above it are executed again at the engine's next start.
    Rollback {
        /// The home directory.
        #[arg(long, env = "GUTS_APP_HOME")]
        home: PathBuf,
        /// The height to go back to; one below the newest unless it is given.
        #[arg(long)]
        height: Option<u64>,
    },
    /// Prints what the gateway's /metrics tells, as a table.
    Metrics,
    /// Prints the version, and that of the newest rules it knows.
    Version,
    /// Started by git, not by people.
    #[command(hide = true)]
    Hook {
        /// `pre-receive` or `proc-receive`.
        name: String,
    },
}

/// Does what the command line says, and says what went wrong. `give_back` is that of
/// [`node::Parts`].
pub fn main(rules: Rules, give_back: fn()) -> ExitCode {
    let result = match Options::parse().command {
        Command::Hook { name } => return guts_git::hook::run(&name),
        Command::Version => {
            let (version, newest) = (env!("CARGO_PKG_VERSION"), rules.newest());
            println!("guts-app {version}, which knows the rules up to version {newest}");
            Ok(())
        }
        Command::Metrics => {
            print!("{}", metrics::documentation());
            Ok(())
        }
        Command::Init { home } => init(&home),
        Command::Run { home, print_config } => run(&home, print_config, rules, give_back),
        Command::Audit { home } => audit(&home),
        Command::Export { home, genesis } => export(&home, &genesis),
        Command::Inspect { home } => inspect(&home),
        Command::Compact { home } => compact(&home),
        Command::Rollback { home, height } => rollback(&home, height),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Every error of ours says its cause itself.
            eprintln!("guts-app: {error}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), Box<dyn std::error::Error>>;

fn init(home: &std::path::Path) -> Done {
    let identity = node::init(home)?;
    println!("✓ settings in {}", Config::file(home).display());
    println!("✓ gateway account {}, key {}", identity.account, identity.secret.public());
    Ok(())
}

/// The environment as far as it is text: ours is.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn stopped(home: &std::path::Path) -> Result<Stopped, Box<dyn std::error::Error>> {
    let config = Config::load(home, variables())?;
    Ok(Stopped::read(&config)?)
}

fn audit(home: &std::path::Path) -> Done {
    let stopped = stopped(home)?;
    stopped.audit()?;
    println!("✓ the state at height {} keeps every rule", stopped.head.height);
    println!("✓ {} entries of chain {}", stopped.whole.iter().count(), stopped.head.chain_id);
    Ok(())
}

fn export(home: &std::path::Path, genesis: &std::path::Path) -> Done {
    println!("{:#}", stopped(home)?.genesis(genesis)?);
    Ok(())
}

fn compact(home: &std::path::Path) -> Done {
    let (dir, before, after) = tools::compact(&Config::load(home, variables())?)?;
    println!("{}: {} KiB, {} KiB before", dir.display(), after >> 10, before >> 10);
    Ok(())
}

fn rollback(home: &std::path::Path, height: Option<u64>) -> Done {
    let (head, root) = tools::rollback(&Config::load(home, variables())?, height)?;
    println!("✓ state at height {}, app hash {}", head.height, hex::encode_upper(root));
    println!("the engine executes the blocks above it again when both are started");
    Ok(())
}

fn inspect(home: &std::path::Path) -> Done {
    let config = Config::load(home, variables())?;
    files::raise_limit();
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(async {
        let asked = asked_to_end()?;
        let say = |address| println!("the state of {} at http://{address}", config.data.display());
        Ok(tools::inspect(&config, say, asked).await?)
    });
    // A thread that still reads something is not waited for.
    runtime.shutdown_timeout(node::RUNTIME_STOP);
    result
}

/// Done when the process is asked to end. From this call on it does not end by itself.
fn asked_to_end() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn run(home: &std::path::Path, print_config: bool, rules: Rules, give_back: fn()) -> Done {
    let config = Config::load(home, variables())?;
    if print_config {
        print!("{}", config.to_toml());
        return Ok(());
    }
    log_to_stderr(&config)?;
    files::raise_limit();
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(async {
        let asked = asked_to_end()?;
        Ok(node::run(home, &config, rules, give_back, asked).await?)
    });
    // A thread that still reads or tries something is not waited for.
    runtime.shutdown_timeout(node::RUNTIME_STOP);
    result
}

fn log_to_stderr(config: &Config) -> Done {
    let filter = EnvFilter::try_new(&config.log)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format.as_str() {
        "json" => log.json().init(),
        // Colours are for people, not for files.
        _ => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
    }
    Ok(())
}
