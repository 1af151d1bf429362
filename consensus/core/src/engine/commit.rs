//! A decision becomes a committed block, and the next height begins.
//!
//! FinalizeBlock is called at once: the application must not keep anything before Commit. Block,
//! commit and answer become durable together, in one sync, before Commit is called; so after a
//! crash the application is at most one block behind what is stored, and the stored answer is
//! there if it is not behind. The state after the block needs no sync of its own: it follows
//! from block and answer.
use std::sync::Arc;
use std::time::Duration;

use guts_abci::proto::abci as pb;
use guts_genesis::{Height, Round};

use super::{Action, AppCall, Deciding, Engine, LastCommit, Pending, progress};
use crate::io::{Committed, Decided, Load, Loaded, Record};
use crate::types::{BlockId, ExtendedCommit, State, Vote, VoteKind, abci};
use crate::wal::Entry;
use crate::watch::Happened;

/// Blocks between two times that old ones are given up.
const PRUNE_EVERY: u64 = 100;

impl Engine {
    /// The machine has decided a block that is here.
    pub(super) fn decide(&mut self, round: Round, id: &BlockId) {
        let height = self.cur.height;
        let candidate = self.cur.candidate(id).expect("the machine decides blocks that are here");
        let block = candidate.block.clone().expect("a candidate with an id has its block");
        let parts: Vec<_> = candidate.parts.parts().cloned().map(Arc::new).collect();
        let tally = &self.cur.round(round).expect("its precommits are here").precommits;
        let votes = tally.votes_for_commit(id);
        let extended = self.cur.extended;
        let commit = ExtendedCommit::of_votes(height, round, *id, &votes, extended)
            .expect("extensions of counted precommits were checked");
        let decided = Arc::new(Decided { id: *id, block, parts, commit, extended });
        let tally = tally.clone();
        self.finalize(LastCommit { decided, tally }, false);
    }

    /// Executes a decided block.
    pub(super) fn finalize(&mut self, commit: LastCommit, synced: bool) {
        let decided = commit.decided.clone();
        let height = decided.commit.height;
        assert_eq!(height, self.cur.height, "[S-5] heights are decided one after another");
        self.cur.machine.decided = true;
        let known = super::rounds::KnownSignatures::of(self);
        // A fetched block was checked when it was taken.
        if !synced && let Err(error) = self.state.check_block(&decided.block, &known) {
            self.halt(format!("a quorum decided an invalid block at height {height}: {error}"));
            return;
        }
        match abci::finalize_block(&decided.block, &self.state) {
            Ok(request) => {
                self.deciding = Some(Deciding { commit, after: None, synced });
                let call = AppCall::FinalizeBlock(Box::new(request));
                self.call(Pending::Finalize(height), call);
            }
            Err(error) => self.halt(format!("block {height} cannot be executed: {error}")),
        }
    }

    pub(super) fn on_finalized(&mut self, height: Height, answer: pb::ResponseFinalizeBlock) {
        let Some(deciding) = &mut self.deciding else { return };
        let decided = deciding.commit.decided.clone();
        match self.state.after_block(decided.id, &decided.block, &answer) {
            Ok(state) => {
                let response = Arc::new(answer);
                deciding.after = Some((response.clone(), Arc::new(state)));
                // A late precommit makes the stored commit, and so the next block, more complete.
                let decided = self.with_late_precommits(&decided);
                self.out.records.push(Record::Block(decided.clone()));
                self.out.records.push(Record::Response { height, response });
                self.out.sync = true;
                self.store_height = height;
                self.base = if self.base == Height::ZERO { height } else { self.base };
                if let Some(deciding) = &mut self.deciding {
                    deciding.commit.decided = decided;
                }
                self.call(Pending::Commit(height), AppCall::Commit);
            }
            Err(error) => {
                self.halt(format!("the application's answer to block {height} is wrong: {error}"));
            }
        }
    }

    /// The decided block with the precommits that came since.
    fn with_late_precommits(&self, decided: &Arc<Decided>) -> Arc<Decided> {
        let commit = &decided.commit;
        let votes = self.cur.round(commit.round);
        // Of a block that was fetched there may be some votes here, but too few of them.
        let votes = votes.filter(|votes| votes.precommits.maj23() == Some(decided.id));
        let Some(votes) = votes else { return decided.clone() };
        let votes = votes.precommits.votes_for_commit(&decided.id);
        let (height, round) = (commit.height, commit.round);
        match ExtendedCommit::of_votes(height, round, decided.id, &votes, decided.extended) {
            Ok(commit) if voted(&commit) > voted(&decided.commit) => {
                Arc::new(Decided { commit, ..Decided::clone(decided) })
            }
            _ => decided.clone(),
        }
    }

    pub(super) fn on_app_committed(&mut self, height: Height, answer: &pb::ResponseCommit) {
        let Some(deciding) = self.deciding.take() else { return };
        let Some((response, state)) = deciding.after else { return };
        let mut last = deciding.commit;
        if let Some(votes) = self.cur.round(last.decided.commit.round)
            && votes.precommits.maj23() == Some(last.decided.id)
        {
            last.tally = votes.precommits.clone();
        }
        self.counters.blocks += 1;
        self.counters.synced_blocks += u64::from(deciding.synced);
        self.install(last, response, state);
        let retain = Height(u64::try_from(answer.retain_height).unwrap_or(0));
        self.prune(retain.min(height));
    }

    /// The application stands after the block: so do we.
    pub(super) fn install(
        &mut self,
        last: LastCommit,
        response: Arc<pb::ResponseFinalizeBlock>,
        state: Arc<State>,
    ) {
        let height = state.last_block_height;
        let decided = last.decided.clone();
        // Before the state: were it lost in a crash and the state not, evidence would come again.
        let done = self.evidences.on_block(&decided.block, &state);
        self.out.records.extend(done);
        self.out.records.push(Record::State(state.clone()));
        self.record(Entry::EndHeight(height));
        let validators = self.cur.validators.clone();
        self.finish_evidence(state.last_block_time, &validators);
        self.mempool.remove_committed(decided.block.txs().hashes());
        let must_show = decided.block.header().app_hash != state.app_hash;
        self.act(Action::Committed(Arc::new(Committed {
            height,
            decided: decided.clone(),
            response,
            state: state.clone(),
        })));
        self.state = state;
        self.last = Some(last);
        self.recheck();
        self.enter_height(must_show);
    }

    /// Begins the height after the state.
    pub(super) fn enter_height(&mut self, must_show: bool) {
        self.cur = progress(&self.state, &self.common);
        self.intents.clear();
        self.deciding = None;
        self.begin_pacing(must_show);
        self.notice_height();
        self.evidences.on_height(&self.cur);
        self.replay_early();
    }

    /// The application needs nothing below `retain`. Evidence must stay checkable until both its
    /// limits have passed: blocks and validators are kept as long as either has not. Which are old
    /// enough the block store knows.
    fn prune(&mut self, retain: Height) {
        let (params, last) = (&self.state.consensus_params, self.state.last_block_height);
        let age = u64::try_from(params.evidence_max_age_num_blocks).unwrap_or(0);
        let retain = retain.min(Height(last.0.saturating_sub(age)));
        let is_due = last >= self.prune_from;
        if !is_due || retain <= self.base || self.base == Height::ZERO {
            return;
        }
        self.prune_from = last.plus(PRUNE_EVERY);
        let age = u64::try_from(params.evidence_max_age_duration_ns).unwrap_or(0);
        let since = self.state.last_block_time.checked_sub(Duration::from_nanos(age));
        if let Some(since) = since {
            let ticket = self.ticket(Pending::Prune(retain));
            self.act(Action::Load { ticket, load: Load::FirstSince(since) });
        }
    }

    /// Blocks from a height on are too young to be given up.
    pub(super) fn on_prune_judged(&mut self, retain: Height, loaded: &Loaded) {
        let Loaded::Height(young) = loaded else { return };
        let retain = retain.min(*young);
        if retain > self.base {
            self.base = retain;
            self.act(Action::Prune { retain });
        }
    }

    /// A precommit for the last block that came after the decision: it will be in the next block.
    pub(super) fn add_late_precommit(&mut self, vote: Vote) {
        if let Some(last) = &mut self.last
            && vote.kind == VoteKind::Precommit
            && vote.round == last.decided.commit.round
            && last.tally.add(vote.clone()).is_counted()
        {
            self.notice(|| Happened::Vote(Box::new(vote)));
        }
    }

    /// The last block's precommits, late ones included; the empty commit at the first height.
    pub(super) fn extended_last_commit(&self) -> ExtendedCommit {
        let Some(last) = &self.last else { return ExtendedCommit::default() };
        let (commit, id) = (&last.decided.commit, last.decided.id);
        let votes = last.tally.votes_for_commit(&id);
        let extended = last.decided.extended;
        ExtendedCommit::of_votes(commit.height, commit.round, id, &votes, extended)
            .unwrap_or_else(|_| commit.clone())
    }
}

fn voted(commit: &ExtendedCommit) -> usize {
    commit.signatures.iter().filter(|place| place.sig.vote().is_some()).count()
}
