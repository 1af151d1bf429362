//! Ordering a push, and moving its refs.

use std::collections::BTreeMap;

use guts_schema::attest::RefSet;
use guts_schema::ids::Oid;
use guts_schema::tx::PushRefs;
use guts_schema::{AccountId, Hash, Key, PushId, RepoId, Tx, events, proto, refs};
use guts_state::Read;

use super::state::Ways;
use super::{authorize, error, state};
use crate::fault::{Broken, Fault, Refusal};
use crate::modules::{account, params, repo};
use crate::run::{Block, Run};

/// Orders a push: every rule is checked as if its refs moved now, and nothing moves.
pub fn execute(run: &mut Run<'_>, tx: &Tx, push: &PushRefs) -> Result<(), Fault> {
    let certificate = &push.certificate;
    let (id, signed) = (push.id(&tx.payer), certificate.hash());
    let (repo, pusher) = check_allowed(run, &tx.payer, push)?;
    let key = certificate.signature.key;
    let size = push.pack.map_or(0, |(_, size)| size);
    let ways = Ways { pusher, gateway: tx.payer };
    check_bounds(run, &ways, size)?;
    let value = proto::Push {
        id: id.to_vec(),
        repo: repo.number(),
        pusher: pusher.to_vec(),
        key: key.to_vec(),
        gateway: tx.payer.to_vec(),
        updates: certificate.updates.iter().map(update_value).collect(),
        atomic: true,
        pack_hash: push.pack.map(|(hash, _)| hash.to_vec()).unwrap_or_default(),
        pack_size: size,
        ordered_height: run.block.height,
        ordered_time_s: run.block.time_s,
        nonce_time_s: certificate.nonce.time_s,
        certificate: signed.to_vec(),
        operator: push.operator.map(|operator| operator.to_vec()).unwrap_or_default(),
        ..Default::default()
    };
    // Tried on an overlay that is dropped: what could not move now is not worth looking at.
    move_refs(&mut Run::new(run.block, &run.state), &id, &value, RefSet::default())?;
    state::put(run, &id, &value)?;
    state::add_pending(run, &id, &ways, size)?;
    run.emit(
        events::PUSH_ORDERED,
        &[("push", &id), ("repo", &repo), ("account", &pusher), ("key", &key)],
    );
    Ok(())
}

/// Whether a push may be ordered, whatever else is in flight and wherever the refs are: its
/// certificate is fresh and not used up, its pusher may push there, and its pack is not too large.
/// The repository, and who pushes.
fn check_allowed(
    run: &Run<'_>,
    payer: &AccountId,
    push: &PushRefs,
) -> Result<(RepoId, AccountId), Fault> {
    let certificate = &push.certificate;
    let is_spent = state::spent(&run.state, &certificate.hash())?.is_some();
    if is_spent || state::get(&run.state, &push.id(payer))?.is_some() {
        return Err(error::replayed());
    }
    let params = params::of(run)?;
    check_fresh(run, &params, certificate.nonce.time_s)?;
    let (owner, name) = (&certificate.nonce.owner, &certificate.nonce.repo);
    let path = format!("{owner}/{name}");
    let repo = repo::by_path(&run.state, owner, name)?;
    let repo = repo.ok_or_else(|| repo::error::unknown(&path))?;
    let (pusher, value) = authorize::check(run, repo, &certificate.signature.key)?;
    check_format(&value, &path, certificate.object_format)?;
    match push.pack {
        Some((_, size)) if size > params.pack_bytes_max => {
            Err(error::pack_oversize(size, params.pack_bytes_max))
        }
        _ => Ok((repo, pusher)),
    }
}

/// The repository of a push that `payer` brings; or why the block `next` would refuse it, by what
/// no other push has a part in. For whoever is about to do work for a push that is not ordered yet.
pub fn refusal(
    view: &dyn Read,
    next: &Block,
    payer: &AccountId,
    push: &PushRefs,
) -> Result<Result<RepoId, Refusal>, Broken> {
    match check_allowed(&Run::unheard(next, view), payer, push) {
        Ok((repo, _)) => Ok(Ok(repo)),
        Err(fault) => Ok(Err(fault.refusal()?)),
    }
}

/// A certificate is fresh for a window of header time. While the chain rests, header time stands
/// still for who asks for a nonce, so one made since the last block with transactions is fresh too.
/// That opens nothing: a push is forgotten only in a block with transactions that is younger than
/// its nonce, and from then on that block is the last.
fn check_fresh(run: &Run<'_>, params: &proto::Params, signed_s: u64) -> Result<(), Fault> {
    let now_s = run.block.time_s;
    let in_window = now_s.saturating_sub(signed_s) <= params.push_window_s;
    let fresh = in_window || signed_s >= account::last_active_s(&run.state)?;
    if signed_s <= now_s && fresh { Ok(()) } else { Err(error::stale(signed_s, now_s)) }
}

fn update_value(update: &guts_schema::certificate::RefUpdate) -> proto::RefUpdate {
    let bytes = |oid: &Option<Oid>| oid.map(|oid| oid.to_vec()).unwrap_or_default();
    let (old, new) = (bytes(&update.old), bytes(&update.new));
    proto::RefUpdate { name: update.name.clone(), old, new }
}

fn check_format(repo: &proto::Repo, path: &str, format: proto::ObjectFormat) -> Result<(), Fault> {
    match repo.object_format() {
        ours if ours == format => Ok(()),
        proto::ObjectFormat::Sha1 => Err(error::format(path, "SHA-1")),
        proto::ObjectFormat::Sha256 => Err(error::format(path, "SHA-256")),
    }
}

/// Bounds on what is in flight: in all, and of one account by one gateway. So who brings
/// certificates of others with packs that there are not takes no place of theirs.
fn check_bounds(run: &Run<'_>, ways: &Ways, size: u64) -> Result<(), Fault> {
    let params = params::of(run)?;
    let (ids, bytes) = state::pending(&run.state)?;
    let own = state::in_flight(&run.state, ways)?;
    if own.count >= params.pending_pushes_per_account_max {
        return Err(error::many(own.count, &account::name(&run.state, &ways.pusher)?));
    }
    if ids.len() as u64 >= params.pending_pushes_max {
        return Err(error::many(ids.len() as u64, "all accounts"));
    }
    for (bytes, max) in
        [(own.bytes, params.pending_bytes_per_account_max), (bytes, params.pending_bytes_max)]
    {
        if bytes.saturating_add(size) > max {
            return Err(error::bytes_many(bytes));
        }
    }
    Ok(())
}

/// Moves all refs of a push: compare-and-swap, all or none. `forced`: those whose history
/// validators found to be rewritten. Returns the new root.
pub(super) fn move_refs(
    run: &mut Run<'_>,
    id: &PushId,
    push: &proto::Push,
    forced: RefSet,
) -> Result<Hash, Fault> {
    let none = || Broken::Contradiction("a push to no repository".into());
    let repo = RepoId::new(push.repo).ok_or_else(none)?;
    let key = Key::from_slice(&push.key).map_err(|_| none())?;
    let (pusher, value) = authorize::check(run, repo, &key)?;
    authorize::check_protected(run, (repo, &value), &pusher, push, forced)?;
    for update in &push.updates {
        let now = state::ref_oid(&run.state, repo, &update.name)?;
        if now != update.old {
            return Err(error::ref_moved(&update.name, &now, &update.old));
        }
        if update.new.is_empty() && update.name == value.default_branch {
            return Err(error::default_branch(&update.name));
        }
    }
    let mut head = state::head(&run.state, repo)?;
    let before = head.count;
    set_refs(run, repo, push, &mut head)?;
    let max = params::of(run)?.refs_per_repo_max;
    // One that has more since the bound was lowered can be worked in, and does not grow.
    if head.count > max.max(before) {
        return Err(error::refs_many(&repo::path(&run.state, &value)?, max));
    }
    write_log(run, repo, push, &mut head, forced)?;
    let root = rehash(run, repo, push, &mut head)?;
    state::put_head(run, repo, &head)?;
    for update in &push.updates {
        let (old, new) = (hex::encode(&update.old), hex::encode(&update.new));
        run.emit(
            events::REF_MOVED,
            &[("repo", &repo), ("ref", &update.name), ("old", &old), ("new", &new), ("push", id)],
        );
    }
    Ok(root)
}

/// Counts refs in and out and keeps files and directories apart: deletions first, so that a push
/// may replace `a` by `a/b`. Records name the log entries that are written next.
fn set_refs(
    run: &mut Run<'_>,
    repo: RepoId,
    push: &proto::Push,
    head: &mut proto::RefsHead,
) -> Result<(), Fault> {
    let miscounted = || Broken::Contradiction("refs are counted wrong".into());
    for update in push.updates.iter().filter(|update| update.new.is_empty()) {
        state::put_ref(run, repo, &update.name, None)?;
        state::count_dirs(run, repo, &update.name, |count| count.checked_sub(1))?;
        head.count = head.count.checked_sub(1).ok_or_else(miscounted)?;
    }
    for (log_number, update) in (head.log_count..).zip(&push.updates) {
        if update.new.is_empty() {
            continue;
        }
        let name = &update.name;
        if update.old.is_empty() {
            if state::below(&run.state, repo, name)? > 0 {
                return Err(error::in_the_way(name, &format!("{name}/...")));
            }
            for parent in refs::parents(name) {
                if !state::ref_oid(&run.state, repo, parent)?.is_empty() {
                    return Err(error::in_the_way(name, parent));
                }
            }
            state::count_dirs(run, repo, name, |count| count.checked_add(1))?;
            head.count = head.count.checked_add(1).ok_or_else(miscounted)?;
        }
        let oid = update.new.clone();
        let record = proto::RefRecord { oid, height: run.block.height, log_number };
        state::put_ref(run, repo, name, Some(&record))?;
    }
    Ok(())
}

/// One entry for each ref, in the order of the certificate.
fn write_log(
    run: &mut Run<'_>,
    repo: RepoId,
    push: &proto::Push,
    head: &mut proto::RefsHead,
    forced: RefSet,
) -> Result<(), Broken> {
    for (place, update) in push.updates.iter().enumerate() {
        let log_number = head.log_count;
        let entry = proto::RefLogEntry {
            name: update.name.clone(),
            old: update.old.clone(),
            new: update.new.clone(),
            push: push.id.clone(),
            pusher: push.pusher.clone(),
            key: push.key.clone(),
            height: run.block.height,
            time_s: run.block.time_s,
            forced: forced.has(place),
        };
        state::put_log(run, repo, log_number, &entry)?;
        let full = || Broken::Contradiction("a ref log is counted out".into());
        head.log_count = log_number.checked_add(1).ok_or_else(full)?;
    }
    Ok(())
}

/// Brings the buckets a push touches, and the root, up to date.
fn rehash(
    run: &mut Run<'_>,
    repo: RepoId,
    push: &proto::Push,
    head: &mut proto::RefsHead,
) -> Result<Hash, Broken> {
    let damaged = |_| Broken::Contradiction("an object id or hash of the wrong length".into());
    let mut touched: BTreeMap<u8, Vec<&proto::RefUpdate>> = BTreeMap::new();
    for update in &push.updates {
        touched.entry(refs::bucket(&update.name)).or_default().push(update);
    }
    let mut hashes: BTreeMap<u8, Hash> = BTreeMap::new();
    for entry in &head.buckets {
        let bucket = u8::try_from(entry.bucket).unwrap_or(u8::MAX);
        hashes.insert(bucket, Hash::from_slice(&entry.hash).map_err(damaged)?);
    }
    for (bucket, updates) in touched {
        let mut content = state::bucket(&run.state, repo, bucket)?;
        for update in updates {
            if update.new.is_empty() {
                content.remove(&update.name);
            } else {
                let oid = Oid::from_slice(&update.new).map_err(damaged)?;
                content.insert(update.name.clone(), oid);
            }
        }
        match state::put_bucket(run, repo, bucket, &content)? {
            Some(hash) => hashes.insert(bucket, hash),
            None => hashes.remove(&bucket),
        };
    }
    let root = refs::root_of_buckets(&hashes);
    let value = |(bucket, hash): (&u8, &Hash)| proto::BucketHash {
        bucket: u32::from(*bucket),
        hash: hash.to_vec(),
    };
    head.buckets = hashes.iter().map(value).collect();
    head.root = root.to_vec();
    Ok(root)
}
