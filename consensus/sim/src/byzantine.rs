//! A validator that breaks the rules: what it sends in place of what its engine wants sent.
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use guts_consensus::messages::{Message, NewRoundStep};
use guts_consensus::types::{
    Block, BlockId, DuplicateVote, Evidence, Hash, Part, PartSet, PartSetHeader, Proposal, Txs,
    Vote, VoteKind,
};
use guts_genesis::{Address, Height, Power, PublicKey, Round, Signature};

use crate::plan::Villain;
use crate::rng::Rng;
use crate::scheme::sign;

/// How far ahead a boaster says it is.
const CLAIMED: u64 = 1_000_000_000_000;
/// The highest round that a message can name.
const LAST_ROUND: Round = Round(i32::MAX as u32);

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
    /// Whom it accuses.
    victim: Address,
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
            victim: key.address(),
        }
    }

    /// What it does.
    pub fn kind(&self) -> Villain {
        self.kind
    }

    /// Whom it accuses, if it does.
    pub fn against(self, victim: Address) -> Byzantine {
        Byzantine { victim, ..self }
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
            (Villain::Withholder, Message::BlockPart { height, round, part }) => {
                self.bad_part((*height, *round), part, peer)
            }
            (Villain::Flooder, Message::Vote(vote)) if self.is_mine(vote) => {
                vec![plain(), self.flooding_vote(vote, rng)]
            }
            (Villain::Garbler, Message::Vote(vote))
                if self.is_mine(vote) && !vote.extension_signature.is_empty() =>
            {
                vec![self.garbage_extension(vote)]
            }
            (Villain::Forger, Message::Vote(vote)) if self.is_mine(vote) && rng.chance(200) => {
                vec![plain(), self.forged_evidence(vote)]
            }
            (Villain::Boaster, message) => self.boast(message).unwrap_or_else(|| vec![plain()]),
            _ => vec![plain()],
        }
    }

    /// Heights that nobody has, and no answer to who asks for one.
    fn boast(&self, message: &Message) -> Option<Vec<Sent>> {
        let claim = match message {
            Message::NewRoundStep(step) => {
                Message::NewRoundStep(NewRoundStep { height: step.height.plus(CLAIMED), ..*step })
            }
            Message::StatusResponse { base, height } => {
                Message::StatusResponse { base: *base, height: height.plus(CLAIMED) }
            }
            Message::BlockResponse(_) | Message::NoBlockResponse(_) => return Some(Vec::new()),
            _ => return None,
        };
        Some(vec![Sent { message: Arc::new(claim), trick: Some("claimed height") }])
    }

    /// Nothing, the part, or one with a wrong byte.
    fn bad_part(
        &self,
        (height, round): (Height, Round),
        part: &Arc<Part>,
        peer: usize,
    ) -> Vec<Sent> {
        let message = |part| Arc::new(Message::BlockPart { height, round, part: Arc::new(part) });
        match peer % 3 {
            0 => vec![Sent { message: message(part.as_ref().clone()), trick: None }],
            1 => {
                let mut bytes = part.bytes.to_vec();
                bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
                let bad = Part { bytes: bytes.into(), ..part.as_ref().clone() };
                vec![Sent { message: message(bad), trick: Some("invalid part") }]
            }
            _ => {
                let unknown = Message::NoBlockResponse(height);
                vec![Sent { message: Arc::new(unknown), trick: Some("withheld part") }]
            }
        }
    }

    /// A good vote, far ahead or as far as there are rounds.
    fn flooding_vote(&self, vote: &Vote, rng: &mut Rng) -> Sent {
        let height = vote.height.plus(rng.below(4));
        let (round, trick) = match rng.between(1, 60) as u32 {
            55.. => (LAST_ROUND, "vote of the last round"),
            rounds => (Round(vote.round.0 + rounds), "flooding vote"),
        };
        let mut ahead = Vote {
            height,
            round,
            block_id: BlockId::NIL,
            extension: Bytes::new(),
            extension_signature: Signature::NONE,
            ..vote.clone()
        };
        ahead.signature = sign(&self.key, &ahead.sign_bytes(&self.chain_id));
        Sent { message: Arc::new(Message::Vote(ahead)), trick: Some(trick) }
    }

    fn garbage_extension(&self, vote: &Vote) -> Sent {
        let mut garbled = Vote { extension: Bytes::from_static(b"garbage"), ..vote.clone() };
        let bytes = garbled.extension_sign_bytes(&self.chain_id);
        garbled.extension_signature = sign(&self.key, &bytes);
        Sent { message: Arc::new(Message::Vote(garbled)), trick: Some("garbage extension") }
    }

    /// Two votes of somebody else, signed with our own key.
    fn forged_evidence(&self, vote: &Vote) -> Sent {
        let base = Vote {
            height: vote.height.prev().max(Height(1)),
            validator_address: self.victim,
            extension: Bytes::new(),
            extension_signature: Signature::NONE,
            ..vote.clone()
        };
        let forge = |hash: &[u8]| {
            let parts = PartSetHeader { total: 1, hash: Hash::of(hash) };
            let block_id = BlockId { hash: Hash::of(hash), parts };
            let mut vote = Vote { block_id, ..base.clone() };
            vote.signature = sign(&self.key, &vote.sign_bytes(&self.chain_id));
            vote
        };
        let (one, other) = (forge(b"one"), forge(b"other"));
        let in_order = one.block_id.key() < other.block_id.key();
        let (vote_a, vote_b) = if in_order { (one, other) } else { (other, one) };
        let forged = DuplicateVote {
            vote_a,
            vote_b,
            total_power: Power(40),
            validator_power: Power(10),
            time: vote.time,
        };
        let list = vec![Evidence::DuplicateVote(Box::new(forged))];
        Sent { message: Arc::new(Message::Evidence(list)), trick: Some("forged evidence") }
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
