//! A validator that breaks the rules: what it sends in place of what its engine wants sent.
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use guts_consensus::messages::Message;
use guts_consensus::types::{
    Block, BlockId, Hash, Part, PartSet, PartSetHeader, Proposal, Txs, Vote, VoteKind,
};
use guts_genesis::{Address, Height, PublicKey, Round, Signature};

use crate::plan::Villain;
use crate::rng::Rng;
use crate::scheme::sign;

/// What to send, and whether it is a second version of something.
pub struct Sent {
    /// The message.
    pub message: Arc<Message>,
    /// Counted under this name.
    pub trick: Option<&'static str>,
}

/// A second proposal, with its parts, for some of the peers.
struct Twin {
    proposal: Proposal,
    parts: PartSet,
}

/// The mind of a byzantine validator.
pub struct Byzantine {
    kind: Villain,
    key: PublicKey,
    address: Address,
    chain_id: String,
    twins: BTreeMap<(Height, Round), Twin>,
}

impl Byzantine {
    /// A villain with a key.
    pub fn new(kind: Villain, key: PublicKey, chain_id: &str) -> Byzantine {
        Byzantine {
            kind,
            key,
            address: key.address(),
            chain_id: chain_id.to_owned(),
            twins: BTreeMap::new(),
        }
    }

    /// Looks at everything an output wants sent, to prepare a second proposal.
    pub fn look(&mut self, messages: &[Arc<Message>]) {
        if self.kind != Villain::Equivocator {
            return;
        }
        for message in messages {
            let Message::Proposal(proposal) = message.as_ref() else { continue };
            let of_it = |message: &Arc<Message>| match message.as_ref() {
                Message::BlockPart { height, round, part }
                    if (*height, *round) == (proposal.height, proposal.round) =>
                {
                    Some(Arc::clone(part))
                }
                _ => None,
            };
            let parts: Vec<Arc<Part>> = messages.iter().filter_map(of_it).collect();
            if let Some(twin) = self.twin_of(proposal, &parts) {
                self.twins.insert((proposal.height, proposal.round), twin);
            }
        }
    }

    fn twin_of(&self, proposal: &Proposal, parts: &[Arc<Part>]) -> Option<Twin> {
        let mut set = PartSet::awaiting(proposal.block_id.parts).ok()?;
        for part in parts {
            set.add(part.as_ref().clone()).ok()?;
        }
        let block = Block::decode(set.assemble()?).ok()?;
        if block.header().proposer_address != self.address {
            return None;
        }
        let mut txs = block.txs().as_slice().to_vec();
        txs.push(Bytes::from(format!("villain{}={}", proposal.height, proposal.round)));
        let (evidence, commit) = (block.evidence().to_vec(), block.last_commit().clone());
        let other = Block::new(block.header().clone(), Txs::new(txs), evidence, commit);
        let parts = other.part_set();
        let mut proposal = proposal.clone();
        proposal.block_id = other.id(&parts);
        proposal.signature = sign(&self.key, &proposal.sign_bytes(&self.chain_id));
        Some(Twin { proposal, parts })
    }

    /// What goes to one peer in place of `message`.
    pub fn send(&self, message: &Arc<Message>, peer: usize, rng: &mut Rng) -> Vec<Sent> {
        let plain = || Sent { message: Arc::clone(message), trick: None };
        match (self.kind, message.as_ref()) {
            (
                Villain::Silent,
                Message::Vote(_) | Message::Proposal(_) | Message::BlockPart { .. },
            ) => Vec::new(),
            (Villain::Silent, _) => vec![plain()],
            (Villain::Equivocator, Message::Vote(vote)) if self.is_mine(vote) => {
                let twin = self.other_vote(vote);
                let twin = || Sent {
                    message: Arc::new(Message::Vote(twin.clone())),
                    trick: Some("equivocating vote"),
                };
                match rng.below(4) {
                    0 => vec![twin()],
                    1 => vec![plain(), twin()],
                    _ => vec![plain()],
                }
            }
            (Villain::Equivocator, Message::Proposal(proposal)) => {
                match self.twins.get(&(proposal.height, proposal.round)) {
                    Some(twin) if peer % 2 == 1 => {
                        let message = Arc::new(Message::Proposal(twin.proposal.clone()));
                        vec![Sent { message, trick: Some("equivocating proposal") }]
                    }
                    _ => vec![plain()],
                }
            }
            (Villain::Equivocator, Message::BlockPart { height, round, part }) => {
                match self.twins.get(&(*height, *round)) {
                    Some(twin) if peer % 2 == 1 => self.twin_parts(twin, part.index),
                    _ => vec![plain()],
                }
            }
            (Villain::Equivocator, _) => vec![plain()],
        }
    }

    fn twin_parts(&self, twin: &Twin, index: u32) -> Vec<Sent> {
        let (height, round) = (twin.proposal.height, twin.proposal.round);
        let part = twin.parts.part(index).cloned();
        let message = |part| Message::BlockPart { height, round, part: Arc::new(part) };
        part.into_iter()
            .map(|part| Sent { message: Arc::new(message(part)), trick: None })
            .collect()
    }

    fn is_mine(&self, vote: &Vote) -> bool {
        vote.validator_address == self.address
    }

    /// Another vote for the same height, round and type: for nil, or for a block.
    fn other_vote(&self, vote: &Vote) -> Vote {
        let known = self.twins.get(&(vote.height, vote.round)).map(|twin| twin.proposal.block_id);
        let made_up = BlockId {
            hash: Hash::of(b"no such block"),
            parts: PartSetHeader { total: 1, hash: Hash::of(b"no such part") },
        };
        let other = known.filter(|id| *id != vote.block_id).unwrap_or(made_up);
        let block_id = if vote.block_id.is_nil() { other } else { BlockId::NIL };
        let mut twin = Vote {
            block_id,
            extension: Bytes::new(),
            extension_signature: Signature::NONE,
            ..vote.clone()
        };
        twin.signature = sign(&self.key, &twin.sign_bytes(&self.chain_id));
        if twin.kind == VoteKind::Precommit && !block_id.is_nil() {
            let bytes = twin.extension_sign_bytes(&self.chain_id);
            twin.extension_signature = sign(&self.key, &bytes);
        }
        twin
    }
}
