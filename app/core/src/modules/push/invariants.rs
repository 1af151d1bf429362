//! Audits of all pushes and refs.

use std::collections::{BTreeMap, BTreeSet};

use guts_schema::keys::Queue;
use guts_schema::{AccountId, Oid, PushId, RepoId, keys, proto, refs};

use crate::fault::Broken;
use crate::whole::{Whole, wrong};

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    audit_pushes(whole)?;
    audit_closed(whole)?;
    audit_certificates(whole)?;
    let count = whole.get::<proto::Repos>(&keys::repos())?.unwrap_or_default().count;
    (1..=count).filter_map(RepoId::new).try_for_each(|repo| audit_refs(whole, repo))
}

/// Each push that is over waits once to be forgotten, and nothing else does.
fn audit_closed(whole: &Whole) -> Result<(), Broken> {
    let all = whole.below::<proto::Push>("push/")?;
    let closed = all.into_iter().filter(|(_, push)| push.status() != proto::PushStatus::Pending);
    let mut closed: BTreeSet<Vec<u8>> = closed.map(|(id, _)| id).collect();
    let ends: proto::QueueEnds = whole.get(&keys::queue_ends(Queue::Pushes))?.unwrap_or_default();
    for number in ends.first..ends.next {
        let item: Option<proto::QueueItem> = whole.get(&keys::queue_item(Queue::Pushes, number))?;
        if !item.is_some_and(|item| closed.remove(&item.id)) {
            return wrong("what waits to be forgotten is no push that is over");
        }
    }
    if closed.is_empty() { Ok(()) } else { wrong("a push that is over is never forgotten") }
}

/// A push that moved refs spent its certificate; what spent one is over, and is of it.
fn audit_certificates(whole: &Whole) -> Result<(), Broken> {
    let mut spent = BTreeMap::new();
    for (certificate, mark) in whole.below::<proto::SpentCertificate>("certificate/")? {
        spent.insert(certificate, mark.push);
    }
    for (id, push) in whole.below::<proto::Push>("push/")? {
        let by = spent.get(&push.certificate);
        if push.status() == proto::PushStatus::Moved && by != Some(&id) {
            return wrong("refs moved by a certificate that was not spent on it");
        }
        if by == Some(&id) {
            if push.status() == proto::PushStatus::Pending {
                return wrong("a push under way has spent its certificate");
            }
            spent.remove(&push.certificate);
        }
    }
    if spent.is_empty() { Ok(()) } else { wrong("a certificate was spent by no push of it") }
}

/// What is in flight is what is listed, counted and summed.
fn audit_pushes(whole: &Whole) -> Result<(), Broken> {
    let list: proto::PushesPending = whole.get(&keys::pushes_pending())?.unwrap_or_default();
    let mut bytes = 0;
    let mut own: BTreeMap<(Vec<u8>, Vec<u8>), proto::PushesOf> = BTreeMap::new();
    for id in &list.ids {
        let push = match PushId::from_slice(id) {
            Ok(id) => whole.get::<proto::Push>(&keys::push(&id))?,
            Err(_) => None,
        };
        let Some(push) = push.filter(|push| push.status() == proto::PushStatus::Pending) else {
            return wrong("a push is listed as pending and is not");
        };
        bytes += push.pack_size;
        let sums = own.entry((push.pusher.clone(), push.gateway.clone())).or_default();
        sums.count += 1;
        sums.bytes += push.pack_size;
    }
    let all = whole.below::<proto::Push>("push/")?;
    let pending = all.iter().filter(|(_, p)| p.status() == proto::PushStatus::Pending).count();
    if pending != list.ids.len() || bytes != list.bytes {
        return wrong("pushes in flight are listed or summed wrong");
    }
    for ((account, gateway), sums) in &own {
        let id = |bytes: &[u8]| {
            AccountId::from_slice(bytes).map_err(|error| Broken::Contradiction(error.to_string()))
        };
        let (account, gateway) = (id(account)?, id(gateway)?);
        let key = keys::pushes_of(&account, &gateway);
        if whole.get::<proto::PushesOf>(&key)?.as_ref() != Some(sums) {
            return wrong(format!("what {account} has in flight is summed wrong"));
        }
    }
    if whole.below::<proto::PushesOf>("pushes_of/")?.len() != own.len() {
        return wrong("an account without pushes in flight is counted");
    }
    Ok(())
}

/// Root, count, buckets, directories and log of a repository are those of its refs.
fn audit_refs(whole: &Whole, repo: RepoId) -> Result<(), Broken> {
    let damaged = |error: &dyn std::fmt::Display| Broken::Contradiction(error.to_string());
    let head: Option<proto::RefsHead> = whole.get(&keys::refs(repo))?;
    let Some(head) = head else { return wrong(format!("repository {repo} has no refs head")) };
    let tag = |key: Vec<u8>| String::from_utf8_lossy(&key).into_owned();
    let prefix = |kind: &str| {
        let mut bytes = kind.as_bytes().to_vec();
        bytes.extend_from_slice(&repo.number().to_be_bytes());
        bytes
    };
    let mut all: BTreeMap<String, Oid> = BTreeMap::new();
    let mut dirs: BTreeMap<String, u64> = BTreeMap::new();
    for (key, record) in whole.under::<proto::RefRecord>(&prefix("ref/"))? {
        let name = tag(key).trim_end_matches('\0').to_owned();
        for dir in refs::parents(&name) {
            *dirs.entry(dir.to_owned()).or_default() += 1;
        }
        let oid = Oid::from_slice(&record.oid).map_err(|error| damaged(&error))?;
        let entry: Option<proto::RefLogEntry> =
            whole.get(&keys::ref_log(repo, record.log_number))?;
        if entry.is_none_or(|entry| entry.new != record.oid || entry.name != name) {
            return wrong(format!("{name} of repository {repo} is not where the log says"));
        }
        all.insert(name, oid);
    }
    if head.root != refs::root(&all).to_vec() || head.count != all.len() as u64 {
        return wrong(format!("the refs head of repository {repo} is not that of its refs"));
    }
    if let Some(name) = all.keys().find(|name| dirs.contains_key(*name)) {
        return wrong(format!("{name} of repository {repo} is a ref and a directory"));
    }
    let counted: BTreeMap<String, u64> = whole
        .under::<proto::RefDir>(&prefix("ref_dir/"))?
        .into_iter()
        .map(|(key, dir)| (tag(key).trim_end_matches('\0').to_owned(), dir.count))
        .collect();
    if counted != dirs {
        return wrong(format!("directories of repository {repo} are counted wrong"));
    }
    let logged = whole.under::<proto::RefLogEntry>(&prefix("ref_log/"))?;
    if logged.len() as u64 != head.log_count {
        return wrong(format!("the ref log of repository {repo} is not dense"));
    }
    Ok(())
}
