//! `guts-engine`: the consensus engine as a program.

use clap::Parser;
use guts_engine::cli::{Cli, run};
use guts_rpc::server::memory::PURGE_DELAY;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

/// How often freed memory is looked at.
const GIVE_BACK_INTERVAL: Duration = Duration::from_secs(2);

/// Messages, transactions and results are made on one thread and freed on another; the C library's
/// allocator keeps a heap for each of them that never shrinks. With its feature `override`, which
/// the workspace sets, it stands for `malloc` and `free` in the whole process: RocksDB and every
/// other C library in it too. This line covers platforms where that replaces nothing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(unsafe_code, reason = "an option of the C library, set before there are other threads")]
fn keep_freed_memory() {
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY.0, PURGE_DELAY.1) }
}

/// Has freed memory go back to the system when it has waited long enough. The allocator looks at
/// that only when more is freed: a node that is quiet after its genesis would keep what that took.
#[expect(unsafe_code, reason = "a function of the C library, which any thread may call")]
fn give_back_memory() -> ! {
    loop {
        std::thread::sleep(GIVE_BACK_INTERVAL);
        unsafe { libmimalloc_sys::mi_collect(false) }
    }
}

fn main() -> ExitCode {
    keep_freed_memory();
    let cli = Cli::parse();
    let memory = std::thread::Builder::new().name("memory".to_owned());
    memory.spawn(|| give_back_memory()).expect("a thread can be started");
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                eprintln!("  because: {inner}");
                cause = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}
