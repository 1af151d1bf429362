//! The newest committed state as everything beside block execution sees it: one snapshot, swapped
//! at Commit, and the reads the gateway needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use guts_app_core::modules::{account, push, repo, staking};
use guts_app_core::run::Block;
use guts_app_core::{Broken, Head};
use guts_schema::certificate::RefUpdate;
use guts_schema::ids::ValidatorAddress;
use guts_schema::values::{self, ValueError};
use guts_schema::{AccountId, Hash, Oid, PushId, RepoId, keys, proto};
use guts_state::{Read, Snapshot, StateError};
use prost::Message;
use tokio::sync::watch;

/// The state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store.
    #[error(transparent)]
    State(#[from] StateError),
    /// A value in it.
    #[error("state: {0}")]
    Value(#[from] ValueError),
    /// The rules could not be asked.
    #[error(transparent)]
    Rules(#[from] Broken),
    /// An identifier within a value.
    #[error("state: {0}")]
    Id(#[from] guts_schema::ids::IdError),
}

/// What one block left behind.
#[derive(Clone)]
pub struct Committed {
    /// Its height; 0 before the first block.
    pub height: u64,
    /// Unix seconds of its header time.
    pub time_s: u64,
    /// The chain; empty before genesis.
    pub chain_id: String,
    /// What the database has with it; none before genesis.
    pub head: Option<Head>,
    /// The state.
    pub snapshot: Snapshot,
}

impl Committed {
    /// The state `snapshot`, left by the block of `head`.
    pub fn new(head: Option<Head>, snapshot: Snapshot) -> Self {
        let (height, time_s) = head.as_ref().map_or((0, 0), |head| (head.height, head.time_s));
        let chain_id = head.as_ref().map_or_else(String::new, |head| head.chain_id.clone());
        Self { height, time_s, chain_id, head, snapshot }
    }
}

/// Where the newest [`Committed`] is found, and its successors are waited for.
#[derive(Clone)]
pub struct Chain {
    newest: Arc<watch::Sender<Arc<Committed>>>,
}

impl Chain {
    /// Starts with what the database holds.
    pub fn new(committed: Committed) -> Self {
        Self { newest: Arc::new(watch::Sender::new(Arc::new(committed))) }
    }

    /// The newest state.
    pub fn newest(&self) -> Arc<Committed> {
        self.newest.borrow().clone()
    }

    /// Told at every commit.
    pub fn watch(&self) -> watch::Receiver<Arc<Committed>> {
        self.newest.subscribe()
    }

    /// Tells git what objects a repository has, from the newest state.
    pub fn format_of(&self) -> guts_git::FormatOf {
        let chain = self.clone();
        Box::new(move |repo| match chain.newest().repo(repo) {
            Ok(Some(record)) => Ok(record.object_format()),
            Ok(None) => Err("it is not in the state".into()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Swaps in the next one.
    pub fn publish(&self, committed: Committed) {
        self.newest.send_replace(Arc::new(committed));
    }
}

/// A pending or closed push, read from the state.
#[derive(Debug, Clone, PartialEq)]
pub struct PushRecord {
    /// Which.
    pub id: PushId,
    /// As the state has it.
    pub raw: proto::Push,
    /// Where to.
    pub repo: RepoId,
    /// What it moves.
    pub updates: Vec<RefUpdate>,
    /// Its pack.
    pub pack: Option<guts_git::PackInfo>,
}

impl Committed {
    fn load<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, ReadError> {
        let bytes = self.snapshot.get(key)?;
        Ok(bytes.map(|bytes| values::decode(&bytes)).transpose()?)
    }

    /// An account.
    pub fn account(&self, id: &AccountId) -> Result<Option<proto::Account>, ReadError> {
        Ok(account::get(&self.snapshot, id)?)
    }

    /// The repository at `owner/name`.
    pub fn find(&self, owner: &str, name: &str) -> Result<Option<RepoId>, ReadError> {
        Ok(repo::by_path(&self.snapshot, owner, name)?)
    }

    /// A repository.
    pub fn repo(&self, id: RepoId) -> Result<Option<proto::Repo>, ReadError> {
        Ok(repo::get(&self.snapshot, id)?)
    }

    /// `owner/name` of a repository.
    pub fn path(&self, id: RepoId) -> Result<Option<(String, String)>, ReadError> {
        let Some(repo) = self.repo(id)? else { return Ok(None) };
        let owner = self.account(&AccountId::from_slice(&repo.owner)?)?;
        Ok(owner.map(|owner| (owner.handle, repo.name)))
    }

    /// How many repositories there are; their ids are 1 to this.
    pub fn repos(&self) -> Result<u64, ReadError> {
        Ok(repo::count(&self.snapshot)?)
    }

    /// All refs of a repository.
    pub fn refs(&self, repo: RepoId) -> Result<BTreeMap<String, Oid>, ReadError> {
        let (_, refs) = push::all_refs(&self.snapshot, repo)?;
        let read = |entry: proto::RefEntry| Ok((entry.name, Oid::from_slice(&entry.oid)?));
        refs.into_iter().map(read).collect()
    }

    /// Where a ref points.
    pub fn ref_tip(&self, repo: RepoId, name: &str) -> Result<Option<Oid>, ReadError> {
        let record = self.load::<proto::RefRecord>(&keys::ref_record(repo, name))?;
        Ok(record.map(|record| Oid::from_slice(&record.oid)).transpose()?)
    }

    /// The pushes that wait for attestations.
    pub fn pending(&self) -> Result<Vec<PushId>, ReadError> {
        Ok(push::pending(&self.snapshot)?.0)
    }

    /// A push, until it is forgotten.
    pub fn push(&self, id: &PushId) -> Result<Option<PushRecord>, ReadError> {
        let Some(raw) = push::get(&self.snapshot, id)? else { return Ok(None) };
        let Some(repo) = RepoId::new(raw.repo) else { return Ok(None) };
        let oid = |bytes: &[u8]| {
            if bytes.is_empty() { Ok(None) } else { Oid::from_slice(bytes).map(Some) }
        };
        let mut updates = Vec::new();
        for update in &raw.updates {
            let (old, new) = (oid(&update.old)?, oid(&update.new)?);
            updates.push(RefUpdate { name: update.name.clone(), old, new });
        }
        let pack = if raw.pack_hash.is_empty() {
            None
        } else {
            let hash = Hash::from_slice(&raw.pack_hash)?;
            Some(guts_git::PackInfo { hash, size: raw.pack_size })
        };
        Ok(Some(PushRecord { id: *id, raw, repo, updates, pack }))
    }

    /// The push that spent a certificate, until it is stale.
    pub fn spent(&self, certificate: &Hash) -> Result<Option<PushRecord>, ReadError> {
        let mark = self.load::<proto::SpentCertificate>(&keys::certificate(certificate))?;
        let id = mark.map(|mark| PushId::from_slice(&mark.push)).transpose()?;
        id.map_or(Ok(None), |id| self.push(&id))
    }

    /// Chain parameters.
    pub fn params(&self) -> Result<proto::Params, ReadError> {
        Ok(self.load(&keys::params())?.unwrap_or_default())
    }

    /// The next block, as far as it can be known; none before genesis.
    pub fn next_block(&self) -> Option<Block> {
        self.head.as_ref().map(Head::next_block)
    }

    /// Whether the account operates a validator, by the set whose signatures count in the next
    /// block: what is made from this state is executed there or later.
    pub fn is_operator(&self, account: &AccountId) -> Result<bool, ReadError> {
        let Some(next) = self.next_block() else { return Ok(false) };
        let set = staking::at(&self.snapshot, next.height)?;
        Ok(set.is_some_and(|set| set.operates(account)))
    }

    /// Operator and gateway of every validator in the set that says where its gateway is.
    pub fn gateways(&self) -> Result<Vec<(AccountId, String)>, ReadError> {
        let set = self.load::<proto::Validators>(&keys::validators())?.unwrap_or_default();
        let mut found = Vec::new();
        for validator in set.validators {
            let address = ValidatorAddress::from_slice(&validator.address)?;
            let info = self.load::<proto::ValidatorInfo>(&keys::validator(&address))?;
            let gateway = info.unwrap_or_default().gateway;
            if !gateway.is_empty() {
                found.push((AccountId::from_slice(&validator.account)?, gateway));
            }
        }
        Ok(found)
    }

    /// Number and bytes of the newest anchor for proof of work.
    pub fn anchor(&self) -> Result<Option<(u64, Hash)>, ReadError> {
        let recorded = self.load::<proto::Anchors>(&keys::anchors())?.unwrap_or_default().recorded;
        let Some(number) = recorded.checked_sub(1) else { return Ok(None) };
        let anchor = self.load::<proto::Anchor>(&keys::anchor(number))?;
        let hash = anchor.map(|anchor| Hash::from_slice(&anchor.hash)).transpose()?;
        Ok(hash.map(|hash| (number, hash)))
    }
}

#[cfg(test)]
mod tests;
