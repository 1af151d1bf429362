//! The table of a network: one row a validator, one place for every address.

use std::fmt::Write as _;

use crate::network::{Half, Network, Validator};
use crate::probe::{self, Probe};
use crate::{Error, Result, process, start};

/// A network as it was seen.
#[derive(Debug)]
pub struct Table {
    /// The rows, aligned, with where the logs are below them.
    pub text: String,
    /// What is not as it should be, a sentence without its stop each.
    ill: Vec<String>,
    /// Whether any process runs.
    is_alive: bool,
}

impl Table {
    /// Whether all runs and answers.
    ///
    /// # Errors
    /// When it does not, with everything that is dead or silent.
    pub fn verdict(&self) -> Result<()> {
        match self.is_alive {
            false => Err(Error::Process("nothing of this network runs".to_string())),
            true if self.ill.is_empty() => Ok(()),
            true => Err(Error::Process(self.ill.join("; "))),
        }
    }
}

/// Looks at every validator.
pub fn table(network: &Network) -> Table {
    let probes: Vec<_> = network.validators.iter().map(probe::status).collect();
    let mut rows = vec![header(network)];
    let each = || network.validators.iter().zip(&probes);
    rows.extend(each().map(|(validator, probe)| row(network, validator, probe)));
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
    let ill = each().flat_map(|(validator, probe)| ills(validator, probe)).collect();
    Table { text, ill, is_alive: !start::alive(network).is_empty() }
}

/// What is wrong with one validator.
fn ills(validator: &Validator, probe: &Probe) -> Vec<String> {
    let is_dead = |half: &Half| !validator.started(*half).is_some_and(process::is_alive);
    let dead: Vec<_> = [Half::App, Half::Engine].into_iter().filter(is_dead).collect();
    match (dead.is_empty(), probe.height) {
        (true, Some(_)) => Vec::new(),
        (true, None) => vec![format!("validator {} does not answer", validator.index)],
        (false, _) => dead
            .iter()
            .map(|half| format!("the {half} of validator {} is dead", validator.index))
            .collect(),
    }
}

fn header(network: &Network) -> Vec<String> {
    let mut cells = vec!["validator", "height", "peers", "RPC"];
    if network.is_guts() {
        cells.push("gateway");
    }
    cells.extend(["p2p", "app pid", "engine pid"]);
    cells.into_iter().map(str::to_string).collect()
}

fn row(network: &Network, validator: &Validator, probe: &Probe) -> Vec<String> {
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
