//! Where accounts, keys, handles, supply and anchors lie.

use guts_schema::keys::{self, Queue};
use guts_schema::limits::ANCHORS_MAX;
use guts_schema::stake::ppm_of;
use guts_schema::{AccountId, Hash, Key, RepoId, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Block, Run, load};

/// An account.
pub fn get(view: &dyn Read, id: &AccountId) -> Result<Option<proto::Account>, Broken> {
    load(view, &keys::account(id))
}

/// Whether there is such an account.
pub(crate) fn exists(view: &dyn Read, id: &AccountId) -> Result<bool, Broken> {
    Ok(view.get(&keys::account(id))?.is_some())
}

/// How people call an account: its handle, or its id while it has none.
pub fn name(view: &dyn Read, id: &AccountId) -> Result<String, Broken> {
    let handle = get(view, id)?.unwrap_or_default().handle;
    Ok(if handle.is_empty() { id.to_string() } else { handle })
}

/// Writes an account.
pub(crate) fn put(
    run: &mut Run<'_>,
    id: &AccountId,
    account: &proto::Account,
) -> Result<(), Broken> {
    run.save(keys::account(id), account)
}

pub(super) fn key_record(view: &dyn Read, key: &Key) -> Result<Option<proto::KeyRecord>, Broken> {
    load(view, &keys::key(key))
}

pub(super) fn put_key(
    run: &mut Run<'_>,
    key: &Key,
    record: &proto::KeyRecord,
) -> Result<(), Broken> {
    run.save(keys::key(key), record)
}

/// What a key that is valid may do, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidKey {
    /// The account it acts for.
    pub account: AccountId,
    /// It pushes to this repository and does nothing else; `None`: everything.
    pub repo: Option<RepoId>,
}

/// What `key` may do in a block, if it is valid there.
pub fn valid_key(view: &dyn Read, key: &Key, block: &Block) -> Result<Option<ValidKey>, Broken> {
    let Some(record) = key_record(view, key)? else { return Ok(None) };
    if !is_valid(&record, block) {
        return Ok(None);
    }
    let account = account_id(&record.account)?;
    Ok(Some(ValidKey { account, repo: RepoId::new(record.repo) }))
}

/// Whether a key is valid in a block.
pub(super) fn is_valid(record: &proto::KeyRecord, block: &Block) -> bool {
    let begun = record.from_height <= block.height;
    let revoked = record.until_height != 0 && record.until_height <= block.height;
    let expired = record.until_time_s != 0 && record.until_time_s < block.time_s;
    begun && !revoked && !expired
}

/// The guardians of an account; none of them when it has chosen none.
pub(super) fn guardians(view: &dyn Read, id: &AccountId) -> Result<proto::Guardians, Broken> {
    Ok(load(view, &keys::guardians(id))?.unwrap_or_default())
}

pub(super) fn put_guardians(
    run: &mut Run<'_>,
    id: &AccountId,
    guardians: &proto::Guardians,
) -> Result<(), Broken> {
    if guardians.accounts.is_empty() {
        run.state.delete(keys::guardians(id));
        return Ok(());
    }
    run.save(keys::guardians(id), guardians)
}

/// The recovery of an account that is under way.
pub(super) fn recovery(view: &dyn Read, id: &AccountId) -> Result<Option<proto::Recovery>, Broken> {
    load(view, &keys::recovery(id))
}

pub(super) fn put_recovery(
    run: &mut Run<'_>,
    id: &AccountId,
    recovery: &proto::Recovery,
) -> Result<(), Broken> {
    run.save(keys::recovery(id), recovery)
}

pub(super) fn drop_recovery(run: &mut Run<'_>, id: &AccountId) {
    run.state.delete(keys::recovery(id));
}

/// The account that holds a handle.
pub fn handle_owner(view: &dyn Read, handle: &str) -> Result<Option<AccountId>, Broken> {
    let record: Option<proto::HandleRecord> = load(view, &keys::handle(handle))?;
    record.map(|record| account_id(&record.account)).transpose()
}

pub(super) fn put_handle(run: &mut Run<'_>, handle: &str, owner: &AccountId) -> Result<(), Broken> {
    let claimed_height = run.block.height;
    let record = proto::HandleRecord { account: owner.to_vec(), claimed_height };
    run.save(keys::handle(handle), &record)
}

pub(super) fn drop_handle(run: &mut Run<'_>, handle: &str) {
    run.state.delete(keys::handle(handle));
}

/// What an account committed to. Others may commit to the same: it is only theirs then.
pub(super) fn commit(
    view: &dyn Read,
    id: &AccountId,
    hash: &Hash,
) -> Result<Option<proto::HandleCommit>, Broken> {
    load(view, &keys::handle_commit(id, hash))
}

pub(super) fn put_commit(
    run: &mut Run<'_>,
    id: &AccountId,
    hash: &Hash,
    commit: &proto::HandleCommit,
) -> Result<(), Broken> {
    run.save(keys::handle_commit(id, hash), commit)
}

pub(super) fn drop_commit(run: &mut Run<'_>, id: &AccountId, hash: &Hash) {
    run.state.delete(keys::handle_commit(id, hash));
}

/// All money there is, and where it lies.
pub fn supply(view: &dyn Read) -> Result<proto::Supply, Broken> {
    Ok(load(view, &keys::supply())?.unwrap_or_default())
}

pub(super) fn put_supply(run: &mut Run<'_>, supply: &proto::Supply) -> Result<(), Broken> {
    run.save(keys::supply(), supply)
}

/// Where money lies that is in no balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pot {
    /// Nobody's, for ever.
    Burnt,
    /// Fees of this epoch.
    Fees,
    /// Governance's and the faucet's.
    Treasury,
    /// Validators' stake.
    Bonded,
    /// Stake on its way back.
    Unbonding,
    /// Given out and not claimed.
    Rewards,
    /// Laid down for proposals.
    Deposits,
}

/// One end of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purse<'a> {
    /// The balance of an account.
    Balance(&'a AccountId),
    /// A pot.
    In(Pot),
}

impl Pot {
    /// What is in it.
    pub fn of(self, supply: &proto::Supply) -> u64 {
        match self {
            Self::Burnt => supply.burnt,
            Self::Fees => supply.fees,
            Self::Treasury => supply.treasury,
            Self::Bonded => supply.bonded,
            Self::Unbonding => supply.unbonding,
            Self::Rewards => supply.rewards,
            Self::Deposits => supply.deposits,
        }
    }

    fn place(self, supply: &mut proto::Supply) -> &mut u64 {
        match self {
            Self::Burnt => &mut supply.burnt,
            Self::Fees => &mut supply.fees,
            Self::Treasury => &mut supply.treasury,
            Self::Bonded => &mut supply.bonded,
            Self::Unbonding => &mut supply.unbonding,
            Self::Rewards => &mut supply.rewards,
            Self::Deposits => &mut supply.deposits,
        }
    }
}

fn change_purse(
    run: &mut Run<'_>,
    purse: Purse<'_>,
    change: impl FnOnce(u64) -> Option<u64>,
) -> Result<(), Broken> {
    match purse {
        Purse::Balance(id) => balance_change(run, id, change),
        Purse::In(pot) => {
            let mut supply = supply(&run.state)?;
            let place = pot.place(&mut supply);
            let wrong = || Broken::Contradiction(format!("not enough or too much is {pot:?}"));
            *place = change(*place).ok_or_else(wrong)?;
            put_supply(run, &supply)
        }
    }
}

/// What is in no pot, but in the balances of accounts.
pub fn in_balances(view: &dyn Read) -> Result<u64, Broken> {
    let supply = supply(view)?;
    let pots = [
        Pot::Burnt,
        Pot::Fees,
        Pot::Treasury,
        Pot::Bonded,
        Pot::Unbonding,
        Pot::Rewards,
        Pot::Deposits,
    ];
    let in_pots = pots.into_iter().fold(0u64, |sum, pot| sum.saturating_add(pot.of(&supply)));
    Ok(supply.total.saturating_sub(in_pots))
}

/// Moves money: the one way in which it moves, so that none is made or lost. The caller has
/// checked that it is there.
pub(crate) fn pay(
    run: &mut Run<'_>,
    from: Purse<'_>,
    to: Purse<'_>,
    amount: u64,
) -> Result<(), Broken> {
    if amount == 0 {
        return Ok(());
    }
    change_purse(run, from, |held| held.checked_sub(amount))?;
    change_purse(run, to, |held| held.checked_add(amount))
}

/// Makes money, as far as it can be counted; how much was made.
pub(crate) fn issue(run: &mut Run<'_>, to: Pot, amount: u64) -> Result<u64, Broken> {
    let mut supply = supply(&run.state)?;
    let amount = amount.min(u64::MAX - supply.total);
    supply.total += amount;
    put_supply(run, &supply)?;
    change_purse(run, Purse::In(to), |held| held.checked_add(amount))?;
    Ok(amount)
}

/// Books a fee that was taken from a balance: a share is burnt, the rest is for validators.
pub(crate) fn collect_fee(run: &mut Run<'_>, fee: u64, burn_ppm: u64) -> Result<(), Broken> {
    let mut supply = supply(&run.state)?;
    let burnt = ppm_of(fee, burn_ppm);
    let over = || Broken::Contradiction("more is paid in fees than there was".into());
    supply.burnt = supply.burnt.checked_add(burnt).ok_or_else(over)?;
    supply.fees = supply.fees.checked_add(fee - burnt).ok_or_else(over)?;
    put_supply(run, &supply)
}

/// Changes a balance; the caller has checked that it can.
fn balance_change(
    run: &mut Run<'_>,
    id: &AccountId,
    change: impl FnOnce(u64) -> Option<u64>,
) -> Result<(), Broken> {
    let gone = || Broken::Contradiction(format!("no balance of account {id} to change"));
    let mut account = get(&run.state, id)?.ok_or_else(gone)?;
    account.balance = change(account.balance).ok_or_else(gone)?;
    put(run, id, &account)
}

/// How many blocks with transactions there were, and so the number of the next.
pub fn anchors(view: &dyn Read) -> Result<u64, Broken> {
    let anchors: Option<proto::Anchors> = load(view, &keys::anchors())?;
    Ok(anchors.unwrap_or_default().recorded)
}

/// The hash recorded under `number`, if it is among the last.
pub(crate) fn anchor(view: &dyn Read, number: u64) -> Result<Option<Hash>, Broken> {
    let recorded = anchors(view)?;
    if number >= recorded || number < recorded.saturating_sub(ANCHORS_MAX) {
        return Ok(None);
    }
    let anchor: Option<proto::Anchor> = load(view, &keys::anchor(number))?;
    let hash = anchor.map(|anchor| Hash::from_slice(&anchor.hash)).transpose();
    hash.map_err(|error| Broken::Contradiction(error.to_string()))
}

/// The newest recorded hash and its number.
pub fn newest_anchor(view: &dyn Read) -> Result<(u64, Hash), Broken> {
    let none = || Broken::Contradiction("no anchor is recorded".into());
    let number = anchors(view)?.checked_sub(1).ok_or_else(none)?;
    Ok((number, anchor(view, number)?.ok_or_else(none)?))
}

/// Header time of the newest recorded block, Unix seconds: since then there were no transactions.
pub(crate) fn last_active_s(view: &dyn Read) -> Result<u64, Broken> {
    let number = anchors(view)?.saturating_sub(1);
    let anchor: Option<proto::Anchor> = load(view, &keys::anchor(number))?;
    Ok(anchor.unwrap_or_default().time_s)
}

pub(super) fn record_anchor(run: &mut Run<'_>, hash: &Hash) -> Result<(), Broken> {
    let number = anchors(&run.state)?;
    let (height, time_s) = (run.block.height, run.block.time_s);
    let anchor = proto::Anchor { hash: hash.to_vec(), height, time_s };
    run.save(keys::anchor(number), &anchor)?;
    let full = || Broken::Contradiction("the anchors are counted out".into());
    let recorded = number.checked_add(1).ok_or_else(full)?;
    run.save(keys::anchors(), &proto::Anchors { recorded })
}

/// Puts something in a queue, to be taken out when `time_s` has passed.
pub(crate) fn queue_push(
    run: &mut Run<'_>,
    queue: Queue,
    time_s: u64,
    id: &[u8],
) -> Result<(), Broken> {
    let mut ends: proto::QueueEnds = run.load(&keys::queue_ends(queue))?.unwrap_or_default();
    let item = proto::QueueItem { time_s, id: id.to_vec() };
    run.save(keys::queue_item(queue, ends.next), &item)?;
    let full = || Broken::Contradiction("a queue is counted out".into());
    ends.next = ends.next.checked_add(1).ok_or_else(full)?;
    run.save(keys::queue_ends(queue), &ends)
}

/// The numbers of what is in a queue.
pub(crate) fn queue_range(view: &dyn Read, queue: Queue) -> Result<std::ops::Range<u64>, Broken> {
    let ends: proto::QueueEnds = load(view, &keys::queue_ends(queue))?.unwrap_or_default();
    Ok(ends.first..ends.next)
}

/// Takes out of a queue what is due, at most `max` things, oldest first. A thing that waits behind
/// one that is not due yet waits with it.
pub(crate) fn queue_pop_due(
    run: &mut Run<'_>,
    queue: Queue,
    max: usize,
) -> Result<Vec<Vec<u8>>, Broken> {
    let mut ends: proto::QueueEnds = run.load(&keys::queue_ends(queue))?.unwrap_or_default();
    let mut due = Vec::new();
    while ends.first < ends.next && due.len() < max {
        let key = keys::queue_item(queue, ends.first);
        let missing = || Broken::Contradiction("a queue has a hole".into());
        let item: proto::QueueItem = run.load(&key)?.ok_or_else(missing)?;
        if item.time_s > run.block.time_s {
            break;
        }
        due.push(item.id);
        run.state.delete(key);
        ends.first += 1;
    }
    if !due.is_empty() {
        run.save(keys::queue_ends(queue), &ends)?;
    }
    Ok(due)
}

pub(super) fn account_id(bytes: &[u8]) -> Result<AccountId, Broken> {
    AccountId::from_slice(bytes).map_err(|error| Broken::Contradiction(error.to_string()))
}
