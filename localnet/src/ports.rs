//! Checks that the ports of a network are free before anything is started.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use crate::network::Validator;
use crate::{Error, Result};

/// Fails on the first port that is taken, naming it and its use: the gateways' only where the
/// validators run `guts-app`. Engines talk over TCP and, by QUIC, over UDP.
pub fn check_free(validators: &[Validator], is_guts: bool) -> Result<()> {
    let tcp = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let both = |port| tcp(port) && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    for validator in validators {
        let (p2p, rpc) = (validator.p2p_port(), validator.rpc_port());
        let metrics = validator.metrics_port();
        let mut uses = vec![
            (p2p, "peer-to-peer", both(p2p)),
            (rpc, "RPC", tcp(rpc)),
            (metrics, "metrics", tcp(metrics)),
        ];
        if is_guts {
            let gateway = validator.gateway_port();
            uses.push((gateway, "gateway", tcp(gateway)));
        }
        for (port, name, is_free) in uses {
            if !is_free {
                return Err(Error::PortTaken {
                    port,
                    use_: format!("{name} of validator {}", validator.index),
                });
            }
        }
    }
    Ok(())
}
