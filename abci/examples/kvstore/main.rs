//! CometBFT's kvstore as a program of its own: an application to try an engine with.
//!
//! `kvstore --address unix://PATH|tcp://HOST:PORT [--home DIR]`. Without `--home` it forgets
//! everything when it ends, and the engine replays the chain into it.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use guts_abci::kvstore::{Memory, Store};
use guts_abci::socket::Server;
use guts_abci::{Address, kvstore};
use tokio::signal::unix::{SignalKind, signal};

mod journal;

/// Requests are decoded on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// CometBFT's kvstore, served over ABCI 2.0.
#[derive(Parser)]
#[command(name = "kvstore")]
struct Arguments {
    /// Where to listen: unix://PATH or tcp://HOST:PORT.
    #[arg(long)]
    address: Address,
    /// Keep what is committed in this folder, over restarts.
    #[arg(long)]
    home: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            eprintln!("kvstore: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let store: Arc<dyn Store> = match &arguments.home {
        Some(home) => Arc::new(journal::Journal::open(home)?),
        None => Arc::new(Memory::new()),
    };
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    };
    let server = Server::bind(&arguments.address).await?;
    tracing::info!(address = %server.address(), height = store.state().height, "kvstore listens");
    server.run(kvstore::served(store), stop).await?;
    Ok(())
}
