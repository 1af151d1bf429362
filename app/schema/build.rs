//! Compiles the .proto files with protox, so that no protoc is needed on the machine.
use std::path::{Path, PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("proto");
    let files = ["tx", "state", "attest", "query"].map(|f| format!("guts/v1/{f}.proto"));
    println!("cargo::rerun-if-changed=proto");
    let set = protox::compile(files, [root])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), set.encode_to_vec())?;
    let mut config = prost_build::Config::new();
    config.btree_map(["."]);
    config.compile_fds(set)?;
    Ok(())
}
