//! The `guts` command; everything is in the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    guts_client::cli::main()
}
