//! The table of a network: one row a validator, one place for every address.

use std::fmt::Write as _;

use crate::network::{Half, Network, Validator};
use crate::{probe, process};

/// The table as text, aligned, with where the logs are below it.
pub fn table(network: &Network) -> String {
    let mut rows = vec![header(network)];
    rows.extend(network.validators.iter().map(|validator| row(network, validator)));
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    let _ = writeln!(text, "chain {}, logs {}/v*/*.log", network.chain_id, network.home.display());
    text
}

fn header(network: &Network) -> Vec<String> {
    let mut cells = vec!["validator", "height", "peers", "RPC"];
    if network.is_guts() {
        cells.push("gateway");
    }
    cells.extend(["p2p", "app pid", "engine pid"]);
    cells.into_iter().map(str::to_string).collect()
}

fn row(network: &Network, validator: &Validator) -> Vec<String> {
    let probe = probe::status(validator);
    let number = |value: Option<u64>| value.map_or("-".to_string(), |value| value.to_string());
    let height = match (probe.height, probe.catching_up) {
        (Some(height), true) => format!("{height} (catching up)"),
        (height, _) => number(height),
    };
    let mut cells =
        vec![validator.index.to_string(), height, number(probe.peers), validator.rpc_url()];
    if network.is_guts() {
        cells.push(validator.gateway_url());
    }
    cells.push(format!("{}@127.0.0.1:{}", validator.node_id, validator.p2p_port()));
    cells.push(pid(validator, Half::App));
    cells.push(pid(validator, Half::Engine));
    cells
}

fn pid(validator: &Validator, half: Half) -> String {
    match validator.started(half) {
        Some(started) if process::is_alive(started) => started.pid.to_string(),
        Some(started) => format!("{} (dead)", started.pid),
        None => "-".to_string(),
    }
}
