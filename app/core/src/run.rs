//! What execution works on: the block, an overlay of state, and the events so far.

use guts_abci::proto::abci::{Event, EventAttribute};
use guts_schema::ids::ValidatorAddress;
use guts_schema::{Hash, values};
use guts_state::{Overlay, Read};
use prost::Message;

use crate::fault::Broken;
use crate::modules::params;
use crate::rules::Rules;

/// The block being executed, as far as rules can see it.
#[derive(Debug)]
pub struct Block {
    /// The chain.
    pub chain_id: String,
    /// Its height.
    pub height: u64,
    /// Unix seconds of its header time.
    pub time_s: u64,
    /// Its hash; all zero in CheckTx, where there is no block yet.
    pub hash: Hash,
    /// Whether it carries transactions, pseudo-transaction 0 included.
    pub has_txs: bool,
    /// Validators whose signature its last commit lacks.
    pub absent: Vec<ValidatorAddress>,
    /// Who broke the rules of consensus, as its evidence shows.
    pub misbehaviour: Vec<Misbehaviour>,
    /// The versions of the rules that this program knows.
    pub rules: Rules,
    /// Saves decoding what every transaction reads; no rule sees it.
    pub params: params::Decoded,
}

/// A validator that signed two blocks of one height, or lied to light clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misbehaviour {
    /// Which.
    pub validator: ValidatorAddress,
    /// At which height.
    pub height: u64,
}

/// One stretch of execution: a transaction, or a hook. Dropped or kept as a whole.
pub struct Run<'a> {
    /// The block.
    pub block: &'a Block,
    /// The state it changes.
    pub state: Overlay<'a>,
    /// What happened.
    pub events: Vec<Event>,
    /// Whether anybody hears of it.
    pub is_heard: bool,
}

impl<'a> Run<'a> {
    /// On top of `base`, without changes yet.
    pub fn new(block: &'a Block, base: &'a dyn Read) -> Self {
        Self { block, state: Overlay::new(base), events: Vec::new(), is_heard: true }
    }

    /// One whose events nobody hears of, as CheckTx's.
    pub fn unheard(block: &'a Block, base: &'a dyn Read) -> Self {
        Self { is_heard: false, ..Self::new(block, base) }
    }

    /// Reads a value.
    pub fn load<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, Broken> {
        load(&self.state, key)
    }

    /// Writes a value.
    pub fn save<M: Message>(&mut self, key: Vec<u8>, value: &M) -> Result<(), Broken> {
        Ok(self.state.put(key, values::encode(value))?)
    }

    /// Says that something happened.
    pub fn emit(&mut self, kind: &str, attributes: &[(&str, &dyn std::fmt::Display)]) {
        if !self.is_heard {
            return;
        }
        let attributes = attributes
            .iter()
            .map(|(key, value)| EventAttribute {
                key: (*key).to_owned(),
                value: value.to_string(),
                index: true,
            })
            .collect();
        self.events.push(Event { r#type: kind.to_owned(), attributes });
    }
}

/// Reads a value.
pub fn load<M: Message + Default>(view: &dyn Read, key: &[u8]) -> Result<Option<M>, Broken> {
    let bytes = view.get(key)?;
    Ok(bytes.map(|bytes| values::decode(&bytes)).transpose()?)
}
