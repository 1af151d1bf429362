//! The actions on accounts: all checks, then all writes.

use guts_schema::keys::Queue;
use guts_schema::limits::SALT_BYTES;
use guts_schema::tx::AccountAction;
use guts_schema::{AccountId, Action, Code, Hash, Key, RepoId, Tx, events, names, proto};

use super::state::Purse;
use super::{authorize, error, state};
use crate::fault::{Broken, Fault};
use crate::modules::{misrouted, params};
use crate::run::Run;

/// Executes one action of this module.
pub fn execute(run: &mut Run<'_>, tx: &Tx, action: &Action) -> Result<(), Fault> {
    authorize::check(run, action)?;
    match action {
        Action::CreateAccount { actor, key } => create_account(run, tx, actor, key),
        Action::CommitHandle { actor, commitment } => commit_handle(run, actor, commitment),
        Action::ClaimHandle { actor, handle, salt } => claim_handle(run, actor, handle, salt),
        Action::Transfer { actor, to, amount } => transfer(run, actor, to, *amount),
        Action::Account { actor, change } => execute_change(run, actor, change),
        other => Err(misrouted(other)),
    }
}

fn create_account(run: &mut Run<'_>, tx: &Tx, id: &AccountId, key: &Key) -> Result<(), Fault> {
    if let Some(account) = state::get(&run.state, id)? {
        // Admission made the payer's account, when this is its first transaction.
        let by_admission = *id == tx.payer && tx.nonce == 0 && account.nonce == 1;
        let only = account.created_height == run.block.height;
        return if by_admission && only { Ok(()) } else { Err(error::exists(id)) };
    }
    let account = new_account(run, id, key)?;
    state::put(run, id, &account)?;
    announce(run, id, &account);
    Ok(())
}

/// A new account's value; records its key. The caller writes the account.
pub(crate) fn new_account(
    run: &mut Run<'_>,
    id: &AccountId,
    key: &Key,
) -> Result<proto::Account, Fault> {
    if state::key_record(&run.state, key)?.is_some() {
        return Err(error::key_used(key));
    }
    let from_height = run.block.height;
    let record = proto::KeyRecord { account: id.to_vec(), from_height, ..Default::default() };
    state::put_key(run, key, &record)?;
    Ok(proto::Account {
        keys: vec![key.to_vec()],
        created_height: run.block.height,
        created_time_s: run.block.time_s,
        ..Default::default()
    })
}

pub(crate) fn announce(run: &mut Run<'_>, id: &AccountId, account: &proto::Account) {
    let key = account.keys.first().map(hex::encode).unwrap_or_default();
    run.emit(events::ACCOUNT_CREATED, &[("account", id), ("key", &key)]);
}

fn commit_handle(run: &mut Run<'_>, actor: &AccountId, commitment: &Hash) -> Result<(), Fault> {
    if state::commit(&run.state, actor, commitment)?.is_some() {
        return Err(error::plain(Code::CommitExists));
    }
    let (height, time_s) = (run.block.height, run.block.time_s);
    state::put_commit(run, actor, commitment, &proto::HandleCommit { height, time_s })?;
    let due_s = time_s.saturating_add(params::get(&run.state)?.handle_commit_s);
    let id = [&actor.as_bytes()[..], commitment.as_bytes()].concat();
    state::queue_push(run, Queue::HandleCommits, due_s, &id)?;
    run.emit(events::HANDLE_COMMITTED, &[("account", actor)]);
    Ok(())
}

fn claim_handle(
    run: &mut Run<'_>,
    actor: &AccountId,
    handle: &str,
    salt: &[u8; SALT_BYTES],
) -> Result<(), Fault> {
    let commitment = check_claim(run, actor, handle, salt)?;
    let account = state::get(&run.state, actor)?;
    let mut account = account.ok_or_else(|| error::unknown(actor))?;
    if !account.handle.is_empty() {
        return Err(error::handle_held(actor, &account.handle));
    }
    account.handle = handle.to_owned();
    state::put(run, actor, &account)?;
    state::put_handle(run, handle, actor)?;
    state::drop_commit(run, actor, &commitment);
    run.emit(events::HANDLE_CLAIMED, &[("account", actor), ("handle", &handle)]);
    Ok(())
}

/// Whether the actor committed to a handle, long enough ago and not too long, and it is free; the
/// commitment.
fn check_claim(
    run: &Run<'_>,
    actor: &AccountId,
    handle: &str,
    salt: &[u8; SALT_BYTES],
) -> Result<Hash, Fault> {
    let commitment = names::handle_commitment(&run.block.chain_id, actor, handle, salt);
    let commit = state::commit(&run.state, actor, &commitment)?;
    let commit = commit.ok_or_else(|| error::commit_unknown(actor))?;
    if commit.height >= run.block.height {
        return Err(error::plain(Code::CommitFresh));
    }
    let lasts_s = params::get(&run.state)?.handle_commit_s;
    if run.block.time_s.saturating_sub(commit.time_s) > lasts_s {
        return Err(error::commit_unknown(actor));
    }
    if state::handle_owner(&run.state, handle)?.is_some() {
        return Err(error::handle_taken(handle));
    }
    Ok(commitment)
}

/// Makes the account of an organisation, under a handle that the actor claims for it.
pub(crate) fn create_org(
    run: &mut Run<'_>,
    actor: &AccountId,
    number: u64,
    (handle, salt): (&str, &[u8; SALT_BYTES]),
) -> Result<AccountId, Fault> {
    let commitment = check_claim(run, actor, handle, salt)?;
    let id = AccountId::of_org(number);
    let account = proto::Account {
        handle: handle.to_owned(),
        created_height: run.block.height,
        created_time_s: run.block.time_s,
        org: number,
        ..Default::default()
    };
    state::put(run, &id, &account)?;
    state::put_handle(run, handle, &id)?;
    state::drop_commit(run, actor, &commitment);
    Ok(id)
}

/// Moves balance between accounts.
pub(crate) fn transfer(
    run: &mut Run<'_>,
    actor: &AccountId,
    to: &AccountId,
    amount: u64,
) -> Result<(), Fault> {
    let from = state::get(&run.state, actor)?.ok_or_else(|| error::unknown(actor))?;
    if from.balance < amount {
        return Err(error::balance_low(actor, from.balance, amount));
    }
    authorize::check_exists(run, to)?;
    state::pay(run, Purse::Balance(actor), Purse::Balance(to), amount)?;
    run.emit(events::TRANSFERRED, &[("from", actor), ("to", to), ("amount", &amount)]);
    Ok(())
}

fn execute_change(
    run: &mut Run<'_>,
    actor: &AccountId,
    change: &AccountAction,
) -> Result<(), Fault> {
    match change {
        AccountAction::AddKey { key, repo, until_s, .. } => {
            add_key(run, actor, key, *repo, *until_s)
        }
        AccountAction::RevokeKey { key } => revoke_key(run, actor, key),
        AccountAction::TransferHandle { to } => transfer_handle(run, actor, to),
        AccountAction::ReleaseHandle => release_handle(run, actor),
        AccountAction::SetGuardians { guardians, threshold, delay_s } => {
            set_guardians(run, actor, guardians, *threshold, *delay_s)
        }
        AccountAction::ApproveRecovery { account, key, .. } => {
            approve_recovery(run, actor, account, key)
        }
        AccountAction::CancelRecovery => cancel_recovery(run, actor),
        AccountAction::FinishRecovery { account } => finish_recovery(run, account),
    }
}

fn existing(run: &Run<'_>, id: &AccountId) -> Result<proto::Account, Fault> {
    state::get(&run.state, id)?.ok_or_else(|| error::unknown(id))
}

fn add_key(
    run: &mut Run<'_>,
    actor: &AccountId,
    key: &Key,
    repo: Option<RepoId>,
    until_s: Option<u64>,
) -> Result<(), Fault> {
    let mut account = existing(run, actor)?;
    if account.keys.len() as u64 >= params::get(&run.state)?.keys_per_account_max {
        return Err(error::keys_many(actor, account.keys.len()));
    }
    if let Some(until_s) = until_s.filter(|until_s| *until_s < run.block.time_s) {
        return Err(error::key_past(until_s, run.block.time_s));
    }
    if state::key_record(&run.state, key)?.is_some() {
        return Err(error::key_used(key));
    }
    let record = proto::KeyRecord {
        account: actor.to_vec(),
        from_height: run.block.height,
        until_height: 0,
        repo: repo.map_or(0, RepoId::number),
        until_time_s: until_s.unwrap_or(0),
    };
    state::put_key(run, key, &record)?;
    account.keys.push(key.to_vec());
    state::put(run, actor, &account)?;
    let mut attributes: Vec<(&str, &dyn std::fmt::Display)> =
        vec![("account", actor), ("key", key)];
    if let Some(repo) = &repo {
        attributes.push(("repo", repo));
    }
    if let Some(until_s) = &until_s {
        attributes.push(("until", until_s));
    }
    run.emit(events::KEY_ADDED, &attributes);
    Ok(())
}

/// Whether a key other than `but` controls the account without bounds.
fn is_controlled(run: &Run<'_>, account: &proto::Account, but: &Key) -> Result<bool, Broken> {
    for bytes in account.keys.iter().filter(|bytes| bytes[..] != but.as_bytes()[..]) {
        let key = Key::from_slice(bytes).map_err(|e| Broken::Contradiction(e.to_string()))?;
        let record = state::key_record(&run.state, &key)?.unwrap_or_default();
        let unbounded = record.repo == 0 && record.until_time_s == 0;
        if unbounded && state::is_valid(&record, run.block) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn revoke_key(run: &mut Run<'_>, actor: &AccountId, key: &Key) -> Result<(), Fault> {
    let account = existing(run, actor)?;
    let record = state::key_record(&run.state, key)?;
    let own = |record: &proto::KeyRecord| record.account == actor.to_vec();
    let record = record.filter(own).filter(|record| record.until_height == 0);
    let mut record = record.ok_or_else(|| error::key_invalid(key, actor))?;
    if !is_controlled(run, &account, key)? {
        return Err(error::key_last(key, actor));
    }
    record.until_height = run.block.height;
    state::put_key(run, key, &record)?;
    run.emit(events::KEY_REVOKED, &[("account", actor), ("key", key)]);
    Ok(())
}

/// An account and the handle it may give away: one that names no repository.
fn free_handle(run: &Run<'_>, actor: &AccountId) -> Result<(proto::Account, String), Fault> {
    let mut account = existing(run, actor)?;
    if account.handle.is_empty() {
        return Err(error::handle_none(actor));
    }
    if account.repos > 0 {
        return Err(error::handle_in_use(account.repos, &account.handle));
    }
    let handle = std::mem::take(&mut account.handle);
    Ok((account, handle))
}

fn transfer_handle(run: &mut Run<'_>, actor: &AccountId, to: &AccountId) -> Result<(), Fault> {
    let (account, handle) = free_handle(run, actor)?;
    let mut receiver = existing(run, to)?;
    if !receiver.handle.is_empty() {
        return Err(error::handle_held(to, &receiver.handle));
    }
    receiver.handle.clone_from(&handle);
    state::put(run, actor, &account)?;
    state::put(run, to, &receiver)?;
    state::put_handle(run, &handle, to)?;
    run.emit(events::HANDLE_TRANSFERRED, &[("from", actor), ("to", to), ("handle", &handle)]);
    Ok(())
}

fn release_handle(run: &mut Run<'_>, actor: &AccountId) -> Result<(), Fault> {
    let (account, handle) = free_handle(run, actor)?;
    state::put(run, actor, &account)?;
    state::drop_handle(run, &handle);
    run.emit(events::HANDLE_RELEASED, &[("account", actor), ("handle", &handle)]);
    Ok(())
}

/// What former guardians agreed on is void: the new ones have not agreed on anything.
fn set_guardians(
    run: &mut Run<'_>,
    actor: &AccountId,
    guardians: &[AccountId],
    threshold: u32,
    delay_s: u64,
) -> Result<(), Fault> {
    for guardian in guardians {
        if guardian == actor || !state::exists(&run.state, guardian)? {
            return Err(error::guardian_unknown(guardian, actor));
        }
    }
    let least_s = params::get(&run.state)?.recovery_delay_min_s;
    if !guardians.is_empty() && delay_s < least_s {
        return Err(error::recovery_delay(least_s, delay_s));
    }
    let accounts = guardians.iter().map(AccountId::to_vec).collect();
    state::put_guardians(run, actor, &proto::Guardians { accounts, threshold, delay_s })?;
    state::drop_recovery(run, actor);
    run.emit(
        events::GUARDIANS_SET,
        &[("account", actor), ("guardians", &guardians.len()), ("threshold", &threshold)],
    );
    Ok(())
}

/// A guardian agrees to one key at a time; the last word of each counts. The delay begins when
/// enough of them agree on one key, and again when they change their minds.
fn approve_recovery(
    run: &mut Run<'_>,
    guardian: &AccountId,
    account: &AccountId,
    key: &Key,
) -> Result<(), Fault> {
    if state::key_record(&run.state, key)?.is_some() {
        return Err(error::key_used(key));
    }
    let guardians = state::guardians(&run.state, account)?;
    let mut recovery = state::recovery(&run.state, account)?.unwrap_or_default();
    let approval = proto::RecoveryApproval { guardian: guardian.to_vec(), key: key.to_vec() };
    match recovery.approvals.binary_search_by(|entry| entry.guardian.cmp(&approval.guardian)) {
        Ok(place) => recovery.approvals[place] = approval,
        Err(place) => recovery.approvals.insert(place, approval),
    }
    let agreed = agreed_on(&recovery, &guardians, key);
    let is_other = agreed != recovery.key;
    if is_other {
        let due_s = run.block.time_s.saturating_add(guardians.delay_s);
        recovery.due_s = if agreed.is_empty() { 0 } else { due_s };
        recovery.key = agreed;
    }
    state::put_recovery(run, account, &recovery)?;
    run.emit(
        events::RECOVERY_APPROVED,
        &[("account", account), ("guardian", guardian), ("key", key)],
    );
    if is_other && !recovery.key.is_empty() {
        let (key, due_s) = (hex::encode(&recovery.key), recovery.due_s);
        run.emit(events::RECOVERY_READY, &[("account", account), ("key", &key), ("due", &due_s)]);
    }
    Ok(())
}

/// The key that enough guardians agree on: where there are several the one that was named last, or
/// else the one that has been due. Without any, nothing.
fn agreed_on(recovery: &proto::Recovery, guardians: &proto::Guardians, last: &Key) -> Vec<u8> {
    let all = recovery.approvals.iter().map(|entry| &entry.key);
    let is_enough = |key: &&Vec<u8>| {
        all.clone().filter(|other| other == key).count() as u64 >= u64::from(guardians.threshold)
    };
    let last = last.to_vec();
    [&last, &recovery.key]
        .into_iter()
        .chain(all.clone())
        .find(is_enough)
        .cloned()
        .unwrap_or_default()
}

fn cancel_recovery(run: &mut Run<'_>, actor: &AccountId) -> Result<(), Fault> {
    if state::recovery(&run.state, actor)?.is_none() {
        return Err(error::recovery_none(actor));
    }
    state::drop_recovery(run, actor);
    run.emit(events::RECOVERY_CANCELLED, &[("account", actor)]);
    Ok(())
}

/// All keys of the account are revoked but the one that guardians agreed on: whoever holds the
/// others may be the reason for all this.
fn finish_recovery(run: &mut Run<'_>, id: &AccountId) -> Result<(), Fault> {
    let recovery = state::recovery(&run.state, id)?.ok_or_else(|| error::recovery_none(id))?;
    if recovery.key.is_empty() {
        return Err(error::recovery_open(id));
    }
    if run.block.time_s < recovery.due_s {
        return Err(error::recovery_early(id, recovery.due_s, run.block.time_s));
    }
    let damaged = |e: guts_schema::ids::IdError| Broken::Contradiction(e.to_string());
    let key = Key::from_slice(&recovery.key).map_err(damaged)?;
    if state::key_record(&run.state, &key)?.is_some() {
        return Err(error::key_used(&key));
    }
    let mut account = existing(run, id)?;
    let (height, account_bytes) = (run.block.height, id.to_vec());
    for bytes in &account.keys {
        let old = Key::from_slice(bytes).map_err(damaged)?;
        let record = state::key_record(&run.state, &old)?;
        if let Some(mut record) = record.filter(|record| record.until_height == 0) {
            record.until_height = height;
            state::put_key(run, &old, &record)?;
        }
    }
    let record =
        proto::KeyRecord { account: account_bytes, from_height: height, ..Default::default() };
    state::put_key(run, &key, &record)?;
    account.keys.push(key.to_vec());
    state::put(run, id, &account)?;
    state::drop_recovery(run, id);
    run.emit(events::RECOVERED, &[("account", id), ("key", &key)]);
    Ok(())
}
