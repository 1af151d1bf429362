//! Rows: what a database below the tree must hold, and the seam to it.
//!
//! Every encoding is spelled here, so that a database only keeps ordered rows in columns.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use crate::tree::{key_hash, value_at};
use crate::{StateError, Version};

/// Kinds of rows. A database keeps each as a column family of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Tree nodes: version, nibbles of the place, one in a byte -> node.
    Nodes,
    /// Values: SHA-256 of the key, version -> `1 || value`, or `0` where it was deleted.
    Values,
    /// SHA-256 of the key, version -> key, of each version that set what had no value; neighbours
    /// in proofs of absence are named by it.
    Preimages,
    /// Version -> the rows that no state from it on needs, each as column (1 byte), length of its
    /// key (1 byte), key. Pruning up to a version deletes those of all versions not above it.
    Stale,
    /// Version -> root hash. Pruning up to a version leaves the last one not above it.
    Roots,
}

impl Column {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Nodes, Self::Values, Self::Preimages, Self::Stale, Self::Roots];

    /// A name for a column family.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Values => "values",
            Self::Preimages => "preimages",
            Self::Stale => "stale",
            Self::Roots => "roots",
        }
    }

    /// The tag that names the column in a [`Column::Stale`] row.
    const fn tag(self) -> u8 {
        match self {
            Self::Nodes => 1,
            Self::Values => 2,
            Self::Preimages => 3,
            Self::Stale => 4,
            Self::Roots => 5,
        }
    }
}

/// Ordered rows, read. Everything that was written under a version stays readable and unchanged
/// until it is pruned, so reads need no locks and no database snapshots. Whoever prunes raises
/// [`Store::oldest`] first and deletes then: what was read while the version was not below it is
/// whole.
pub trait Store: Send + Sync {
    /// The row with that key.
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;

    /// The last row whose key lies in `low..=high` (both of one length), with its key.
    fn last(&self, column: Column, low: &[u8], high: &[u8]) -> Result<Option<Row>, StateError>;

    /// The oldest version that is kept: rows that only older ones need may be gone. 0 while nothing
    /// was pruned.
    fn oldest(&self) -> Version;
}

/// A row: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// The root of a version of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The height whose changes made it.
    pub version: Version,
    /// Its hash: the app hash.
    pub hash: [u8; 32],
}

impl Root {
    /// The newest root not younger than `height`; `None` before anything was written.
    pub fn find(store: &dyn Store, height: Version) -> Result<Option<Self>, StateError> {
        let (low, high) = (0u64.to_be_bytes(), height.to_be_bytes());
        let Some((key, value)) = store.last(Column::Roots, &low, &high)? else { return Ok(None) };
        let damaged = || StateError::Damaged("a root row of the wrong length".into());
        let version = Version::from_be_bytes(key.try_into().map_err(|_| damaged())?);
        let hash = value.try_into().map_err(|_| damaged())?;
        Ok(Some(Self { version, hash }))
    }
}

/// What one version adds. Written at once, with the height, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The root after it.
    pub root: Root,
    /// In order of their keys.
    rows: BTreeMap<Column, Vec<Row>>,
}

impl Batch {
    pub(crate) fn new(root: Root) -> Self {
        let mut batch = Self { root, rows: BTreeMap::new() };
        let row = (root.version.to_be_bytes().to_vec(), root.hash.to_vec());
        batch.put(Column::Roots, vec![row]);
        batch
    }

    /// All rows of a column, each key once. Those that come in order cost least.
    pub(crate) fn put(&mut self, column: Column, mut rows: Vec<Row>) {
        rows.sort_unstable();
        self.rows.insert(column, rows);
    }

    /// Rows to write, of one column, in order of their keys.
    pub fn rows_of(&self, column: Column) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.in_order(column).iter().map(|(key, value)| (&key[..], &value[..]))
    }

    fn in_order(&self, column: Column) -> &[Row] {
        self.rows.get(&column).map_or(&[], |rows| rows)
    }

    fn get(&self, column: Column, key: &[u8]) -> Option<&[u8]> {
        let rows = self.in_order(column);
        let place = rows.binary_search_by(|(row, _)| row[..].cmp(key)).ok()?;
        Some(&rows[place].1)
    }

    fn last(&self, column: Column, low: &[u8], high: &[u8]) -> Option<&Row> {
        let rows = self.in_order(column);
        let end = rows.partition_point(|(row, _)| row[..] <= *high);
        rows[..end].last().filter(|(row, _)| row[..] >= *low)
    }
}

/// The rows that a version made superfluous, as a [`Column::Stale`] row lists them.
#[derive(Debug, Default)]
pub(crate) struct StaleRows(Vec<u8>);

impl StaleRows {
    /// Adds one.
    pub(crate) fn push(&mut self, column: Column, row: &[u8]) {
        let length = u8::try_from(row.len()).expect("keys of rows are shorter than 256 bytes");
        self.0.extend([column.tag(), length]);
        self.0.extend_from_slice(row);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The content of the row.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The columns and keys that the content of a [`Column::Stale`] row names.
pub fn stale_rows(mut list: &[u8]) -> Result<Vec<(Column, &[u8])>, StateError> {
    let mut rows = Vec::new();
    while let [tag, length, rest @ ..] = list {
        let column = Column::ALL.into_iter().find(|column| column.tag() == *tag);
        let row = rest.split_at_checked(usize::from(*length));
        let (Some(column), Some((row, rest))) = (column, row) else { break };
        rows.push((column, row));
        list = rest;
    }
    let damaged = || StateError::Damaged("a list of stale rows of the wrong form".into());
    list.is_empty().then_some(rows).ok_or_else(damaged)
}

/// A store with batches on top that are not written yet.
pub struct Layered {
    below: Arc<dyn Store>,
    batch: Arc<Batch>,
}

impl Layered {
    /// `batch` over `below`.
    pub fn new(below: Arc<dyn Store>, batch: Arc<Batch>) -> Self {
        Self { below, batch }
    }
}

impl Store for Layered {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.batch.get(column, key) {
            Some(value) => Ok(Some(value.to_vec())),
            None => self.below.get(column, key),
        }
    }

    fn last(&self, column: Column, low: &[u8], high: &[u8]) -> Result<Option<Row>, StateError> {
        let ours = self.batch.last(column, low, high);
        let below = self.below.last(column, low, high)?;
        // Rows of the batch win over rows of the same key below.
        Ok(match (ours, below) {
            (Some(ours), Some(below)) if below.0 > ours.0 => Some(below),
            (Some(ours), _) => Some(ours.clone()),
            (None, below) => below,
        })
    }

    fn oldest(&self) -> Version {
        self.below.oldest()
    }
}

/// A store in memory, for tests and simulations.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    rows: BTreeMap<Column, BTreeMap<Vec<u8>, Vec<u8>>>,
    oldest: Version,
}

impl MemoryStore {
    /// With nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the rows of a batch.
    pub fn write(&mut self, batch: &Batch) {
        for column in Column::ALL {
            let rows = batch.rows_of(column).map(|(key, value)| (key.to_vec(), value.to_vec()));
            self.rows.entry(column).or_default().extend(rows);
        }
    }

    /// Deletes what no version from `version` on needs.
    pub fn prune(&mut self, version: Version) -> Result<(), StateError> {
        self.oldest = self.oldest.max(version);
        if let Some(root) = Root::find(self, version)?
            && let Some(roots) = self.rows.get_mut(&Column::Roots)
        {
            *roots = roots.split_off(&root.version.to_be_bytes()[..]);
        }
        let mut stale = self.rows.remove(&Column::Stale).unwrap_or_default();
        let later = stale.split_off(&version.saturating_add(1).to_be_bytes()[..]);
        for list in stale.values() {
            for (column, row) in stale_rows(list)? {
                if let Some(rows) = self.rows.get_mut(&column) {
                    rows.remove(row);
                }
            }
        }
        self.rows.insert(Column::Stale, later);
        Ok(())
    }

    /// Every key and value of the state as `version` left it; for audits, which the tree itself
    /// cannot serve.
    pub fn entries(&self, version: Version) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StateError> {
        let mut entries = BTreeMap::new();
        let none = BTreeMap::new();
        for key in self.rows.get(&Column::Preimages).unwrap_or(&none).values() {
            if let Some((_, Some(value))) = value_at(self, &key_hash(key), version)? {
                entries.insert(key.clone(), value);
            }
        }
        Ok(entries)
    }

    /// All rows, in order of column and key.
    pub fn rows(&self) -> impl Iterator<Item = (Column, &[u8], &[u8])> {
        let rows = self.rows.iter();
        rows.flat_map(|(column, rows)| rows.iter().map(|(k, v)| (*column, &k[..], &v[..])))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.values().map(BTreeMap::len).sum()
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Store for MemoryStore {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.rows.get(&column).and_then(|rows| rows.get(key)).cloned())
    }

    fn last(&self, column: Column, low: &[u8], high: &[u8]) -> Result<Option<Row>, StateError> {
        let Some(rows) = self.rows.get(&column) else { return Ok(None) };
        let mut range = rows.range::<[u8], _>((Bound::Included(low), Bound::Included(high)));
        Ok(range.next_back().map(|(key, value)| (key.clone(), value.clone())))
    }

    fn oldest(&self) -> Version {
        self.oldest
    }
}

/// A memory store that is written while snapshots read it, as a database is.
impl Store for RwLock<MemoryStore> {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        self.read().unwrap_or_else(PoisonError::into_inner).get(column, key)
    }

    fn last(&self, column: Column, low: &[u8], high: &[u8]) -> Result<Option<Row>, StateError> {
        self.read().unwrap_or_else(PoisonError::into_inner).last(column, low, high)
    }

    fn oldest(&self) -> Version {
        self.read().unwrap_or_else(PoisonError::into_inner).oldest()
    }
}
