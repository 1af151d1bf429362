//! Who a node is connected to: said on a channel of our own, which CometBFT's nodes ignore.
use bytes::Bytes;
use guts_genesis::Address;

use super::MessageError;
use crate::types::wire::{Fields, Value, put_message};

/// Most neighbours a node may name.
pub const NEIGHBOURS_MAX: usize = 1_000;

/// A node and the nodes it is connected to, each by the address of its node key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    /// Who says so.
    pub node: Address,
    /// Its peers, as far as they told it who they are.
    pub peers: Vec<Address>,
}

impl Neighbours {
    /// Field 1: the node; field 2, repeated: its peers.
    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(22 * (self.peers.len() + 1));
        put_message(&mut out, 1, self.node.as_bytes());
        self.peers.iter().for_each(|peer| put_message(&mut out, 2, peer.as_bytes()));
        out.into()
    }

    pub(super) fn decode(payload: Bytes) -> Result<Neighbours, MessageError> {
        let (mut node, mut peers) = (None, Vec::new());
        let mut fields = Fields::of(payload);
        while let Some((number, value)) = fields.next()? {
            let Value::Bytes(bytes) = value else { continue };
            let address =
                || Address::from_slice(&bytes).map_err(|_| MessageError::Field("neighbour"));
            match number {
                1 => node = Some(address()?),
                2 if peers.len() < NEIGHBOURS_MAX => peers.push(address()?),
                2 => return Err(MessageError::Field("number of neighbours")),
                _ => {}
            }
        }
        let node = node.ok_or(MessageError::Field("node"))?;
        Ok(Neighbours { node, peers })
    }
}
