//! Makes genesis, keys and configuration of a network.
use crate::{Result, network::Network, start::Options};
/// x
pub fn create(_o: &Options, _n: usize) -> Result<Network> {
    Err(crate::Error::Genesis("x".into()))
}
