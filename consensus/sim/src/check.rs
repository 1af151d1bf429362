//! What must never happen, seen from outside of all nodes.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use guts_abci::proto::{Message, types};
use guts_consensus::io::{Committed, SignPosition, SignRequest, SignStep};
use guts_consensus::types::{BlockId, CommitCheck, Counted, Evidence, Hash, State, ValidatorSet};
use guts_genesis::{Address, Height, Power, PublicKey, Round};

use crate::scheme::KeyedHash;

/// What was agreed at a height, by whoever committed it first.
struct Agreed {
    id: BlockId,
    app_hash: Bytes,
    state: Arc<State>,
}

/// A precommit for a block.
type Locked = (Round, Hash);

/// The record of everything that was signed and committed.
pub struct Checkers {
    chain_id: String,
    villains: BTreeSet<Address>,
    chain: BTreeMap<Height, Agreed>,
    /// Validators by height, as far as they are decided.
    sets: BTreeMap<Height, ValidatorSet>,
    signed: BTreeMap<(Address, SignPosition), Vec<u8>>,
    /// Prevotes for a block, by height, round and block.
    prevotes: BTreeMap<(Height, Round, Hash), BTreeSet<Address>>,
    locks: BTreeMap<(Address, Height), Locked>,
    submitted: BTreeSet<Bytes>,
    /// Evidence that is in a block, by hash, and where.
    evidence: BTreeMap<Hash, Height>,
}

/// What a commit brought.
#[derive(Default)]
pub struct News {
    /// The first commit of this height.
    pub is_new: bool,
    /// Pieces of evidence in it.
    pub evidence: u64,
    /// The validator set changed.
    pub changes_validators: bool,
}

impl Checkers {
    /// The record of a chain that starts from `state`.
    pub fn new(state: &State, villains: BTreeSet<Address>) -> Checkers {
        let first = state.initial_height;
        let sets =
            [(first, state.validators.clone()), (first.next(), state.next_validators.clone())];
        Checkers {
            chain_id: state.chain_id.clone(),
            villains,
            chain: BTreeMap::new(),
            sets: sets.into(),
            signed: BTreeMap::new(),
            prevotes: BTreeMap::new(),
            locks: BTreeMap::new(),
            submitted: BTreeSet::new(),
            evidence: BTreeMap::new(),
        }
    }

    /// The highest height anybody committed.
    pub fn height(&self) -> Height {
        self.chain.keys().next_back().copied().unwrap_or(Height::ZERO)
    }

    /// The validators of a height, if they are decided.
    pub fn validators(&self, height: Height) -> Option<&ValidatorSet> {
        self.sets.get(&height)
    }

    /// A client hands in a transaction.
    pub fn on_submitted(&mut self, tx: &Bytes) {
        self.submitted.insert(tx.clone());
    }

    /// [S-2] A correct validator asks its signer. For one height, round and step there is one
    /// value, whatever crashes lie between.
    pub fn on_sign(&mut self, who: Address, request: &SignRequest) -> Result<(), String> {
        let key = (who, request.at);
        if let Some(before) = self.signed.get(&key) {
            if *before != request.bytes {
                return Err(format!("[S-2] {who} signed twice at {:?}", request.at));
            }
            return Ok(());
        }
        let later = (key.0, request.at)..;
        let regress = self.signed.range(later).next().is_some_and(|((other, _), _)| *other == who);
        if regress {
            return Err(format!("[S-2] {who} went back to {:?}", request.at));
        }
        self.signed.insert(key, request.bytes.clone());
        let block = voted_block(&request.bytes);
        match (request.at.step, block) {
            (SignStep::Prevote, Some(block)) => {
                self.on_prevote(who, (request.at.height, request.at.round), block);
                self.check_lock(who, request.at, block)
            }
            (SignStep::Precommit, Some(block)) => {
                let lock = (request.at.round, block);
                self.locks.insert((who, request.at.height), lock);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Anybody prevotes for a block.
    pub fn on_prevote(&mut self, who: Address, at: (Height, Round), block: Hash) {
        self.prevotes.entry((at.0, at.1, block)).or_default().insert(who);
    }

    /// [S-3] Who has precommitted a block prevotes another one only after a polka for that, in
    /// the round of the precommit or later.
    fn check_lock(&self, who: Address, at: SignPosition, block: Hash) -> Result<(), String> {
        let Some((locked_round, locked)) = self.locks.get(&(who, at.height)) else {
            return Ok(());
        };
        if *locked == block || *locked_round >= at.round {
            return Ok(());
        }
        let Some(validators) = self.sets.get(&at.height) else { return Ok(()) };
        let polka = (locked_round.0..at.round.0).any(|round| {
            let voters = self.prevotes.get(&(at.height, Round(round), block));
            let power = voters.into_iter().flatten().filter_map(|who| validators.by_address(who));
            let power = power.fold(Power::ZERO, |sum, (_, v)| sum.saturating_add(v.power));
            power.is_over_two_thirds(validators.total_power())
        });
        if polka {
            return Ok(());
        }
        Err(format!("[S-3] {who} prevotes against its lock of round {locked_round} at {at:?}"))
    }

    /// A correct node shows a block as committed.
    pub fn on_committed(&mut self, committed: &Committed) -> Result<News, String> {
        let (height, decided) = (committed.height, &committed.decided);
        let app_hash = committed.response.app_hash.clone();
        if let Some(agreed) = self.chain.get(&height) {
            if agreed.id != decided.id {
                return Err(format!("[S-1] two blocks were decided at height {height}"));
            }
            if agreed.app_hash != app_hash {
                return Err(format!("two app hashes at height {height}"));
            }
            if agreed.state != committed.state {
                return Err(format!(
                    "two states at height {height}: {:?} and {:?}",
                    agreed.state, committed.state
                ));
            }
            return Ok(News::default());
        }
        self.check_new(committed)?;
        let state = &committed.state;
        let changes_validators = state.validators.hash() != state.next_validators.hash();
        self.check_fair(&state.next_validators)?;
        self.sets.insert(height.next(), state.validators.clone());
        self.sets.insert(height.plus(2), state.next_validators.clone());
        self.chain.insert(height, Agreed { id: decided.id, app_hash, state: Arc::clone(state) });
        let evidence = decided.block.evidence().len() as u64;
        Ok(News { is_new: true, evidence, changes_validators })
    }

    /// What all rules rest on, and the world must keep: less than a third of the power is evil.
    fn check_fair(&self, validators: &ValidatorSet) -> Result<(), String> {
        let evil = validators.validators().iter().filter(|v| self.villains.contains(&v.address));
        let evil = evil.fold(Power::ZERO, |sum, v| sum.saturating_add(v.power));
        let total = validators.total_power();
        if evil.0 * 3 < total.0 {
            return Ok(());
        }
        Err(format!("the world is unfair: villains have {evil} of {total}"))
    }

    fn check_new(&mut self, committed: &Committed) -> Result<(), String> {
        let (height, decided) = (committed.height, &committed.decided);
        let header = decided.block.header();
        if height.prev() != self.height() {
            return Err(format!("height {height} was committed after {}", self.height()));
        }
        if header.height != height || decided.block.hash() != decided.id.hash {
            return Err(format!("the block of height {height} is not what its id says"));
        }
        if let Some(before) = self.chain.get(&height.prev())
            && (header.app_hash != before.app_hash || header.last_block_id != before.id)
        {
            return Err(format!("the block of height {height} does not follow"));
        }
        let validators = self.sets.get(&height).ok_or("validators are not known")?;
        if header.validators_hash != validators.hash() {
            return Err(format!("the block of height {height} has other validators"));
        }
        let check = CommitCheck {
            scheme: &KeyedHash,
            chain_id: &self.chain_id,
            validators,
            commit: &decided.commit.to_commit(),
        };
        check
            .light(&decided.id, height, Counted::Enough)
            .map_err(|error| format!("[S-1] the commit of height {height}: {error}"))?;
        for tx in decided.block.txs().as_slice() {
            if !self.submitted.contains(tx) && !tx.starts_with(b"villain") {
                return Err(format!("height {height} has a transaction nobody sent"));
            }
        }
        decided.block.evidence().iter().try_for_each(|one| self.on_evidence(one, height))
    }

    /// No correct validator is ever accused, and no evidence counts twice.
    fn on_evidence(&mut self, evidence: &Evidence, height: Height) -> Result<(), String> {
        if let Some(before) = self.evidence.insert(evidence.hash(), height) {
            return Err(format!("evidence of height {before} is in height {height} again"));
        }
        let Evidence::DuplicateVote(duplicate) = evidence else {
            return Err("evidence of an attack that nobody made".to_owned());
        };
        let accused = duplicate.vote_a.validator_address;
        if self.villains.contains(&accused) {
            return Ok(());
        }
        Err(format!("false evidence: {accused} is correct and stands accused at height {height}"))
    }

    /// What a digest of the run covers.
    pub fn summary(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (height, agreed) in &self.chain {
            out.extend_from_slice(&height.0.to_be_bytes());
            out.extend_from_slice(agreed.id.hash.as_bytes());
        }
        out
    }
}

/// The block that signed bytes of a vote are for; none for nil.
fn voted_block(bytes: &[u8]) -> Option<Hash> {
    let vote = types::CanonicalVote::decode_length_delimited(bytes).ok()?;
    let hash = Hash::from_slice(&vote.block_id?.hash).ok()?;
    (!hash.is_empty()).then_some(hash)
}

/// A key of the world's node `index`.
pub fn key_of(seed: u64, index: usize) -> PublicKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..16].copy_from_slice(&(index as u64).to_be_bytes());
    bytes[16] = 1;
    PublicKey::Ed25519(Hash::of(&bytes).as_bytes().try_into().unwrap_or(bytes))
}
