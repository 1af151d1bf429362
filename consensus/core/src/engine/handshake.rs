//! The handshake: engine and application may have stopped at different heights.
//!
//! With S the height of the block store, T of the state and A of the application (Info):
//!
//! | case | what happens |
//! |---|---|
//! | A > S | refused: the application has blocks that the engine never stored |
//! | T > S or S > T+1 | refused: the data directory contradicts itself |
//! | A < base, and base is not the first height | refused: what replay takes is pruned |
//! | A = 0 | InitChain; at T = 0 its answer makes the state, later it is ignored |
//! | A < T | blocks A+1..T are executed again; each app hash must be the next header's |
//! | S = T+1, A = T | block S is executed for real |
//! | S = T+1, A = S | the stored answer of block S makes the state, nothing is executed |
//! | A = S = T | the app hashes must be equal |
//!
//! Then the log brings the height in progress back (`recover`). The same happens when an
//! application comes back while the engine runs, or another comes after one that failed; the height
//! in progress is then still here.
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_genesis::Height;

use super::{Action, AppCall, Engine, Pending, Phase};
use crate::io::{Committed, Decided, Load, Loaded, Record};
use crate::types::{BlockId, State, abci};

/// A handshake under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshake {
    /// The application's height, as blocks are executed.
    app: Height,
    /// What it says its hash is.
    app_hash: Bytes,
    /// Loaded for the next block to execute.
    block: Option<Arc<Decided>>,
    /// Answer of the block being executed.
    answer: Option<Arc<pb::ResponseFinalizeBlock>>,
    /// What is still to be loaded, in order.
    loads: VecDeque<Load>,
}

impl Engine {
    pub(super) fn on_app_up(&mut self) {
        self.on_app_down();
        self.phase = Phase::Handshake(Handshake::default());
        self.call(Pending::Info, AppCall::Info(abci::info()));
    }

    /// Calls in flight are lost; what they were for is asked again after the next handshake.
    pub(super) fn on_app_down(&mut self) {
        let lost = std::mem::take(&mut self.pending);
        for (ticket, pending) in lost {
            match pending {
                Pending::Check { reply, .. } => self.refuse(reply, crate::io::TxRefused::NoApp),
                pending if !pending.is_app() => {
                    self.pending.insert(ticket, pending);
                }
                _ => {}
            }
        }
        self.mempool.drop_checks();
        self.cur.extensions.forget_waiting();
        if !matches!(self.phase, Phase::Failed(_)) {
            self.phase = Phase::NoApp;
        }
    }

    pub(super) fn on_info(&mut self, info: &pb::ResponseInfo) {
        let app = Height(u64::try_from(info.last_block_height).unwrap_or(0));
        let (store, state) = (self.store_height, self.state.last_block_height);
        let initial = self.state.initial_height;
        if app > store {
            return self.halt(format!(
                "the application is at height {app}, the block store only at {store}: was the \
                 engine's data directory reset without the application's?"
            ));
        }
        if state > store || store.0 > state.0 + 1 && !(state.0 == 0 && store == initial) {
            return self.halt(format!(
                "the state is at height {state}, the block store at {store}: the data directory is \
                 damaged, restore it or start anew and catch up"
            ));
        }
        // Replaying a block takes the validators of the one before it.
        let pruned = self.base > initial && app < self.base;
        if store > Height::ZERO && pruned {
            return self.halt(format!(
                "the application is at height {app}, but what is below {base} is pruned and blocks \
                 can be replayed only after {base}: it cannot catch up from here",
                base = self.base
            ));
        }
        let app_hash = info.last_block_app_hash.clone();
        self.phase = Phase::Handshake(Handshake { app, app_hash, ..Handshake::default() });
        if self.state.is_before_first_block() {
            Arc::make_mut(&mut self.state).set_app_version(info.app_version);
        }
        if app > Height::ZERO {
            return self.next_replay();
        }
        match abci::init_chain(&self.genesis) {
            Ok(request) => self.call(Pending::InitChain, AppCall::InitChain(Box::new(request))),
            Err(error) => self.halt(format!("the genesis document is not usable: {error}")),
        }
    }

    pub(super) fn on_init_chain(&mut self, answer: &pb::ResponseInitChain) {
        if self.state.is_before_first_block() {
            let mut state = State::clone(&self.state);
            if let Err(error) = state.on_init_chain(answer) {
                return self.halt(format!("the application's answer to InitChain: {error}"));
            }
            let Phase::Handshake(handshake) = &mut self.phase else { return };
            handshake.app_hash = state.app_hash.clone();
            // An application that lost everything is told again; what it says must be the same,
            // for the first height may be in progress, locked and voted on.
            let told = State { version: state.version, ..State::clone(&self.state) };
            if told == state {
                self.state = Arc::new(state);
                return self.next_replay();
            }
            if self.cur.started {
                return self.halt(
                    "the application answers InitChain in another way than before".to_owned(),
                );
            }
            self.state = Arc::new(state);
            self.out.records.push(Record::State(self.state.clone()));
            self.out.sync = true;
            if self.store_height == Height::ZERO {
                self.cur = super::progress(&self.state, &self.common);
            }
        }
        self.next_replay();
    }

    /// Loads what the next block to execute needs, or ends the handshake.
    fn next_replay(&mut self) {
        let (store, state) = (self.store_height, self.state.last_block_height);
        let initial = self.state.initial_height;
        let Phase::Handshake(handshake) = &mut self.phase else { return };
        let next = if handshake.app == Height::ZERO { initial } else { handshake.app.next() };
        if handshake.app == store && store == state {
            return self.end_handshake();
        }
        let loads = if handshake.app == store {
            // Only the state is behind: the stored answer brings it up.
            vec![Load::Block(store), Load::Response(store)]
        } else if next > initial && next <= state {
            vec![Load::Block(next), Load::Validators(next.prev())]
        } else {
            vec![Load::Block(next)]
        };
        handshake.loads = loads.into();
        self.load_next();
    }

    fn load_next(&mut self) {
        let Phase::Handshake(handshake) = &mut self.phase else { return };
        if let Some(load) = handshake.loads.pop_front() {
            let ticket = self.ticket(Pending::HandshakeLoad);
            self.act(Action::Load { ticket, load });
        }
    }

    pub(super) fn on_handshake_loaded(&mut self, loaded: Loaded) {
        let initial = self.state.initial_height;
        let Phase::Handshake(handshake) = &mut self.phase else { return };
        match loaded {
            Loaded::Missing | Loaded::Height(_) | Loaded::SignedHeader(_) => {
                let height = handshake.app.next();
                self.halt(format!("the block store lacks what replaying block {height} needs"));
            }
            Loaded::Block(block) => {
                handshake.block = Some(block.clone());
                if !handshake.loads.is_empty() {
                    return self.load_next();
                }
                let request = if block.commit.height > self.state.last_block_height {
                    abci::finalize_block(&block.block, &self.state)
                } else {
                    let nobody = crate::types::ValidatorSet::default();
                    abci::finalize_old_block(&block.block, &nobody, initial)
                };
                self.call_replay(request);
            }
            Loaded::Validators { validators, .. } => {
                let Some(block) = handshake.block.clone() else { return };
                let request = abci::finalize_old_block(&block.block, &validators, initial);
                self.call_replay(request);
            }
            Loaded::Response(response) => {
                let Some(block) = handshake.block.take() else { return };
                self.advance_state(&block, response);
            }
        }
    }

    fn call_replay(&mut self, request: Result<pb::RequestFinalizeBlock, crate::types::Invalid>) {
        match request {
            Ok(request) => {
                let height = Height(u64::try_from(request.height).unwrap_or(0));
                let call = AppCall::FinalizeBlock(Box::new(request));
                self.call(Pending::Finalize(height), call);
            }
            Err(error) => self.halt(format!("a stored block cannot be executed: {error}")),
        }
    }

    /// FinalizeBlock was answered during the handshake.
    pub(super) fn on_replay_finalized(
        &mut self,
        height: Height,
        answer: pb::ResponseFinalizeBlock,
    ) {
        let Phase::Handshake(handshake) = &mut self.phase else { return };
        let answer = Arc::new(answer);
        handshake.answer = Some(answer.clone());
        if height > self.state.last_block_height {
            self.out.records.push(Record::Response { height, response: answer });
            self.out.sync = true;
        }
        self.call(Pending::Commit(height), AppCall::Commit);
    }

    /// Commit was answered during the handshake.
    pub(super) fn on_replay_committed(&mut self, height: Height) {
        let Phase::Handshake(handshake) = &mut self.phase else { return };
        let (Some(block), Some(answer)) = (handshake.block.take(), handshake.answer.take()) else {
            return;
        };
        handshake.app = height;
        handshake.app_hash = answer.app_hash.clone();
        if height > self.state.last_block_height {
            return self.advance_state(&block, answer);
        }
        if height == self.state.last_block_height && answer.app_hash != self.state.app_hash {
            return self.halt(format!(
                "[S-6] replaying block {height} gave the app hash {}, the chain agreed on {}",
                hex::encode_upper(&answer.app_hash),
                hex::encode_upper(&self.state.app_hash),
            ));
        }
        self.next_replay();
    }

    /// The state follows the application by one block.
    fn advance_state(&mut self, block: &Arc<Decided>, answer: Arc<pb::ResponseFinalizeBlock>) {
        let id: BlockId = block.id;
        let state = match self.state.after_block(id, &block.block, &answer) {
            Ok(state) => Arc::new(state),
            Err(error) => {
                let height = block.commit.height;
                return self.halt(format!("the answer to block {height} is wrong: {error}"));
            }
        };
        let before = std::mem::replace(&mut self.state, state.clone());
        let follows = before.last_block_height < state.last_block_height;
        assert!(follows, "[S-5] the state only moves on");
        let done = self.evidences.on_block(&block.block, &state);
        self.out.records.extend(done);
        let validators = self.cur.validators.clone();
        self.finish_evidence(state.last_block_time, &validators);
        self.out.records.push(Record::State(state.clone()));
        // A log that is ahead of the state has the height in progress already: it still matters.
        if !self.log.iter().any(|entry| entry.height() > state.last_block_height) {
            self.record(crate::wal::Entry::EndHeight(state.last_block_height));
        }
        self.mempool.remove_committed(block.block.txs().hashes());
        self.last = Some(self.last_commit_of(block.clone()));
        self.cur = super::progress(&self.state, &self.common);
        // What was intended for the height that is over is not asked to be signed again.
        self.intents.clear();
        self.deciding = None;
        self.act(Action::Committed(Arc::new(Committed {
            height: state.last_block_height,
            decided: block.clone(),
            response: answer,
            state,
        })));
        self.next_replay();
    }

    /// [S-6] Engine and application agree on the result of everything so far.
    fn end_handshake(&mut self) {
        let Phase::Handshake(handshake) = &self.phase else { return };
        if handshake.app_hash != self.state.app_hash {
            return self.halt(format!(
                "the application's hash {} at height {} is not the one the chain agreed on, {}",
                hex::encode_upper(&handshake.app_hash),
                self.state.last_block_height,
                hex::encode_upper(&self.state.app_hash),
            ));
        }
        self.phase = Phase::Running;
        self.resume();
    }
}
