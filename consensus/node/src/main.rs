//! `guts-engine`: the consensus engine as a program.

use clap::Parser;
use guts_engine::cli::{Cli, run};
use guts_rpc::server::memory::PURGE_DELAY;
use std::error::Error;
use std::process::ExitCode;

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

fn main() -> ExitCode {
    keep_freed_memory();
    match run(Cli::parse()) {
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
