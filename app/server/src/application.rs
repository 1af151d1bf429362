//! The application as the engine calls it: [`Machine`] makes blocks, [`Reading`] answers at any
//! time from the newest snapshot. Both are thin: the rules are in `guts-app-core`.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use guts_abci::proto::abci::response_process_proposal::ProposalStatus;
use guts_abci::proto::abci::response_verify_vote_extension::VerifyStatus;
use guts_abci::proto::abci::{
    CheckTxType, Event, RequestCheckTx, RequestCommit, RequestExtendVote, RequestFinalizeBlock,
    RequestInfo, RequestInitChain, RequestPrepareProposal, RequestProcessProposal, RequestQuery,
    RequestVerifyVoteExtension, ResponseCheckTx, ResponseCommit, ResponseExtendVote,
    ResponseFinalizeBlock, ResponseInfo, ResponseInitChain, ResponsePrepareProposal,
    ResponseProcessProposal, ResponseQuery, ResponseVerifyVoteExtension,
};
use guts_abci::{Answer, Application, Exception, Reader};
use guts_app_core::attest::Said;
use guts_app_core::run::Block;
use guts_app_core::simulate::no_tx;
use guts_app_core::{
    App, Broken, Checker as _, Lend, Refusal, app, mempool, query as core_query, simulate,
};
use guts_git::{PackStore, Repositories};
use guts_schema::codes::CODESPACE;
use guts_schema::events::{PUSH_MOVED, REPO_EDITED, attribute};
use guts_schema::{
    AccountId, ChainRules, Code, Hash, PushId, RepoId, Tx, Verified, proto, query, validate, values,
};
use guts_state::{Cached, Store};
use guts_state_disk::{Database, Head as DiskHead};
use prost::Message;
use tokio::sync::mpsc;

use crate::chain::{Chain, Committed};
use crate::checker::{Checker, Subject};
use crate::follower::Notice;
use crate::host::Receipts;
use crate::kept::{Glances, Kept};
use crate::memory::FreedMemory;
use crate::timings::Timings;
use crate::trials::{TRIALS_PER_SECOND, Trials};
use crate::verified::VerifiedCache;

/// What both halves share.
pub struct Shared {
    /// The newest state.
    pub chain: Chain,
    /// Transactions checked before.
    pub verified: VerifiedCache,
    /// What CheckTx let in.
    pub waiting: Kept,
    /// Checks of pushes.
    pub checker: Checker,
    /// Transactions tried and not sent.
    pub trials: Trials,
    /// Failed transactions somebody waits for.
    pub receipts: Receipts,
    /// Where the objects of moved pushes go.
    pub repositories: Repositories,
    /// Where they are until then.
    pub packs: PackStore,
    /// Told of repositories that were edited and of pushes that were closed.
    pub notices: mpsc::UnboundedSender<Notice>,
    /// How long calls take.
    pub timings: Timings,
}

fn broken(error: impl std::error::Error) -> Exception {
    Exception::from_error(&error)
}

/// The half that makes blocks.
pub struct Machine {
    app: App,
    database: Database,
    shared: Arc<Shared>,
    /// Of the decided block: hash of each failed transaction, and why.
    failed: Vec<(Hash, String)>,
    /// Of the decided block: repositories that it edited.
    edited: Vec<RepoId>,
    /// Of the decided block: pushes whose refs it moved.
    moved: Vec<PushId>,
    /// The first height that this program cannot execute, once the log says so.
    told: Option<u64>,
    /// What this validator said about pushes.
    said: Said,
    /// What this thread freed.
    freed: FreedMemory,
}

impl Machine {
    /// Over an opened database.
    pub fn new(
        app: App,
        database: Database,
        shared: Arc<Shared>,
        give_back: fn(),
    ) -> Result<Self, Broken> {
        let (failed, edited, moved) = (Vec::new(), Vec::new(), Vec::new());
        let (told, said, freed) = (None, Said::default(), FreedMemory::new(give_back));
        let mut machine = Self { app, database, shared, failed, edited, moved, told, said, freed };
        machine.tell_of_upgrade()?;
        Ok(machine)
    }

    /// Tells the operator of rules that this program does not know: when it is agreed on them, and
    /// when the next block needs them. A validator that never proposes that block is not asked
    /// about it, so this is where all hear of it.
    fn tell_of_upgrade(&mut self) -> Result<(), Broken> {
        let unknown = match self.app.check_rules(u64::MAX) {
            Ok(()) => None,
            Err(Broken::Upgrade { height, version, known }) => {
                let error = Broken::Upgrade { height, version, known };
                if self.app.head().is_some_and(|head| head.next_block().height >= height) {
                    tracing::error!(%error, "no block is executed any more");
                } else if self.told != Some(height) {
                    tracing::warn!(%error, "an upgrade is ahead");
                }
                Some(height)
            }
            Err(other) => return Err(other),
        };
        self.told = unknown;
        Ok(())
    }

    /// Brings the objects of what the decided block moves into their repositories, before the state
    /// says so: whoever dies in between has them, and a start drops packs of closed pushes. What
    /// is not here, or cannot be written, is fetched by the follower.
    fn install_moved(&mut self) -> Answer<()> {
        let before = self.shared.chain.newest();
        for id in self.moved.drain(..) {
            let Some(push) = before.push(&id).map_err(broken)? else { continue };
            let Some(pack) = push.pack else { continue };
            let repository = self.shared.repositories.ensure(push.repo);
            let installed = repository.and_then(|dir| self.shared.packs.install(&pack.hash, &dir));
            if let Err(error) = installed {
                tracing::warn!(push = %id, repo = %push.repo, %error, "objects are not at hand");
            }
        }
        Ok(())
    }

    /// Lets everybody see the newest state, and the repositories know what its block closed.
    fn publish(&self, closed: &[PushId]) -> Answer<()> {
        let snapshot = self.app.state().map_err(broken)?;
        let committed = Committed::new(self.app.head().cloned(), snapshot);
        let records = closed.iter().filter_map(|id| committed.push(id).transpose());
        let records = records.collect::<Result<Vec<_>, _>>().map_err(broken)?;
        // An error means that the node is stopping.
        let _ = self.shared.notices.send(Notice::Closed(committed.height, records));
        self.shared.chain.publish(committed);
        Ok(())
    }
}

impl Application for Machine {
    fn init_chain(&mut self, request: RequestInitChain) -> Answer<ResponseInitChain> {
        let response = self.app.init_chain(&request).map_err(broken)?;
        self.publish(&[])?;
        Ok(response)
    }

    fn prepare_proposal(
        &mut self,
        request: RequestPrepareProposal,
    ) -> Answer<ResponsePrepareProposal> {
        self.app.prepare(&request, &self.shared.verified).map_err(broken)
    }

    fn process_proposal(
        &mut self,
        request: RequestProcessProposal,
    ) -> Answer<ResponseProcessProposal> {
        let good = self.app.process(&request, &self.shared.verified).map_err(broken)?;
        let status = if good { ProposalStatus::Accept } else { ProposalStatus::Reject };
        Ok(ResponseProcessProposal { status: status.into() })
    }

    fn extend_vote(&mut self, request: RequestExtendVote) -> Answer<ResponseExtendVote> {
        let pending = self.app.pending_after(&request.hash).map_err(broken)?;
        self.shared.checker.wait_for_checks(&pending);
        let extension = self.said.extension(&pending, &self.shared.checker.verdicts());
        Ok(ResponseExtendVote { vote_extension: extension.into() })
    }

    fn verify_vote_extension(
        &mut self,
        request: RequestVerifyVoteExtension,
    ) -> Answer<ResponseVerifyVoteExtension> {
        let good = App::verify_vote_extension(&request.vote_extension);
        let status = if good { VerifyStatus::Accept } else { VerifyStatus::Reject };
        Ok(ResponseVerifyVoteExtension { status: status.into() })
    }

    fn finalize_block(&mut self, request: RequestFinalizeBlock) -> Answer<ResponseFinalizeBlock> {
        let shared = self.shared.clone();
        let _timed = shared.timings.finalize_block.start();
        let response = self.app.finalize(&request, &self.shared.verified).map_err(broken)?;
        let edited = response.tx_results.iter();
        let edited = edited.flat_map(|tx| told(&tx.events, REPO_EDITED, attribute::REPO));
        self.edited = edited.collect();
        self.moved = told(&response.events, PUSH_MOVED, attribute::PUSH).collect();
        self.failed.clear();
        if !self.shared.receipts.is_empty() {
            let results = request.txs.iter().zip(&response.tx_results);
            let failed = results.filter(|(_, result)| result.code != 0);
            self.failed = failed.map(|(tx, result)| (Hash::of(tx), result.log.clone())).collect();
        }
        Ok(response)
    }

    fn commit(&mut self, _: RequestCommit) -> Answer<ResponseCommit> {
        let commit = self.app.commit().map_err(broken)?;
        self.install_moved()?;
        let head = DiskHead { height: commit.head.height, memo: commit.head.to_bytes() };
        self.database.write(&head, &commit.batches).map_err(broken)?;
        self.app.committed().map_err(broken)?;
        for (tx, why) in self.failed.drain(..) {
            self.shared.receipts.failed(&tx, &why);
        }
        self.tell_of_upgrade().map_err(broken)?;
        self.shared.checker.failed(commit.failed);
        self.publish(&commit.closed)?;
        // After the new state is seen: with the old one, what this takes out would be missing.
        mempool::on_commit(&self.shared.waiting, commit.head.time_s, app::good_txs(&commit.txs));
        for repo in self.edited.drain(..) {
            // An error means that the node is stopping.
            let _ = self.shared.notices.send(Notice::Again(repo));
        }
        self.freed.after_block(Instant::now());
        Ok(ResponseCommit { retain_height: 0 })
    }
}

/// What events of a kind say under a key.
fn told<'a, T: FromStr>(
    events: &'a [Event],
    kind: &'a str,
    key: &'a str,
) -> impl Iterator<Item = T> {
    let of_kind = events.iter().filter(move |event| event.r#type == kind);
    let attributes = of_kind.flat_map(|event| &event.attributes);
    let values = attributes.filter(move |attribute| attribute.key == key);
    values.filter_map(|attribute| attribute.value.parse().ok())
}

/// The half that reads.
pub struct Reading {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    seen: Glances,
}

impl Reading {
    /// Over the database's rows.
    pub fn new(store: Arc<dyn Store>, shared: Arc<Shared>) -> Self {
        Self { shared, store, seen: Glances::default() }
    }

    /// What CheckTx says of a transaction that is one, on a view of that state.
    fn check_on_state(
        &self,
        state: &Committed,
        view: &Cached<'_>,
        next: &Block,
        kind: i32,
        tx: &Arc<Verified<Tx>>,
    ) -> Answer<ResponseCheckTx> {
        let answer = mempool::check(&self.shared.waiting, view, next, tx);
        if let Err(refusal) = answer.map_err(broken)? {
            return Ok(refused(refusal.code, refusal.sentence));
        }
        if kind == CheckTxType::New as i32 {
            let checker = &self.shared.checker;
            for subject in Subject::of_tx(tx, state, next, |id| checker.knows(id)) {
                checker.learn(subject, false);
            }
        }
        Ok(ResponseCheckTx::default())
    }

    /// The next nonce of an account, counting what CheckTx let in: the newest state, not the
    /// newest proved one, because the next transaction must fit it.
    fn pending_nonce(&self, data: &[u8]) -> Answer<ResponseQuery> {
        let request = proto::PageRequest::decode(data).ok();
        let account = request.and_then(|request| AccountId::from_slice(&request.account).ok());
        let Some(account) = account else {
            return Ok(unanswered(&Refusal::new(Code::QueryData, &[])));
        };
        let state = self.shared.chain.newest();
        let committed = state.account(&account).map_err(broken)?;
        let nonce = self.next_nonce(&account, committed.as_ref());
        let exists = committed.is_some();
        Ok(answered(&state, &proto::PendingNonce { nonce, exists }))
    }

    /// The nonce after those that wait; `committed` is the account in the state.
    fn next_nonce(&self, account: &AccountId, committed: Option<&proto::Account>) -> u64 {
        let nonce = committed.map_or(0, |account| account.nonce);
        self.shared.waiting.lend(account, |waiting| waiting.next_nonce(account, nonce))
    }

    /// What a transaction would do in the next block. What was checked here is not remembered:
    /// the room is for transactions that will be in blocks.
    fn simulate(&self, data: &[u8]) -> Answer<ResponseQuery> {
        let state = self.shared.chain.newest();
        let Some(head) = &state.head else {
            return Ok(unanswered(&Refusal::new(Code::QueryHeight, &[&0, &0, &0])));
        };
        if !self.shared.trials.take(Instant::now()) {
            return Ok(unanswered(&Refusal::new(Code::QueryBusy, &[&TRIALS_PER_SECOND])));
        }
        let next = head.next_block();
        let simulation = match validate(data, &ChainRules::new(&state.chain_id)) {
            Ok(tx) => {
                let payer = state.account(&tx.payer).map_err(broken)?;
                let nonce = self.next_nonce(&tx.payer, payer.as_ref());
                simulate(&state.snapshot, &next, &tx, nonce).map_err(broken)?
            }
            Err(error) => no_tx(&next, &error),
        };
        Ok(answered(&state, &simulation))
    }
}

fn answered(state: &Committed, value: &impl Message) -> ResponseQuery {
    let height = i64::try_from(state.height).unwrap_or(i64::MAX);
    ResponseQuery { value: values::encode(value).into(), height, ..Default::default() }
}

fn unanswered(refusal: &Refusal) -> ResponseQuery {
    ResponseQuery {
        code: refusal.code.number(),
        log: refusal.sentence.clone(),
        codespace: CODESPACE.to_owned(),
        ..Default::default()
    }
}

fn refused(code: Code, sentence: String) -> ResponseCheckTx {
    ResponseCheckTx {
        code: code.number(),
        log: sentence,
        info: code.name().to_owned(),
        codespace: CODESPACE.to_owned(),
        ..Default::default()
    }
}

impl Reader for Reading {
    fn info(&self, _: RequestInfo) -> Answer<ResponseInfo> {
        let state = self.shared.chain.newest();
        let head = state.head.as_ref().filter(|head| head.height > 0);
        app::info(&self.store, head).map_err(broken)
    }

    fn check_tx(&self, request: RequestCheckTx) -> Answer<ResponseCheckTx> {
        let answer = self.check_txs(vec![request]).pop();
        answer.unwrap_or_else(|| Err(Exception("one transaction has one answer".into())))
    }

    fn check_txs(&self, requests: Vec<RequestCheckTx>) -> Vec<Answer<ResponseCheckTx>> {
        let _timed = self.shared.timings.check_tx.start();
        let rules = ChainRules::new(&self.shared.chain.newest().chain_id);
        let txs: Vec<&[u8]> = requests.iter().map(|request| &request.tx[..]).collect();
        let checked = self.shared.verified.check(&txs, &rules);
        let mut left = requests.iter().zip(checked).peekable();
        let mut answers = Vec::with_capacity(requests.len());
        while left.peek().is_some() {
            // Signatures take a while: a block may have been committed meanwhile.
            let state = self.shared.chain.newest();
            let Some(head) = &state.head else {
                answers.extend(left.map(|_| Err(Exception("CheckTx before InitChain".into()))));
                break;
            };
            let next = head.next_block();
            let view = Cached::with(&state.snapshot, self.seen.take(next.height));
            while let Some((request, checked)) = left.peek() {
                let answer = match checked {
                    Ok(tx) => self.check_on_state(&state, &view, &next, request.r#type, tx),
                    Err(error) => Ok(refused(error.code(), error.to_string())),
                };
                let is_refused = answer.as_ref().is_ok_and(|answer| answer.code != 0);
                if is_refused && self.shared.chain.newest().height != state.height {
                    // What it follows may have left the waiting for the block: once more there.
                    break;
                }
                answers.push(answer);
                left.next();
            }
            self.seen.keep(next.height, view.into_seen());
        }
        answers
    }

    fn query(&self, request: RequestQuery) -> Answer<ResponseQuery> {
        let _timed = self.shared.timings.query.start();
        match request.path.as_str() {
            query::NONCE => return self.pending_nonce(&request.data),
            query::SIMULATE => return self.simulate(&request.data),
            _ => {}
        }
        let state = self.shared.chain.newest();
        let head = state.head.as_ref().filter(|head| head.height > 0);
        core_query::query(&self.store, head, &request).map_err(broken)
    }
}
