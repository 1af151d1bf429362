//! Writing: pay, sign, send, and wait until it is proved what came of it: that the transaction is
//! in a block, and, by the header of the next, how it ended. That a node took it is no outcome.
//!
//! What a transaction costs follows from parameters that are proved, and what is paid is bounded by
//! [`Paying`]: neither a node that lies nor prices that rose take more than the user lets go.

mod effort;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use effort::Effort;
use guts_rpc::client::ClientError;
use guts_rpc::types::TxResponse;
use guts_schema::tx::Draft;
use guts_schema::work::{Puzzle, bits_for};
use guts_schema::{AccountId, Action, ActionKind, Hash, RepoId, keys, price, proto, query};
use prost::Message;

use crate::chain::{BLOCK_WAIT, POLL};
use crate::state::decode_answer;
use crate::{Chain, Error, Signer, State};

/// A transaction that is proved to have been carried out.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its hash.
    pub hash: Hash,
    /// The block it is in.
    pub height: u64,
    /// A state in which it shows.
    pub state: State,
}

/// How a transaction is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pay {
    /// By proof of work.
    Work,
    /// Out of the payer's balance.
    Fee,
    /// By operating a bonded validator, to whom some kinds of action are free.
    Stake,
}

impl Pay {
    /// As `--pay` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Fee => "fee",
            Self::Stake => "stake",
        }
    }
}

/// A fee that is paid unasked, in smallest units: several times what the dearest transaction
/// costs at default prices.
pub const FEE_MAX_DEFAULT: u64 = 10_000;
/// Seconds of proof of work that are spent unasked.
pub const WORK_MAX_DEFAULT_S: u64 = 300;

/// How transactions are paid, and what for one of them at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paying {
    /// `None`: by work where the network takes it, else by a fee.
    pub how: Option<Pay>,
    /// Smallest units of fee; one that is due above it is refused.
    pub fee_max: u64,
    /// Seconds that a proof of work may take this machine, as estimated before it begins.
    pub work_max_s: u64,
}

impl Default for Paying {
    fn default() -> Self {
        Self { how: None, fee_max: FEE_MAX_DEFAULT, work_max_s: WORK_MAX_DEFAULT_S }
    }
}

impl Paying {
    /// Checks that what is due is no more than what may be paid. Says how long the work will take.
    fn check(&self, bill: &Bill, params: &proto::Params) -> Result<Effort, Error> {
        let otherwise = |taken, how| if taken { how } else { "" };
        if bill.fee > self.fee_max {
            let Bill { fee, .. } = bill;
            let other = otherwise(params.accept_work, ", or pay otherwise with --pay work");
            return Err(Error::TooDear(format!(
                "the fee would be {fee}, you let it be {} at most\n  let it be more with \
                 --fee-max {fee}{other}",
                self.fee_max
            )));
        }
        let bits = bill.work_bits.unwrap_or(0);
        let effort = Effort::of(bits);
        if effort.seconds() > self.work_max_s {
            let other = otherwise(params.accept_fee, ", or pay otherwise with --pay fee");
            return Err(Error::TooDear(format!(
                "a proof of work of {bits} bits would take this machine about {effort}, you let it \
                 take {} s at most\n  let it take longer with --work-max {}{other}",
                self.work_max_s,
                effort.seconds()
            )));
        }
        Ok(effort)
    }
}

/// What payments are held against, proved.
struct Terms {
    params: proto::Params,
    anchor_number: u64,
    /// What a proof of work is anchored to.
    anchor: Hash,
}

impl Terms {
    async fn of(state: &State) -> Result<Self, Error> {
        let params: Option<proto::Params> = state.get(&keys::params()).await?;
        let anchors: Option<proto::Anchors> = state.get(&keys::anchors()).await?;
        let missing = || Error::Proof("the state has no parameters or no anchor".into());
        let anchor_number = anchors.unwrap_or_default().recorded.checked_sub(1);
        let anchor_number = anchor_number.ok_or_else(missing)?;
        let anchor: Option<proto::Anchor> = state.get(&keys::anchor(anchor_number)).await?;
        let anchor = Hash::from_slice(&anchor.unwrap_or_default().hash).map_err(|_| missing())?;
        Ok(Self { params: params.ok_or_else(missing)?, anchor_number, anchor })
    }
}

/// What a transaction costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Names of what it does.
    pub actions: Vec<&'static str>,
    /// Its length in bytes, at most.
    pub size: u64,
    /// How it is paid.
    pub pay: Pay,
    /// Leading zero bits of proof of work; `None` where it is paid otherwise.
    pub work_bits: Option<u32>,
    /// Smallest units; 0 where it is paid otherwise, or free.
    pub fee: u64,
}

impl Bill {
    /// What `draft` of these actions costs when `priced` kinds of them must be paid for.
    fn of(
        draft: &Draft,
        terms: &Terms,
        (actions, priced): (&[Action], &[ActionKind]),
        (pay, signers): (Pay, usize),
    ) -> Self {
        let actions = actions.iter().map(|action| action.kind().name()).collect();
        // The longest there is: the price must cover whichever solution is found, or fee is due.
        let draft = match pay {
            Pay::Work => draft.clone().work(terms.anchor_number, terms.anchor, u64::MAX),
            Pay::Fee => draft.clone().fee(u64::MAX),
            Pay::Stake => draft.clone().stake(),
        };
        let size = draft.size_with(signers);
        let price = price::of(&terms.params, priced.iter().copied(), size);
        let work_bits = (pay == Pay::Work).then(|| bits_for(price.work));
        let fee = if pay == Pay::Fee { price.fee } else { 0 };
        Self { actions, size, pay, work_bits, fee }
    }
}

impl std::fmt::Display for Bill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {} bytes would cost ", self.actions.join(", "), self.size)?;
        match (self.pay, self.work_bits) {
            (Pay::Stake, _) => write!(f, "nothing, by stake"),
            (Pay::Work, Some(bits @ 1..)) => {
                let tries = 1u64.checked_shl(bits).unwrap_or(u64::MAX);
                write!(f, "a proof of work of {bits} bits, about {tries} hashes")
            }
            (Pay::Fee, _) if self.fee > 0 => write!(f, "a fee of {}", self.fee),
            _ => write!(f, "nothing"),
        }
    }
}

/// A transaction that was tried on a node's newest state instead of being sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What it would cost.
    pub bill: Bill,
    /// What it would do, on the node's word.
    pub outcome: proto::Simulation,
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.bill, outcome(&self.outcome))
    }
}

impl Trial {
    /// The other ways to pay that the node would take, and what each costs.
    pub fn others(&self) -> Vec<(Pay, String)> {
        let cost = self.outcome.cost.unwrap_or_default();
        let ways = [
            (cost.accept_work, Pay::Work, format!("{} bits of work", cost.work_bits)),
            (cost.accept_fee, Pay::Fee, format!("a fee of {}", cost.fee)),
            (cost.stake, Pay::Stake, "nothing for a bonded validator's operator".to_owned()),
        ];
        let other = |(taken, pay, cost): (bool, Pay, String)| {
            (taken && pay != self.bill.pay).then_some((pay, cost))
        };
        ways.into_iter().filter_map(other).collect()
    }
}

/// Whether it would work, in a sentence.
pub fn outcome(outcome: &proto::Simulation) -> String {
    let proto::Simulation { height, code, name, sentence, .. } = outcome;
    match code {
        0 => format!("after block {height} it would succeed"),
        _ => format!("after block {height} it would be refused ({name}): {sentence}"),
    }
}

/// Who is told how far a proof of work is.
pub trait Progress: Sync {
    /// One of `bits` begins that will take about `seconds`.
    fn begins(&self, bits: u32, seconds: u64);
    /// `tried` of about `expected` attempts were made.
    fn work(&self, tried: u64, expected: u64);
}

/// Seconds of header time for which a transaction may be included.
const VALID_FOR_S: u64 = 600;

impl Chain {
    async fn hint<M: Message + Default>(&self, path: &str, data: Vec<u8>) -> Result<M, Error> {
        let query =
            guts_rpc::Query { path: path.into(), data: data.into(), height: 0, prove: false };
        let answer = self.client().abci_query(query).await;
        let answer = answer.map_err(|error| self.node_error(error))?;
        if answer.code != 0 {
            return Err(Error::Refused { code: answer.code, log: answer.log });
        }
        decode_answer(path, &answer.value.0)
    }

    /// Makes a transaction of `actions`, pays it, signs it, sends it, and waits until it is proved
    /// to be in a block and to have succeeded. Pays as [`Chain::paying`] says, and refuses with
    /// [`Error::TooDear`] what would be above its bounds. In a dry run, ends with
    /// [`Error::NotSent`]: what it would cost, and do on the node's newest state.
    pub async fn send(
        &mut self,
        account: AccountId,
        actions: &[Action],
        signer: &Signer,
        progress: &dyn Progress,
    ) -> Result<Sent, Error> {
        self.send_signed(actions, &[(account, signer)], progress).await
    }

    /// As [`Chain::send`], signed by several accounts, the first of which pays.
    pub async fn send_signed(
        &mut self,
        actions: &[Action],
        signers: &[(AccountId, &Signer)],
        progress: &dyn Progress,
    ) -> Result<Sent, Error> {
        let Some((account, _)) = signers.first().copied() else {
            return Err(Error::Usage("a transaction has a signer".into()));
        };
        let request = proto::PageRequest { account: account.to_vec(), ..Default::default() };
        let hint: proto::PendingNonce = self.hint(query::NONCE, request.encode_to_vec()).await?;
        let nonce = self.nonces.get(&account).copied().unwrap_or(0).max(hint.nonce);
        let state = self.proved_state().await?;
        let terms = Terms::of(&state).await?;
        let now = u64::try_from(state.time().unix_timestamp()).unwrap_or(0);
        let draft = Draft::new(self.chain_id(), account, nonce, actions);
        let draft = draft.valid_until_s(now.saturating_add(VALID_FOR_S));
        let pay = way(self.paying.how, &terms.params)?;
        let priced = priced(&state, &terms.params, &account, actions).await?;
        let bill = Bill::of(&draft, &terms, (actions, &priced), (pay, signers.len()));
        // What is signed for a trial is past already: no node can have it executed.
        let (draft, effort) = match self.dry_run {
            true => (draft.valid_until_s(now.saturating_sub(1)), Effort::default()),
            false => {
                let effort = self.paying.check(&bill, &terms.params)?;
                let until = now.saturating_add(VALID_FOR_S).saturating_add(effort.seconds());
                (draft.valid_until_s(until), effort)
            }
        };
        let mut draft = match pay {
            Pay::Work => {
                let puzzle = Puzzle::new(self.chain_id(), &account, nonce, &terms.anchor);
                if effort.bits() > 0 {
                    progress.begins(effort.bits(), effort.seconds());
                }
                let solution = solve(&puzzle, effort.bits(), progress);
                draft.work(terms.anchor_number, terms.anchor, solution)
            }
            Pay::Stake => draft.stake(),
            Pay::Fee if bill.fee == 0 => draft,
            Pay::Fee => draft.fee(bill.fee),
        };
        for (account, signer) in signers {
            draft = signer.sign(draft, *account).await?;
        }
        if self.dry_run {
            let outcome = self.hint(query::SIMULATE, draft.encode()).await?;
            return Err(Error::NotSent(Box::new(Trial { bill, outcome })));
        }
        let sent = self.send_bytes(&draft.encode()).await?;
        self.nonces.insert(account, nonce.saturating_add(1));
        Ok(sent)
    }

    async fn send_bytes(&mut self, bytes: &[u8]) -> Result<Sent, Error> {
        let hash = Hash::of(bytes);
        let answer = self.client().broadcast_tx_when_room(bytes, BLOCK_WAIT).await;
        let answer = answer.map_err(|error| self.node_error(error))?;
        if answer.code != 0 {
            return Err(Error::Refused { code: answer.code, log: answer.log });
        }
        let found = self.included(hash).await?;
        let height = u64::try_from(found.height).map_err(|_| Error::Proof("height".into()))?;
        let state = self.state_of(height).await.map_err(|error| match error {
            Error::Late { what, seconds } => {
                let what = format!("{what}, which proves what came of transaction {hash} in it,");
                Error::Late { what, seconds }
            }
            error => error,
        })?;
        let place = self.place(&found, hash).await?;
        let result = self.outcome(place).await?.ok_or_else(|| {
            Error::Proof(format!(
                "transaction {hash} is in block {height}, but the node does not show how it ended"
            ))
        })?;
        match result.code {
            0 => Ok(Sent { hash, height, state }),
            // The code is proved, the sentence is the node's.
            code => Err(Error::Refused { code, log: result.log }),
        }
    }

    /// Waits until the node says that a transaction is in a block.
    async fn included(&self, hash: Hash) -> Result<TxResponse, Error> {
        let since = Instant::now();
        loop {
            match self.client().tx(hash.as_bytes(), true).await {
                Ok(found) => return Ok(found),
                // Not in a block yet.
                Err(ClientError::Rpc(_)) => {}
                Err(error) => return Err(self.node_error(error)),
            }
            if since.elapsed() > BLOCK_WAIT {
                let what = format!("transaction {hash}");
                return Err(Error::Late { what, seconds: BLOCK_WAIT.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The kinds of `actions` that the payer must pay for: parameters may exempt owners inside their
/// repositories.
async fn priced(
    state: &State,
    params: &proto::Params,
    payer: &AccountId,
    actions: &[Action],
) -> Result<Vec<ActionKind>, Error> {
    let mut priced = Vec::new();
    for action in actions {
        let is_own = action.actor() == Some(payer);
        let repo = action.repo().filter(|_| is_own);
        let exempt = match repo.filter(|_| price::exempts_owner(params, action.kind())) {
            Some(repo) => owns(state, payer, repo).await?,
            None => false,
        };
        if !exempt {
            priced.push(action.kind());
        }
    }
    Ok(priced)
}

/// Whether an account owns a repository, or the organisation that does.
async fn owns(state: &State, account: &AccountId, repo: RepoId) -> Result<bool, Error> {
    let repo: Option<proto::Repo> = state.get(&keys::repo(repo)).await?;
    let Ok(owner) = AccountId::from_slice(&repo.unwrap_or_default().owner) else {
        return Ok(false);
    };
    if owner == *account {
        return Ok(true);
    }
    let org: Option<proto::Org> = state.get(&keys::org(&owner)).await?;
    let is_owner = |member: &proto::OrgMember| {
        member.account == account.as_bytes() && member.role() == proto::OrgRole::Owner
    };
    Ok(org.unwrap_or_default().members.iter().any(is_owner))
}

/// How to pay: as asked, if the network takes that.
fn way(asked: Option<Pay>, params: &proto::Params) -> Result<Pay, Error> {
    let refused = |what: &str, other: &str| {
        Err(Error::Usage(format!("this network takes no {what}: pay otherwise, with {other}")))
    };
    match asked {
        Some(Pay::Work) if !params.accept_work => refused("proof of work", "--pay fee"),
        Some(Pay::Fee) if !params.accept_fee => refused("fees", "--pay work"),
        Some(pay) => Ok(pay),
        None if params.accept_work => Ok(Pay::Work),
        None => Ok(Pay::Fee),
    }
}

/// Threads that seek together.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Seeks a solution on all cores, and says meanwhile how far that is, once at least.
pub fn solve(puzzle: &Puzzle, bits: u32, progress: &dyn Progress) -> u64 {
    /// Attempts between two looks at what the others found.
    const AT_A_TIME: u64 = 1 << 13;
    if bits == 0 {
        return 0;
    }
    let expected = 1u64.checked_shl(bits).unwrap_or(u64::MAX);
    let (next, found, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let first = next.fetch_add(AT_A_TIME, Ordering::Relaxed);
                    if let Some(solution) = puzzle.search(first, AT_A_TIME, bits) {
                        found.store(solution, Ordering::Relaxed);
                        done.store(true, Ordering::Release);
                    }
                }
            });
        }
        loop {
            let is_done = done.load(Ordering::Acquire);
            progress.work(next.load(Ordering::Relaxed), expected);
            if is_done {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    found.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests;
