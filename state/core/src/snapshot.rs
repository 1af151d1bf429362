//! One version of the state: read it, prove what it holds, commit changes on top of it.

use std::sync::Arc;

use ics23::commitment_proof::Proof as Kind;
use ics23::{CommitmentProof, HostFunctionsManager};
use jmt::Sha256Jmt;
use prost013::Message;

use crate::overlay::{Changes, Read};
use crate::store::{Batch, Column, Root, Store};
use crate::tree::{
    Reader, key_hash, preimage_at, preimage_row, proof_spec, value_at, value_content, value_row,
};
use crate::update::{Change, Updated, update};
use crate::{StateError, Version};

/// A version of the state. Cheap to make and to clone; stays as it is while others write. Once it
/// is pruned, reads fail with [`StateError::Pruned`].
#[derive(Clone)]
pub struct Snapshot {
    store: Arc<dyn Store>,
    height: Version,
    root: Option<Root>,
}

/// A value, or its absence, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The value; `None` when the key is absent, which the proof then shows.
    pub value: Option<Vec<u8>>,
    /// An encoded `ics23.CommitmentProof` against the root.
    pub bytes: Vec<u8>,
}

impl Snapshot {
    /// The state as the block of `height` left it.
    pub fn at(store: Arc<dyn Store>, height: Version) -> Result<Self, StateError> {
        let root = Root::find(store.as_ref(), height)?;
        let snapshot = Self { store, height, root };
        snapshot.check_kept()?;
        Ok(snapshot)
    }

    /// To be asked after a read: see [`Store`].
    fn check_kept(&self) -> Result<(), StateError> {
        let (height, oldest) = (self.height, self.store.oldest());
        if height < oldest { Err(StateError::Pruned { height, oldest }) } else { Ok(()) }
    }

    /// The root; `None` while nothing was ever written.
    pub fn root(&self) -> Option<Root> {
        self.root
    }

    /// The store it reads.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The value of a key, or that it is absent, with an ICS-23 proof against [`Self::root`].
    /// An empty tree proves nothing: genesis writes at least one key.
    pub fn prove(&self, key: &[u8]) -> Result<Proof, StateError> {
        if key.is_empty() {
            return Err(StateError::Empty);
        }
        let root = self.root.ok_or(StateError::NoVersion(0))?;
        let reader = Reader(self.store.as_ref());
        let proved = Sha256Jmt::new(&reader).get_with_ics23_proof(key.to_vec(), root.version);
        self.check_kept()?;
        let (value, proof) = proved.map_err(from_tree)?;
        Ok(Proof { value, bytes: proof.encode_to_vec() })
    }

    /// What `changes` add as `version`, which must be above every version there is; `None` when
    /// they come to nothing, and the root stays.
    pub fn commit(&self, changes: &Changes, version: Version) -> Result<Option<Batch>, StateError> {
        if self.root.is_some_and(|root| root.version >= version) {
            return Err(StateError::Damaged(format!("version {version} is written already")));
        }
        // In order of their hashes: so the tree is walked, and so lie the rows that are read.
        let mut changes: Vec<_> = changes.iter().map(|(k, v)| (key_hash(k), k, v)).collect();
        changes.sort_unstable_by_key(|(hash, ..)| *hash);
        let mut writes = Vec::new();
        for (hash, key, value) in changes {
            let before = match self.root {
                Some(root) => value_at(self.store.as_ref(), &hash, root.version)?,
                None => None,
            };
            let current = before.as_ref().and_then(|(_, value)| value.as_deref());
            if current != value {
                let was_set = current.is_some();
                let replaced = before.map(|(version, _)| version);
                writes.push(Write { key, hash, value, was_set, replaced });
            }
        }
        if writes.is_empty() {
            return Ok(None);
        }
        self.write(&writes, version).map(Some)
    }

    fn write(&self, writes: &[Write<'_>], version: Version) -> Result<Batch, StateError> {
        let store = self.store.as_ref();
        let change = |write: &Write<'_>| Change::new(write.hash, write.value, write.was_set);
        let changes: Vec<_> = writes.iter().map(change).collect();
        let Updated { hash, nodes, mut stale } = update(store, self.root, &changes, version)?;
        let (mut values, mut preimages) = (Vec::with_capacity(writes.len()), Vec::new());
        for write in writes {
            values.push((value_row(&write.hash, version), value_content(write.value)));
            if let Some(replaced) = write.replaced {
                stale.push(Column::Values, &value_row(&write.hash, replaced));
            }
            if !write.was_set {
                // Until the key is deleted, this row names it, whatever else is pruned.
                preimages.push((preimage_row(&write.hash, version), write.key.to_vec()));
            }
            if write.value.is_none() {
                // It hides older values; without those, absence needs no row.
                stale.push(Column::Values, &value_row(&write.hash, version));
                let named = preimage_at(store, &write.hash, version)?;
                let (row, _) =
                    named.ok_or_else(|| StateError::Damaged("a key is not named".into()))?;
                stale.push(Column::Preimages, &row);
            }
        }
        let mut batch = Batch::new(Root { version, hash });
        batch.put(Column::Nodes, nodes);
        batch.put(Column::Values, values);
        batch.put(Column::Preimages, preimages);
        if !stale.is_empty() {
            let row = (version.to_be_bytes().to_vec(), stale.into_bytes());
            batch.put(Column::Stale, vec![row]);
        }
        Ok(batch)
    }
}

struct Write<'a> {
    key: &'a [u8],
    hash: jmt::KeyHash,
    value: Option<&'a [u8]>,
    /// Whether there was a value before.
    was_set: bool,
    /// The version of the value that this one replaces.
    replaced: Option<Version>,
}

fn from_tree(error: anyhow::Error) -> StateError {
    match error.downcast::<StateError>() {
        Ok(ours) => ours,
        Err(other) => StateError::Damaged(format!("{other:#}")),
    }
}

impl Read for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let Some(root) = self.root else { return Ok(None) };
        let found = value_at(self.store.as_ref(), &key_hash(key), root.version);
        self.check_kept()?;
        Ok(found?.and_then(|(_, value)| value))
    }
}

/// Whether `proof` shows that `key` has `value` under the root `hash`.
pub fn verify_present(proof: &[u8], hash: &[u8; 32], key: &[u8], value: &[u8]) -> bool {
    let Ok(proof) = CommitmentProof::decode(proof) else { return false };
    matches!(proof.proof, Some(Kind::Exist(_)))
        && ics23::verify_membership::<HostFunctionsManager>(
            &proof,
            &proof_spec(),
            &hash.to_vec(),
            key,
            value,
        )
}

/// Whether `proof` shows that `key` is absent under the root `hash`.
pub fn verify_absent(proof: &[u8], hash: &[u8; 32], key: &[u8]) -> bool {
    let Ok(proof) = CommitmentProof::decode(proof) else { return false };
    matches!(proof.proof, Some(Kind::Nonexist(_)))
        && ics23::verify_non_membership::<HostFunctionsManager>(
            &proof,
            &proof_spec(),
            &hash.to_vec(),
            key,
        )
}
