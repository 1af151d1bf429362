//! Checks that the ports of a network are free before anything is started.

use std::net::{Ipv4Addr, TcpListener};

use crate::network::Network;
use crate::{Error, Result};

/// Fails on the first port that is taken, naming it and its use.
pub fn check_free(network: &Network) -> Result<()> {
    for validator in &network.validators {
        let mut uses = vec![(validator.p2p_port(), "peer-to-peer"), (validator.rpc_port(), "RPC")];
        if network.is_guts() {
            uses.push((validator.gateway_port(), "gateway"));
        }
        for (port, name) in uses {
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                return Err(Error::PortTaken {
                    port,
                    use_: format!("{name} of validator {}", validator.index),
                });
            }
        }
    }
    Ok(())
}
