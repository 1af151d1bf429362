//! The commands of `guts-engine`.

mod offline;

use crate::config::{Config, ConfigError};
use crate::home::{FileError, Home, read_if_exists, write_durably};
use crate::node::{Node, NodeError, RUNTIME_STOP, read_node_key, read_validator_key};
use crate::signer::{SignerError, with_owner};
use crate::store::{RollbackError, StoreError};
use crate::wal::{Log, LogError};
use clap::{Parser, Subcommand};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use guts_genesis::{ChainId, GenesisDoc, Height, Manifest, Power, PrivateKey, Time, key_file};
use key_file::LastSign;
use offline::reindex::{RangeError, reindex};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The arguments of the program.
#[derive(Debug, Parser)]
#[command(
    name = "guts-engine",
    version,
    about = "A BFT consensus engine for ABCI 2.0 applications"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct At {
    /// Directory with config/ and data/.
    #[arg(long, env = "GUTS_ENGINE_HOME", default_value = ".guts-engine")]
    home: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make keys, settings and a genesis document of one validator, where there are none.
    Init {
        #[command(flatten)]
        at: At,
        /// Name of the chain, for a new genesis document.
        #[arg(long, default_value = "guts-dev")]
        chain_id: String,
    },
    /// Run the node until SIGTERM or Ctrl-C.
    Run(RunArgs),
    /// Delete the chain's data; what the validator signed last is kept.
    Reset {
        #[command(flatten)]
        at: At,
        /// Confirms that keys and the last-sign state stay and everything else goes.
        #[arg(long, required = true)]
        keep_keys: bool,
    },
    /// Serve blocks, results, validators and searches of a node that does not run, at rpc.laddr.
    /// The index of events is brought up to the chain before, if a kill has left it behind; nothing
    /// else is changed.
    Inspect(SettingArgs),
    /// Make the index of events anew from what the application answered: all of it, or the part
    /// of a range of heights. The node must not run.
    Reindex(ReindexArgs),
    /// Rewrite the store without what was deleted, so that it takes less disk. The node must not
    /// run.
    Compact(SettingArgs),
    /// Take the state back to before the newest block, so that it is executed again at the next
    /// start. The node must not run, and the application is to be taken back, too.
    Rollback {
        /// Delete the block as well: it is fetched from peers again. Again and again, this goes
        /// back several blocks.
        #[arg(long)]
        hard: bool,
        #[command(flatten)]
        settings: SettingArgs,
    },
    /// Print what `/metrics` tells, as a Markdown table.
    Metrics,
    /// Print the libp2p peer id.
    ShowNodeId {
        #[command(flatten)]
        at: At,
    },
    /// Print the validator's public key.
    ShowValidator {
        #[command(flatten)]
        at: At,
    },
    /// Print the version.
    Version,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Where the application listens: unix://PATH or tcp://HOST:PORT.
    #[arg(long)]
    proxy_app: Option<String>,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Debug, clap::Args)]
struct ReindexArgs {
    /// The first height of the range; 0 stands for the first that is kept.
    #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
    start_height: u64,
    /// The last height of the range; 0 stands for the last that was committed.
    #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
    end_height: u64,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Debug, clap::Args)]
struct SettingArgs {
    #[command(flatten)]
    at: At,
    /// Overrides a setting: section.key=value. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// plain or json.
    #[arg(long)]
    log_format: Option<String>,
    /// Print the settings that are in force and end.
    #[arg(long)]
    print_config: bool,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each message says it
pub enum CliError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Signer(#[from] SignerError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("nothing was changed: {0}")]
    Rollback(#[from] RollbackError),
    #[error("nothing was changed: {0}")]
    Range(#[from] RangeError),
    #[error("{0}")]
    Refused(String),
    #[error("cannot delete {}: {source}", path.display())]
    Delete { path: PathBuf, source: std::io::Error },
    #[error("the runtime cannot be started: {0}")]
    Runtime(std::io::Error),
}

/// Runs a command.
///
/// # Errors
/// What went wrong, for a person.
pub fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        Command::Init { at, chain_id } => init(&Home::new(at.home), &chain_id),
        Command::Run(args) => run_node(args),
        Command::Reset { at, .. } => reset(&Home::new(at.home)),
        Command::Inspect(args) => inspect(args),
        Command::Metrics => {
            print!("{}", crate::metrics::documentation());
            Ok(())
        }
        Command::Reindex(args) => {
            let height = |given: u64| (given > 0).then_some(Height(given));
            let wanted = (height(args.start_height), height(args.end_height));
            on_store(args.settings, |home, config| reindex(home, config, wanted))
        }
        Command::Compact(args) => on_store(args, offline::compact),
        Command::Rollback { hard, settings } => {
            on_store(settings, |home, config| offline::rollback(home, config, hard))
        }
        Command::ShowNodeId { at } => {
            let key = read_node_key(&Home::new(at.home))?.public_key();
            println!("{}", key_file::peer_id(&key).unwrap_or_default());
            Ok(())
        }
        Command::ShowValidator { at } => {
            let key = read_validator_key(&Home::new(at.home))?.public_key();
            let shown = guts_rpc::types::PublicKey::from(key.to_proto());
            println!("{}", serde_json::to_string(&shown).expect("a key prints as JSON"));
            Ok(())
        }
        Command::Version => {
            println!("guts-engine {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}

/// The settings in force; none if they were only to be printed.
fn config(home: &Home, args: SettingArgs) -> Result<Option<Config>, CliError> {
    let path = home.config("config.toml");
    let text = read_if_exists(&path)?.unwrap_or_default();
    let mut sets = args.sets;
    sets.extend(args.log_format.iter().map(|format| format!("log_format={format}")));
    let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v)));
    let env = env.map(|(key, value)| (key, value.to_string_lossy().into_owned()));
    let config = Config::read(&path.display().to_string(), &text, env, &sets)?;
    if args.print_config {
        print!("{}", config.to_toml());
        return Ok(None);
    }
    log_to_stderr(&config)?;
    Ok(Some(config))
}

fn run_node(RunArgs { proxy_app, mut settings }: RunArgs) -> Result<(), CliError> {
    let home = Home::new(&settings.at.home);
    settings.sets.extend(proxy_app.iter().map(|address| format!("proxy_app={address}")));
    let Some(config) = config(&home, settings)? else { return Ok(()) };
    guts_rpc::server::files::raise_limit();
    until_asked_to_end(async |asked| {
        let node = Node::start(&home, config).await?;
        Ok(node.run_until(asked).await?)
    })
}

/// Runs `work` on a runtime of its own; it is given what is done with SIGTERM or Ctrl-C. Says in
/// the log how long it took to end from there.
fn until_asked_to_end(
    work: impl AsyncFnOnce(BoxFuture<'static, ()>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let runtime = runtime()?;
    let when = Arc::new(OnceLock::new());
    let result = runtime.block_on(async {
        let (asked, when) = (asked_to_end()?, when.clone());
        let asked = asked.map(move |()| {
            when.get_or_init(Instant::now);
        });
        work(asked.boxed()).await
    });
    runtime.shutdown_timeout(RUNTIME_STOP);
    if let Some(asked) = when.get() {
        let ms = asked.elapsed().as_millis();
        tracing::info!(ms = u64::try_from(ms).unwrap_or(u64::MAX), "ended");
    }
    result
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().map_err(CliError::Runtime)
}

/// Done with SIGTERM or Ctrl-C.
fn asked_to_end() -> Result<impl Future<Output = ()>, CliError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Runtime)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    })
}

fn inspect(args: SettingArgs) -> Result<(), CliError> {
    let home = Home::new(&args.at.home);
    let Some(config) = config(&home, args)? else { return Ok(()) };
    until_asked_to_end(async |asked| {
        let say = |address: &str| println!("the stores of {} at {address}", home.dir().display());
        Ok(crate::node::inspect(&home, config, say, asked).await?)
    })
}

/// Works on the store of a node that does not run.
fn on_store(
    args: SettingArgs,
    work: impl FnOnce(&Home, &Config) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let home = Home::new(&args.at.home);
    config(&home, args)?.map_or(Ok(()), |config| work(&home, &config))
}

fn log_to_stderr(config: &Config) -> Result<(), CliError> {
    // The transport's own lines say nothing that ours do not.
    let levels = format!("libp2p_swarm=warn,{}", config.log_level);
    let filter =
        EnvFilter::try_new(&levels).map_err(|e| CliError::Refused(format!("log_level: {e}")))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // Set once in a process; a second time only in tests.
    let _ = match config.log_format.as_str() {
        "json" => builder.json().try_init(),
        _ => builder.with_ansi(is_terminal).with_target(false).try_init(),
    };
    Ok(())
}

fn init(home: &Home, chain_id: &str) -> Result<(), CliError> {
    let _lock = home.lock()?;
    let is_new_key =
        make(home.config("priv_validator_key.json"), || key_file::print_validator_key(&new_key()))?;
    make(home.config("node_key.json"), || key_file::print_node_key(&new_key()))?;
    make(home.config("config.toml"), || Config::default().to_toml())?;
    let validator = read_validator_key(home)?;
    if read_if_exists(&home.config("genesis.json"))?.is_none() {
        let text = genesis(chain_id, &validator)?;
        make(home.config("genesis.json"), || text)?;
    }
    let owner = validator.public_key().address();
    let is_new = make(home.last_sign(), || with_owner(&LastSign::default(), owner))?;
    if is_new && !is_new_key {
        println!("note: {owner} starts as a key that has never signed");
    }
    Ok(())
}

fn new_key() -> PrivateKey {
    PrivateKey::from_seed(rand::random())
}

fn make(path: PathBuf, text: impl FnOnce() -> String) -> Result<bool, CliError> {
    if read_if_exists(&path)?.is_some() {
        println!("kept {}", path.display());
        return Ok(false);
    }
    write_durably(&path, &text())?;
    println!("made {}", path.display());
    Ok(true)
}

fn genesis(chain_id: &str, validator: &PrivateKey) -> Result<String, CliError> {
    let refused = |e: &dyn std::fmt::Display| CliError::Refused(format!("genesis: {e}"));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(|e| refused(&e))?;
    let seconds = i64::try_from(now.as_secs()).map_err(|e| refused(&e))?;
    let time = Time::new(seconds, 0).map_err(|e| refused(&e))?;
    let chain_id = ChainId::new(chain_id).map_err(|e| refused(&e))?;
    let mut manifest = Manifest::local(chain_id, time, b"", 1);
    if let Some(first) = manifest.validators.first_mut() {
        first.validator_key = validator.clone();
        first.power = Power(10);
    }
    let doc: GenesisDoc = manifest.genesis().map_err(|e| refused(&e))?;
    Ok(doc.to_json())
}

/// Deletes blocks, state and log, after saving what they know of signatures.
fn reset(home: &Home) -> Result<(), CliError> {
    let _lock = home.lock()?;
    match Log::open(&home.data("wal")) {
        Ok((_, found)) => offline::save_signed(home, &found.entries)?,
        // The way out of a damaged log that its own message names.
        Err(error @ LogError::Damaged { .. }) => println!("warning: {error}"),
        Err(error) => return Err(error.into()),
    }
    for name in ["wal", "store"] {
        offline::delete(home.data(name))?;
    }
    Ok(())
}
