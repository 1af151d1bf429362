//! Where pushes and refs lie.

use std::collections::BTreeMap;

use guts_schema::ids::Oid;
use guts_schema::{AccountId, Hash, PushId, RepoId, keys, proto, refs};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Run, load};

fn damaged(error: impl std::fmt::Display) -> Broken {
    Broken::Contradiction(error.to_string())
}

/// A push, pending or remembered.
pub fn get(view: &dyn Read, id: &PushId) -> Result<Option<proto::Push>, Broken> {
    load(view, &keys::push(id))
}

pub(super) fn put(run: &mut Run<'_>, id: &PushId, push: &proto::Push) -> Result<(), Broken> {
    run.save(keys::push(id), push)
}

/// Forgets a push, and with it the certificate that it spent.
pub(super) fn forget(run: &mut Run<'_>, id: &PushId) -> Result<(), Broken> {
    if let Some(push) = get(&run.state, id)? {
        let certificate = certificate_of(&push)?;
        if spent(&run.state, &certificate)? == Some(*id) {
            run.state.delete(keys::certificate(&certificate));
        }
    }
    run.state.delete(keys::push(id));
    Ok(())
}

/// Of which certificate a push is.
pub(super) fn certificate_of(push: &proto::Push) -> Result<Hash, Broken> {
    Hash::from_slice(&push.certificate).map_err(damaged)
}

/// Which push spent a certificate.
pub(super) fn spent(view: &dyn Read, certificate: &Hash) -> Result<Option<PushId>, Broken> {
    let mark: Option<proto::SpentCertificate> = load(view, &keys::certificate(certificate))?;
    mark.map(|mark| PushId::from_slice(&mark.push).map_err(damaged)).transpose()
}

/// From now on the certificate of a push cannot be used.
pub(super) fn spend(run: &mut Run<'_>, id: &PushId, push: &proto::Push) -> Result<(), Broken> {
    let certificate = certificate_of(push)?;
    run.save(keys::certificate(&certificate), &proto::SpentCertificate { push: id.to_vec() })
}

/// The pushes in flight, by arrival, and their bytes.
pub fn pending(view: &dyn Read) -> Result<(Vec<PushId>, u64), Broken> {
    let list: proto::PushesPending = load(view, &keys::pushes_pending())?.unwrap_or_default();
    let ids = list.ids.iter().map(|id| PushId::from_slice(id).map_err(damaged));
    Ok((ids.collect::<Result<_, _>>()?, list.bytes))
}

/// The pushes in flight themselves, by arrival: what a validator has to look at.
pub fn pending_pushes(view: &dyn Read) -> Result<Vec<proto::Push>, Broken> {
    let (ids, _) = pending(view)?;
    ids.iter().map(|id| get(view, id)?.ok_or_else(|| damaged("a pending push is gone"))).collect()
}

fn put_pending(run: &mut Run<'_>, ids: &[PushId], bytes: u64) -> Result<(), Broken> {
    let list = proto::PushesPending { ids: ids.iter().map(PushId::to_vec).collect(), bytes };
    run.save(keys::pushes_pending(), &list)
}

/// Whose a push is, and who brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    /// Who signed the certificate.
    pub pusher: AccountId,
    /// Whose transaction has it.
    pub gateway: AccountId,
}

impl Ways {
    /// Of a push that is in the state.
    pub(super) fn of(push: &proto::Push) -> Result<Self, Broken> {
        let pusher = AccountId::from_slice(&push.pusher).map_err(damaged)?;
        let gateway = AccountId::from_slice(&push.gateway).map_err(damaged)?;
        Ok(Self { pusher, gateway })
    }

    fn key(&self) -> Vec<u8> {
        keys::pushes_of(&self.pusher, &self.gateway)
    }
}

/// What an account has in flight that this gateway brought.
pub(super) fn in_flight(view: &dyn Read, ways: &Ways) -> Result<proto::PushesOf, Broken> {
    Ok(load(view, &ways.key())?.unwrap_or_default())
}

/// Counts a push in; the caller has checked the bounds.
pub(super) fn add_pending(
    run: &mut Run<'_>,
    id: &PushId,
    ways: &Ways,
    size: u64,
) -> Result<(), Broken> {
    let over = || damaged("bytes in flight are counted out");
    let (mut ids, bytes) = pending(&run.state)?;
    ids.push(*id);
    put_pending(run, &ids, bytes.checked_add(size).ok_or_else(over)?)?;
    let mut own = in_flight(&run.state, ways)?;
    own.count = own.count.checked_add(1).ok_or_else(over)?;
    own.bytes = own.bytes.checked_add(size).ok_or_else(over)?;
    run.save(ways.key(), &own)
}

/// Counts a push out.
pub(super) fn remove_pending(
    run: &mut Run<'_>,
    id: &PushId,
    ways: &Ways,
    size: u64,
) -> Result<(), Broken> {
    let under = || damaged("fewer pushes are in flight than were counted in");
    let (mut ids, bytes) = pending(&run.state)?;
    ids.retain(|other| other != id);
    put_pending(run, &ids, bytes.checked_sub(size).ok_or_else(under)?)?;
    let mut own = in_flight(&run.state, ways)?;
    own.count = own.count.checked_sub(1).ok_or_else(under)?;
    own.bytes = own.bytes.checked_sub(size).ok_or_else(under)?;
    if own.count == 0 {
        run.state.delete(ways.key());
        return Ok(());
    }
    run.save(ways.key(), &own)
}

pub(super) fn tick(run: &mut Run<'_>) -> Result<(), Broken> {
    let height = run.block.height;
    run.save(keys::tick(), &proto::Tick { height })
}

/// What a repository's refs come to.
pub(crate) fn head(view: &dyn Read, repo: RepoId) -> Result<proto::RefsHead, Broken> {
    let missing = || damaged(format!("repository {repo} has no refs head"));
    load(view, &keys::refs(repo))?.ok_or_else(missing)
}

pub(super) fn put_head(
    run: &mut Run<'_>,
    repo: RepoId,
    head: &proto::RefsHead,
) -> Result<(), Broken> {
    run.save(keys::refs(repo), head)
}

/// The refs of a repository that was just made: none.
pub(crate) fn add_head(run: &mut Run<'_>, repo: RepoId) -> Result<(), Broken> {
    let root = refs::root_of_buckets(&BTreeMap::new()).to_vec();
    put_head(run, repo, &proto::RefsHead { root, ..Default::default() })
}

/// Where a ref points.
pub(super) fn ref_oid(view: &dyn Read, repo: RepoId, name: &str) -> Result<Vec<u8>, Broken> {
    let record: Option<proto::RefRecord> = load(view, &keys::ref_record(repo, name))?;
    Ok(record.unwrap_or_default().oid)
}

/// Sets a ref, or deletes it when `oid` is empty. Bucket and directories are the caller's.
pub(super) fn put_ref(
    run: &mut Run<'_>,
    repo: RepoId,
    name: &str,
    record: Option<&proto::RefRecord>,
) -> Result<(), Broken> {
    match record {
        Some(record) => run.save(keys::ref_record(repo, name), record),
        None => {
            run.state.delete(keys::ref_record(repo, name));
            Ok(())
        }
    }
}

/// How many refs lie below a directory of names.
pub(super) fn below(view: &dyn Read, repo: RepoId, dir: &str) -> Result<u64, Broken> {
    let dir: Option<proto::RefDir> = load(view, &keys::ref_dir(repo, dir))?;
    Ok(dir.unwrap_or_default().count)
}

/// Counts a ref in or out of the directories above it.
pub(super) fn count_dirs(
    run: &mut Run<'_>,
    repo: RepoId,
    name: &str,
    change: impl Fn(u64) -> Option<u64>,
) -> Result<(), Broken> {
    for dir in refs::parents(name) {
        let count = change(below(&run.state, repo, dir)?);
        match count.ok_or_else(|| damaged("a directory of refs is counted wrong"))? {
            0 => run.state.delete(keys::ref_dir(repo, dir)),
            count => run.save(keys::ref_dir(repo, dir), &proto::RefDir { count })?,
        }
    }
    Ok(())
}

/// The refs of one bucket.
pub(super) fn bucket(
    view: &dyn Read,
    repo: RepoId,
    bucket: u8,
) -> Result<BTreeMap<String, Oid>, Broken> {
    let value: proto::RefBucket = load(view, &keys::ref_bucket(repo, bucket))?.unwrap_or_default();
    let refs = value.refs.into_iter().map(|entry| {
        let oid = Oid::from_slice(&entry.oid).map_err(damaged)?;
        Ok((entry.name, oid))
    });
    refs.collect()
}

/// Writes the refs of one bucket; its hash, unless it is empty.
pub(super) fn put_bucket(
    run: &mut Run<'_>,
    repo: RepoId,
    bucket: u8,
    content: &BTreeMap<String, Oid>,
) -> Result<Option<Hash>, Broken> {
    let key = keys::ref_bucket(repo, bucket);
    let hash = refs::bucket_hash(content.iter().map(|(name, oid)| (name.as_str(), *oid)));
    if hash.is_none() {
        run.state.delete(key);
        return Ok(None);
    }
    let entry =
        |(name, oid): (&String, &Oid)| proto::RefEntry { name: name.clone(), oid: oid.to_vec() };
    run.save(key, &proto::RefBucket { refs: content.iter().map(entry).collect() })?;
    Ok(hash)
}

/// Appends to the ref log.
pub(super) fn put_log(
    run: &mut Run<'_>,
    repo: RepoId,
    number: u64,
    entry: &proto::RefLogEntry,
) -> Result<(), Broken> {
    run.save(keys::ref_log(repo, number), entry)
}
