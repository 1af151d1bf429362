//! `guts-app`: one half of a Guts node. The other is an ABCI 2.0 engine.

use std::process::ExitCode;

use guts_app_core::rules::RULES;
use guts_rpc::server::memory::PURGE_DELAY;

/// Transactions are decoded on one thread and freed on another, and every step of executing one
/// makes small values: this allocator does both cheaper than the C library's. With its feature
/// `override`, which the workspace sets, it stands for `malloc` and `free` in the whole process,
/// RocksDB included. This line covers platforms where that replaces nothing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(unsafe_code, reason = "an option of the C library, set before there are other threads")]
fn keep_freed_memory() {
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY.0, PURGE_DELAY.1) }
}

#[expect(unsafe_code, reason = "a function of the C library, which any thread may call")]
fn give_back_memory() {
    unsafe { libmimalloc_sys::mi_collect(true) }
}

fn main() -> ExitCode {
    keep_freed_memory();
    guts_app::program::main(RULES, give_back_memory)
}
