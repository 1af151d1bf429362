//! Blocks: a header, transactions, evidence and the commit of the block before.
use std::sync::Arc;

use bytes::Bytes;
use guts_abci::proto::{self, Message};

use super::wire::{self, Fields, Value};
use super::{BlockId, Commit, Evidence, Hash, Header, Invalid, PartSet, evidence_hash, merkle};

/// The hash by which a transaction is known.
pub fn tx_hash(tx: &[u8]) -> Hash {
    Hash::of(tx)
}

/// The transactions of a block, each hashed once. Cloning copies no bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txs(Arc<Listed>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    txs: Vec<Bytes>,
    hashes: Vec<Hash>,
    encoded_len: u64,
}

impl Txs {
    /// These transactions, in this order.
    pub fn new(txs: Vec<Bytes>) -> Txs {
        let hashes = txs.iter().map(|tx| tx_hash(tx)).collect();
        let encoded_len = txs.iter().map(|tx| wire::field_len(tx.len()) as u64).sum();
        Txs(Arc::new(Listed { txs, hashes, encoded_len }))
    }

    /// The hash of each transaction, in their order.
    pub fn hashes(&self) -> &[Hash] {
        &self.0.hashes
    }

    /// The transactions.
    pub fn as_slice(&self) -> &[Bytes] {
        &self.0.txs
    }

    /// The data hash: Merkle root over the hashes of the transactions.
    pub fn hash(&self) -> Hash {
        let hashes = self.0.hashes.iter();
        let leaves: Vec<[u8; 32]> = hashes.map(|hash| merkle::leaf_hash(hash.as_bytes())).collect();
        merkle::root_of_leaves(&leaves)
    }

    /// Bytes that the transactions take in a block.
    pub fn encoded_len(&self) -> u64 {
        self.0.encoded_len
    }

    /// Checks that the transactions take at most `size_max` bytes in a block (negative: none do).
    pub fn check_size(&self, size_max: i64) -> Result<(), Invalid> {
        let size = i64::try_from(self.0.encoded_len).unwrap_or(i64::MAX);
        if size > size_max && !self.0.txs.is_empty() {
            return Err(Invalid::DataTooLarge);
        }
        Ok(())
    }

    /// Proof that the transaction at `index` is in the data hash.
    pub fn proof(&self, index: usize) -> Option<(Hash, merkle::Proof)> {
        let (root, mut proofs) = self.proofs_at([index]);
        proofs.pop().map(|proof| (root, proof))
    }

    /// The data hash, and a proof for each of the transactions at `places`, which ascend; places
    /// beyond the last are left out.
    pub fn proofs_at(&self, places: impl IntoIterator<Item = usize>) -> (Hash, Vec<merkle::Proof>) {
        let leaves: Vec<&[u8]> = self.0.hashes.iter().map(Hash::as_bytes).collect();
        merkle::proofs_at(&leaves, places)
    }
}

impl AsRef<[Bytes]> for Txs {
    fn as_ref(&self) -> &[Bytes] {
        &self.0.txs
    }
}

/// A block, internally consistent: the hashes in its header are those of its contents. Its own
/// hash is computed once. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block(Arc<Contents>);

#[derive(Debug, PartialEq, Eq)]
struct Contents {
    header: Header,
    hash: Hash,
    txs: Txs,
    evidence: Vec<Evidence>,
    last_commit: Commit,
}

impl Block {
    /// Puts a block together, filling in the header's hashes of its contents.
    pub fn new(
        mut header: Header,
        txs: Txs,
        evidence: Vec<Evidence>,
        last_commit: Commit,
    ) -> Block {
        header.data_hash = txs.hash();
        header.evidence_hash = evidence_hash(&evidence);
        header.last_commit_hash = last_commit.hash();
        let hash = header.hash();
        Block(Arc::new(Contents { header, hash, txs, evidence, last_commit }))
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// The block hash.
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// The transactions.
    pub fn txs(&self) -> &Txs {
        &self.0.txs
    }

    /// The evidence of misbehaviour.
    pub fn evidence(&self) -> &[Evidence] {
        &self.0.evidence
    }

    /// The commit of the block before; empty in the first block.
    pub fn last_commit(&self) -> &Commit {
        &self.0.last_commit
    }

    /// The protobuf encoding.
    pub fn encode(&self) -> Bytes {
        let header = self.header().to_proto().encode_to_vec();
        let txs = usize::try_from(self.txs().encoded_len()).expect("they are in memory");
        let evidence = super::evidence::encode_list(self.evidence());
        let commit = self.last_commit().encode();
        let len = header.len() + txs + evidence.len() + commit.len() + 40;
        let mut out = Vec::with_capacity(len);
        wire::put_message(&mut out, 1, &header);
        wire::put_head(&mut out, 2, txs);
        self.txs().as_slice().iter().for_each(|tx| wire::put_message(&mut out, 1, tx));
        wire::put_message(&mut out, 3, &evidence);
        wire::put_message(&mut out, 4, &commit);
        out.into()
    }

    /// The encoding cut into parts.
    pub fn part_set(&self) -> PartSet {
        PartSet::of_bytes(self.encode())
    }

    /// The name of this block when cut into `parts`.
    pub fn id(&self, parts: &PartSet) -> BlockId {
        BlockId { hash: self.hash(), parts: parts.header() }
    }

    /// Reads and checks an encoded block; transactions share its memory.
    pub fn decode(bytes: Bytes) -> Result<Block, Invalid> {
        let (mut header, mut commit) = (None, None);
        let (mut txs, mut evidence) = (Vec::new(), Vec::new());
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => {
                    header = Some(proto::types::Header::decode(bytes)?);
                }
                (2, Value::Bytes(bytes)) => {
                    let mut data = Fields::of(bytes);
                    while let Some(field) = data.next()? {
                        if let (1, Value::Bytes(tx)) = field {
                            txs.push(tx);
                        }
                    }
                }
                (3, Value::Bytes(bytes)) => {
                    evidence = proto::types::EvidenceList::decode(bytes)?.evidence;
                }
                (4, Value::Bytes(bytes)) => {
                    commit = Some(proto::types::Commit::decode(bytes)?);
                }
                _ => {}
            }
        }
        Block::checked(header.unwrap_or_default(), txs, evidence, commit)
    }

    /// Reads and checks the protobuf struct (as other messages embed it).
    pub fn from_proto(block: proto::types::Block) -> Result<Block, Invalid> {
        let txs = block.data.unwrap_or_default().txs.into_iter().map(Bytes::from).collect();
        let evidence = block.evidence.unwrap_or_default().evidence;
        Block::checked(block.header.unwrap_or_default(), txs, evidence, block.last_commit)
    }

    /// The protobuf struct (as other messages embed it).
    pub fn to_proto(&self) -> proto::types::Block {
        let txs = self.txs().as_slice().iter().map(|tx| tx.to_vec()).collect();
        let evidence = self.evidence().iter().map(Evidence::to_proto).collect();
        proto::types::Block {
            header: Some(self.header().to_proto()),
            data: Some(proto::types::Data { txs }),
            evidence: Some(proto::types::EvidenceList { evidence }),
            last_commit: Some(self.last_commit().to_proto()),
        }
    }

    fn checked(
        header: proto::types::Header,
        txs: Vec<Bytes>,
        evidence: Vec<proto::types::Evidence>,
        commit: Option<proto::types::Commit>,
    ) -> Result<Block, Invalid> {
        let header =
            Header::from_proto(header).map_err(|error| Invalid::Header(Box::new(error)))?;
        let last_commit = Commit::from_proto(commit.ok_or(Invalid::LastCommitMissing)?)
            .map_err(|error| Invalid::Commit(Box::new(error)))?;
        if header.last_commit_hash != last_commit.hash() {
            return Err(Invalid::LastCommitHash);
        }
        let txs = Txs::new(txs);
        if header.data_hash != txs.hash() {
            return Err(Invalid::DataHash);
        }
        let read = |evidence| {
            Evidence::from_proto(evidence).map_err(|error| Invalid::Evidence(Box::new(error)))
        };
        let evidence = evidence.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if header.evidence_hash != evidence_hash(&evidence) {
            return Err(Invalid::EvidenceHash);
        }
        let hash = header.hash();
        Ok(Block(Arc::new(Contents { header, hash, txs, evidence, last_commit })))
    }
}
