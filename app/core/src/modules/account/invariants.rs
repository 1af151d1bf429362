//! Audits of all accounts.

use std::collections::BTreeSet;

use guts_schema::keys::Queue;
use guts_schema::limits::GUARDIANS_MAX;
use guts_schema::{AccountId, Key, keys, proto};

use crate::fault::Broken;
use crate::whole::{Whole, rises, wrong};

/// What keys of accounts begin with (`keys::account`).
pub(super) const ACCOUNT_TAG: &str = "account/";

/// Guardians are other accounts, enough of them to agree; what they agreed on is what is recorded.
fn audit_recovery(whole: &Whole) -> Result<(), Broken> {
    for (id, guardians) in whole.below::<proto::Guardians>("guardians/")? {
        let list = &guardians.accounts;
        let most = u64::from(guardians.threshold) <= list.len() as u64;
        let fits = most && guardians.threshold > 0 && list.len() <= GUARDIANS_MAX;
        let mut there = rises(list) && !list.contains(&id);
        for guardian in list.iter().chain([&id]) {
            let account = AccountId::from_slice(guardian).map(|id| keys::account(&id));
            let account = account.ok().map(|key| whole.get::<proto::Account>(&key)).transpose()?;
            there &= account.flatten().is_some();
        }
        if !fits || !there {
            return wrong(format!("account {} has guardians it cannot have", hex::encode(id)));
        }
    }
    for (id, recovery) in whole.below::<proto::Recovery>("recovery/")? {
        let account = AccountId::from_slice(&id).map(|id| keys::guardians(&id));
        let guardians = account.ok().map(|key| whole.get::<proto::Guardians>(&key)).transpose()?;
        let guardians = guardians.flatten().unwrap_or_default();
        let approvals = &recovery.approvals;
        let known = |one: &proto::RecoveryApproval| guardians.accounts.contains(&one.guardian);
        let agree = approvals.iter().filter(|one| one.key == recovery.key).count() as u64;
        let open = recovery.key.is_empty() && recovery.due_s == 0;
        let ready = recovery.due_s > 0 && agree >= u64::from(guardians.threshold);
        if !rises(approvals.iter().map(|one| &one.guardian))
            || !approvals.iter().all(known)
            || !(open || ready && !recovery.key.is_empty())
        {
            return wrong(format!("nobody agreed on the recovery of {}", hex::encode(id)));
        }
    }
    Ok(())
}

/// Keys and handles that say whose they are are among those which that account has.
fn audit_names(whole: &Whole) -> Result<(), Broken> {
    let account = |id: &[u8]| match AccountId::from_slice(id) {
        Ok(id) => whole.get::<proto::Account>(&keys::account(&id)),
        Err(_) => Ok(None),
    };
    for (key, record) in whole.below::<proto::KeyRecord>("key/")? {
        if account(&record.account)?.is_none_or(|account| !account.keys.contains(&key)) {
            return wrong(format!("key {} is of no account that has it", hex::encode(key)));
        }
    }
    for (handle, record) in whole.below::<proto::HandleRecord>("handle/")? {
        let name = handle.strip_suffix(b"\0").unwrap_or(&handle);
        if account(&record.account)?.is_none_or(|account| account.handle.as_bytes() != name) {
            let name = String::from_utf8_lossy(name);
            return wrong(format!("handle {name:?} is of no account that has it"));
        }
    }
    Ok(())
}

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    audit_recovery(whole)?;
    audit_names(whole)?;
    let supply: proto::Supply = whole.get(&keys::supply())?.unwrap_or_default();
    let pots = [
        supply.burnt,
        supply.fees,
        supply.treasury,
        supply.bonded,
        supply.unbonding,
        supply.rewards,
        supply.deposits,
    ];
    let mut sum: u128 = pots.into_iter().map(u128::from).sum();
    for (id, account) in whole.below::<proto::Account>(ACCOUNT_TAG)? {
        let Ok(id) = AccountId::from_slice(&id) else {
            return wrong("an account under a key of another length");
        };
        sum += u128::from(account.balance);
        let mut controlled = false;
        for key in &account.keys {
            let record = match Key::from_slice(key) {
                Ok(key) => whole.get::<proto::KeyRecord>(&keys::key(&key))?,
                Err(_) => None,
            };
            let Some(record) = record.filter(|record| record.account == id.to_vec()) else {
                return wrong(format!("a key of {id} is not recorded as its own"));
            };
            let bounded = record.repo != 0 || record.until_time_s != 0;
            controlled |= record.until_height == 0 && !bounded;
        }
        // Organisations have no keys: their owners act.
        if !controlled && account.org == 0 {
            return wrong(format!("no key controls account {id}"));
        }
        if !account.handle.is_empty() {
            let record: Option<proto::HandleRecord> = whole.get(&keys::handle(&account.handle))?;
            if record.is_none_or(|record| record.account != id.to_vec()) {
                return wrong(format!("the handle of {id} is not recorded as its own"));
            }
        }
    }
    let queue = Queue::HandleCommits;
    let ends: proto::QueueEnds = whole.get(&keys::queue_ends(queue))?.unwrap_or_default();
    let mut waiting = BTreeSet::new();
    for number in ends.first..ends.next {
        let item: Option<proto::QueueItem> = whole.get(&keys::queue_item(queue, number))?;
        waiting.extend(item.map(|item| item.id));
    }
    for (hash, _) in whole.below::<proto::HandleCommit>("handle_commit/")? {
        if !waiting.contains(&hash) {
            return wrong(format!("commitment {} is never dropped", hex::encode(hash)));
        }
    }
    if sum != u128::from(supply.total) {
        return wrong(format!("balances and pots are {sum}, supply is {}", supply.total));
    }
    Ok(())
}
