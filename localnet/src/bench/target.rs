//! Which nodes get the load, and which processes are accounted for.

use std::path::PathBuf;

use guts_localnet::network::{Half, Network};
use guts_localnet::process;

use crate::Failure;
use crate::options::Options;
use crate::usage::Process;

/// The nodes' RPC addresses, `HOST:PORT`.
pub fn targets(options: &Options, network: Option<&Network>) -> Result<Vec<String>, Failure> {
    match network {
        _ if !options.rpc.is_empty() => options.rpc.iter().map(|url| address(url)).collect(),
        Some(network) => network.validators.iter().map(|v| address(&v.rpc_url())).collect(),
        None => Err("no network: give --rpc URL,.. or --home DIR of a running one".into()),
    }
}

fn address(url: &str) -> Result<String, Failure> {
    let rest = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    match rest.split_once(':') {
        Some((host, port)) if !rest.contains('/') => {
            let host = if host == "localhost" { "127.0.0.1" } else { host };
            Ok(format!("{host}:{port}"))
        }
        _ => Err(format!("{url} is not http://HOST:PORT").into()),
    }
}

/// The directories of the network's processes, by their names.
pub fn dirs(network: Option<&Network>) -> Vec<(String, PathBuf)> {
    let halves = |index| [Half::App, Half::Engine].map(|half| (index, half));
    let all = network.iter().flat_map(|network| {
        let places = network.validators.iter().flat_map(|validator| halves(validator.index));
        places.map(|(index, half)| (format!("{half}{index}"), network.dir(index, half)))
    });
    all.collect()
}

/// Those processes of the network that run, if it is the network of the targets, and those named
/// on the command line.
pub fn processes(
    options: &Options,
    network: Option<&Network>,
    targets: &[String],
) -> Result<Vec<Process>, Failure> {
    let mut all = Vec::new();
    let is_target = |network: &&Network| {
        let own: Vec<_> = network.validators.iter().map(|v| address(&v.rpc_url())).collect();
        targets.iter().all(|target| own.iter().flatten().any(|own| own == target))
    };
    for validator in network.filter(is_target).iter().flat_map(|network| &network.validators) {
        for half in [Half::App, Half::Engine] {
            if let Some(started) = validator.started(half).filter(|it| process::is_alive(it)) {
                let name = format!("{half}{}", validator.index);
                all.push(Process { name, pid: started.pid });
            }
        }
    }
    for text in &options.pids {
        let parsed = text.split_once('=').and_then(|(name, pid)| Some((name, pid.parse().ok()?)));
        let (name, pid) = parsed.ok_or_else(|| format!("{text} is not NAME=PID"))?;
        all.push(Process { name: name.to_string(), pid });
    }
    Ok(all)
}
