//! Reads the refs of a repository through a node that need not be trusted:
//! `cargo run -p guts-client --example refs -- http://127.0.0.1:26657 genesis.json ada/hello`

use guts_client::{Chain, Error, Home};
use guts_genesis::GenesisDoc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [node, genesis, path] = &args[..] else {
        return Err("usage: refs NODE GENESIS REPO".into());
    };
    // What is believed from the start: the validators of this genesis, and nobody else.
    let dir = std::env::temp_dir().join(format!("guts-refs-{}", std::process::id()));
    let mut home = Home::open(&dir)?;
    home.pin(&GenesisDoc::parse(&std::fs::read_to_string(genesis)?)?)?;
    let listed = list(&home, node, path).await;
    std::fs::remove_dir_all(&dir)?;
    Ok(listed?)
}

async fn list(home: &Home, node: &str, path: &str) -> Result<(), Error> {
    let mut chain = Chain::open(home, node)?;
    let state = chain.state().await?;
    for (name, oid) in state.refs(state.repo(path).await?.id).await?.refs {
        println!("{oid} {name}");
    }
    println!("proved at height {}, and no other", state.height());
    Ok(())
}
