//! Evidence whose judges have to be looked up: old heights, and attacks on light clients.
//!
//! An attack is a signed header that is not the chain's. It is judged by the validators of the last
//! height both histories share, by our own header at its height, and by the commit that the block
//! after that carries. Every node has the same commit there, so that all name the same validators;
//! the precommits a node happened to see would not do. An attack on a height the chain has not
//! reached is judged by the last header.
//!
//! Loading costs: it is done only for what enough validators of the common height signed, and for
//! one attack at a time of each peer. Of our block it takes header and commit, not the rest. What
//! they did not sign counts against who brought it.
use std::collections::VecDeque;

use super::evidence::Opinion;
use super::{Engine, Pending};
use crate::io::{Load, Loaded, PeerId, Ticket};
use crate::types::{BlockId, Commit, Evidence, LightClientAttack, SignedHeader, ValidatorSet};

/// Pieces of evidence that may wait for the block store at a time.
const CASES_MAX: usize = 64;

/// Who brought a piece of evidence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A peer, on the evidence channel.
    Peer(PeerId),
    /// A client, who waits for an answer.
    Client(Ticket),
    /// A proposed block, which cannot be judged without it.
    Block(BlockId),
}

/// A piece of evidence that waits for what it is judged by.
#[derive(Clone, Debug)]
pub(super) struct Case {
    evidence: Evidence,
    source: Source,
    /// Still to be loaded, in order.
    loads: VecDeque<Load>,
    /// Our header at the height of an attack, once it is here.
    ours: Option<Box<SignedHeader>>,
}

impl Case {
    pub(super) fn source(&self) -> Source {
        self.source
    }
}

impl Engine {
    /// What can be said of an attack without our own block of its height.
    pub(super) fn attack_opinion(
        &self,
        attack: &LightClientAttack,
        common: &ValidatorSet,
    ) -> Opinion {
        let (height, last) = (attack.conflicting.header().height, self.state.last_block_height);
        // The commit of the last block is not settled before the next one.
        if height == last {
            return Opinion::Early;
        }
        let (scheme, chain_id) = (self.common.scheme.as_ref(), &self.common.chain_id);
        if attack.check_signed(scheme, chain_id, common).is_err() {
            return Opinion::Bad("is no attack on light clients");
        }
        match &self.last {
            Some(ours) if height > last => {
                // Nobody has signed twice at a height that the chain has not reached.
                let header = ours.decided.block.header().clone();
                against(attack, common, &SignedHeader { header, commit: Commit::default() })
            }
            _ => Opinion::Unknown,
        }
    }

    /// Loads what a piece of evidence is judged by.
    pub(super) fn look_up(&mut self, evidence: Evidence, source: Source) {
        if self.is_full(&evidence, source) {
            self.counters.overflows += 1;
            return self.conclude(evidence, source, Opinion::Unknown);
        }
        let mut loads = VecDeque::new();
        if self.context(evidence.height()).is_none() {
            loads.push_back(Load::Validators(evidence.height()));
        }
        if let Evidence::LightClientAttack(attack) = &evidence {
            loads.push_back(Load::SignedHeader(attack.conflicting.header().height));
        }
        self.load_for(Case { evidence, source, loads, ours: None });
    }

    /// Whether no more pieces from there are looked up at present.
    fn is_full(&self, evidence: &Evidence, source: Source) -> bool {
        let cases = || self.pending.values().filter_map(Pending::case);
        let is_attack = |evidence: &Evidence| matches!(evidence, Evidence::LightClientAttack(_));
        match source {
            Source::Block(_) => false,
            Source::Peer(peer) if is_attack(evidence) => {
                let is_its = |case: &Case| matches!(case.source, Source::Peer(p) if p == peer);
                cases().count() >= CASES_MAX
                    || cases().any(|case| is_its(case) && is_attack(&case.evidence))
            }
            Source::Peer(_) | Source::Client(_) => cases().count() >= CASES_MAX,
        }
    }

    fn load_for(&mut self, mut case: Case) {
        let Some(load) = case.loads.pop_front() else { return self.judge_case(case) };
        let ticket = self.ticket(Pending::Evidence(Box::new(case)));
        self.act(super::Action::Load { ticket, load });
    }

    pub(super) fn on_case_loaded(&mut self, mut case: Case, loaded: Loaded) {
        match loaded {
            Loaded::Validators { validators, time } => {
                self.remember_context(case.evidence.height(), time, validators);
                let opinion = match case.source {
                    Source::Block(_) => self.judge_anew(&case.evidence),
                    Source::Peer(_) | Source::Client(_) => self.judge_evidence(&case.evidence),
                };
                if opinion != Opinion::Unknown {
                    return self.conclude(case.evidence, case.source, opinion);
                }
            }
            Loaded::SignedHeader(ours) => case.ours = Some(ours),
            Loaded::Missing | Loaded::Block(_) | Loaded::Response(_) | Loaded::Height(_) => {
                return self.conclude(case.evidence, case.source, Opinion::Unknown);
            }
        }
        self.load_for(case);
    }

    /// Everything is here.
    fn judge_case(&mut self, case: Case) {
        let context = self.context(case.evidence.height());
        let opinion = match (&case.evidence, context, &case.ours) {
            (Evidence::LightClientAttack(attack), Some((_, common)), Some(ours)) => {
                against(attack, &common, ours)
            }
            _ => Opinion::Unknown,
        };
        self.conclude(case.evidence, case.source, opinion);
    }
}

/// What our header says of an attack that enough validators signed: the one of its height, or the
/// last.
fn against(attack: &LightClientAttack, common: &ValidatorSet, trusted: &SignedHeader) -> Opinion {
    match attack.check_against(common, trusted) {
        Ok(()) => Opinion::Good,
        // Judged by a header that is not of its height: who is further may know better, and was
        // right to pass it on.
        Err(_) if attack.conflicting.header().height > trusted.header.height => Opinion::Early,
        Err(_) => Opinion::Bad("is no attack on light clients"),
    }
}
