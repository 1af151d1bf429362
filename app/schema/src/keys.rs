//! State keys: one function each, spelled once.
//!
//! A key is an ASCII tag ending in `/`, then parts of fixed length (ids as bytes, numbers
//! big-endian), then at most one text, closed by a zero byte that no text contains. So no key is
//! a prefix of another, and a client builds the key it wants proved from what it knows.

use crate::ids::{AccountId, Hash, Key, PushId, RepoId, ValidatorAddress};
use crate::limits::ANCHORS_MAX;

/// What keys begin with: there are no others.
pub const TAGS: [&str; 58] = [
    "account/",
    "anchor/",
    "anchors/",
    "candidates/",
    "certificate/",
    "comment/",
    "comment_edit/",
    "delegation/",
    "delegations_of/",
    "epoch/",
    "faucet/",
    "faucet_draw/",
    "guardians/",
    "handle/",
    "handle_commit/",
    "issue/",
    "key/",
    "missed/",
    "operator/",
    "org/",
    "orgs/",
    "owner_repo/",
    "params/",
    "proposal/",
    "proposals/",
    "protections/",
    "push/",
    "pushes_of/",
    "pushes_pending/",
    "queue_ends/",
    "queue_item/",
    "reactions/",
    "recovery/",
    "ref/",
    "ref_bucket/",
    "ref_dir/",
    "ref_log/",
    "reference/",
    "reference_of/",
    "refs/",
    "repo/",
    "repo_access/",
    "repo_name/",
    "repos/",
    "star/",
    "supply/",
    "thread/",
    "threads/",
    "tick/",
    "tracker/",
    "unbonding/",
    "upgrade/",
    "validator/",
    "validators/",
    "validators_at/",
    "validators_changes/",
    "vote/",
    "vote_of/",
];

fn join(tag: &str, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut key = Vec::with_capacity(tag.len() + length);
    key.extend_from_slice(tag.as_bytes());
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

fn text(tag: &str, fixed: &[u8], text: &str) -> Vec<u8> {
    debug_assert!(!text.contains('\0'), "names have no zero byte");
    join(tag, &[fixed, text.as_bytes(), b"\0"])
}

/// `proto::Params`.
pub fn params() -> Vec<u8> {
    join("params/", &[])
}

/// `proto::Supply`.
pub fn supply() -> Vec<u8> {
    join("supply/", &[])
}

/// `proto::Account`.
pub fn account(id: &AccountId) -> Vec<u8> {
    join("account/", &[id.as_bytes()])
}

/// `proto::KeyRecord`: whose key this is, and when it is valid.
pub fn key(key: &Key) -> Vec<u8> {
    join("key/", &[key.as_bytes()])
}

/// `proto::Guardians` of an account.
pub fn guardians(account: &AccountId) -> Vec<u8> {
    join("guardians/", &[account.as_bytes()])
}

/// `proto::Recovery` of an account, while one is under way.
pub fn recovery(account: &AccountId) -> Vec<u8> {
    join("recovery/", &[account.as_bytes()])
}

/// `proto::HandleRecord`.
pub fn handle(handle: &str) -> Vec<u8> {
    text("handle/", &[], handle)
}

/// `proto::HandleCommit` of an account.
pub fn handle_commit(account: &AccountId, commitment: &Hash) -> Vec<u8> {
    join("handle_commit/", &[account.as_bytes(), commitment.as_bytes()])
}

/// `proto::Anchors`.
pub fn anchors() -> Vec<u8> {
    join("anchors/", &[])
}

/// `proto::Anchor` with that number; the last [`ANCHORS_MAX`] share as many slots.
pub fn anchor(number: u64) -> Vec<u8> {
    join("anchor/", &[&(number % ANCHORS_MAX).to_be_bytes()])
}

/// Queues of things that fall due, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// Handle commitments, until they expire.
    HandleCommits,
    /// Closed pushes, remembered until their certificate is stale.
    Pushes,
    /// Stake that left a validator; items are named by their own numbers.
    Unbondings,
}

impl Queue {
    const fn number(self) -> u8 {
        match self {
            Self::HandleCommits => 1,
            Self::Pushes => 2,
            Self::Unbondings => 3,
        }
    }
}

/// `proto::QueueEnds`.
pub fn queue_ends(queue: Queue) -> Vec<u8> {
    join("queue_ends/", &[&[queue.number()]])
}

/// `proto::QueueItem`.
pub fn queue_item(queue: Queue, number: u64) -> Vec<u8> {
    join("queue_item/", &[&[queue.number()], &number.to_be_bytes()])
}

/// `proto::Validators`: the newest set, in force or about to be.
pub fn validators() -> Vec<u8> {
    join("validators/", &[])
}

/// `proto::Validators` whose signatures count from `height` on.
pub fn validators_at(height: u64) -> Vec<u8> {
    join("validators_at/", &[&height.to_be_bytes()])
}

/// `proto::ValidatorsChanges`.
pub fn validators_changes() -> Vec<u8> {
    join("validators_changes/", &[])
}

/// `proto::ValidatorInfo`.
pub fn validator(address: &ValidatorAddress) -> Vec<u8> {
    join("validator/", &[address.as_bytes()])
}

/// `proto::Candidates`.
pub fn candidates() -> Vec<u8> {
    join("candidates/", &[])
}

/// `proto::OperatorOf`: the validator that an account operates.
pub fn operator(account: &AccountId) -> Vec<u8> {
    join("operator/", &[account.as_bytes()])
}

/// `proto::Delegation` of an account with a validator.
pub fn delegation(validator: &ValidatorAddress, account: &AccountId) -> Vec<u8> {
    join("delegation/", &[validator.as_bytes(), account.as_bytes()])
}

/// `proto::DelegationsOf` an account.
pub fn delegations_of(account: &AccountId) -> Vec<u8> {
    join("delegations_of/", &[account.as_bytes()])
}

/// `proto::Unbonding` with that number.
pub fn unbonding(number: u64) -> Vec<u8> {
    join("unbonding/", &[&number.to_be_bytes()])
}

/// `proto::Missed` of a validator.
pub fn missed(validator: &ValidatorAddress) -> Vec<u8> {
    join("missed/", &[validator.as_bytes()])
}

/// `proto::Epoch`.
pub fn epoch() -> Vec<u8> {
    join("epoch/", &[])
}

/// `proto::Proposals`.
pub fn proposals() -> Vec<u8> {
    join("proposals/", &[])
}

/// `proto::Proposal` with that number.
pub fn proposal(number: u64) -> Vec<u8> {
    join("proposal/", &[&number.to_be_bytes()])
}

/// `proto::VoteCast` number `index` on a proposal.
pub fn vote(proposal: u64, index: u64) -> Vec<u8> {
    join("vote/", &[&proposal.to_be_bytes(), &index.to_be_bytes()])
}

/// `proto::VoteOf` an account on a proposal.
pub fn vote_of(proposal: u64, account: &AccountId) -> Vec<u8> {
    join("vote_of/", &[&proposal.to_be_bytes(), account.as_bytes()])
}

/// `proto::UpgradePlan`, while one waits for its height.
pub fn upgrade() -> Vec<u8> {
    join("upgrade/", &[])
}

/// `proto::Faucet`.
pub fn faucet() -> Vec<u8> {
    join("faucet/", &[])
}

/// `proto::FaucetDraw` of an account.
pub fn faucet_draw(account: &AccountId) -> Vec<u8> {
    join("faucet_draw/", &[account.as_bytes()])
}

/// `proto::Repos`.
pub fn repos() -> Vec<u8> {
    join("repos/", &[])
}

/// `proto::Repo`.
pub fn repo(id: RepoId) -> Vec<u8> {
    join("repo/", &[&id.number().to_be_bytes()])
}

/// `proto::RepoPointer`: the repository of that owner and name.
pub fn repo_name(owner: &AccountId, name: &str) -> Vec<u8> {
    text("repo_name/", owner.as_bytes(), name)
}

/// `proto::RepoPointer`: the owner's repository number `index`, from 0 on.
pub fn owner_repo(owner: &AccountId, index: u64) -> Vec<u8> {
    join("owner_repo/", &[owner.as_bytes(), &index.to_be_bytes()])
}

/// `proto::RepoAccess`.
pub fn repo_access(repo: RepoId) -> Vec<u8> {
    join("repo_access/", &[&repo.number().to_be_bytes()])
}

/// `proto::Protections`.
pub fn protections(repo: RepoId) -> Vec<u8> {
    join("protections/", &[&repo.number().to_be_bytes()])
}

/// `proto::Star` that an account gave a repository.
pub fn star(repo: RepoId, account: &AccountId) -> Vec<u8> {
    join("star/", &[&repo.number().to_be_bytes(), account.as_bytes()])
}

/// `proto::Threads` of a repository.
pub fn threads(repo: RepoId) -> Vec<u8> {
    join("threads/", &[&repo.number().to_be_bytes()])
}

/// `proto::Thread`.
pub fn thread(repo: RepoId, number: u64) -> Vec<u8> {
    join("thread/", &[&repo.number().to_be_bytes(), &number.to_be_bytes()])
}

/// `proto::CommentValue`.
pub fn comment(repo: RepoId, number: u64, comment: u64) -> Vec<u8> {
    let parts = [repo.number(), number, comment].map(u64::to_be_bytes);
    join("comment/", &[&parts.concat()])
}

/// `proto::CommentEdit`: former text number `edit` of a comment.
pub fn comment_edit(repo: RepoId, number: u64, comment: u64, edit: u64) -> Vec<u8> {
    let parts = [repo.number(), number, comment, edit].map(u64::to_be_bytes);
    join("comment_edit/", &[&parts.concat()])
}

/// `proto::Reactions` of an account to a comment.
pub fn reactions(repo: RepoId, number: u64, comment: u64, account: &AccountId) -> Vec<u8> {
    let parts = [repo.number(), number, comment].map(u64::to_be_bytes);
    join("reactions/", &[&parts.concat(), account.as_bytes()])
}

/// `proto::Reference` number `index` to a thread.
pub fn reference(repo: RepoId, number: u64, index: u64) -> Vec<u8> {
    let parts = [repo.number(), number, index].map(u64::to_be_bytes);
    join("reference/", &[&parts.concat()])
}

/// `proto::ReferenceOf`: that a thread is referred to by another.
pub fn reference_of(repo: RepoId, number: u64, from_repo: RepoId, from_number: u64) -> Vec<u8> {
    let parts = [repo.number(), number, from_repo.number(), from_number].map(u64::to_be_bytes);
    join("reference_of/", &[&parts.concat()])
}

/// `proto::Issue`.
pub fn issue(repo: RepoId, number: u64) -> Vec<u8> {
    join("issue/", &[&repo.number().to_be_bytes(), &number.to_be_bytes()])
}

/// `proto::Tracker` of a repository.
pub fn tracker(repo: RepoId) -> Vec<u8> {
    join("tracker/", &[&repo.number().to_be_bytes()])
}

/// `proto::Orgs`.
pub fn orgs() -> Vec<u8> {
    join("orgs/", &[])
}

/// `proto::Org`, by its account id.
pub fn org(id: &AccountId) -> Vec<u8> {
    join("org/", &[id.as_bytes()])
}

/// `proto::RefsHead`.
pub fn refs(repo: RepoId) -> Vec<u8> {
    join("refs/", &[&repo.number().to_be_bytes()])
}

/// `proto::RefRecord`.
pub fn ref_record(repo: RepoId, name: &str) -> Vec<u8> {
    text("ref/", &repo.number().to_be_bytes(), name)
}

/// `proto::RefBucket`.
pub fn ref_bucket(repo: RepoId, bucket: u8) -> Vec<u8> {
    join("ref_bucket/", &[&repo.number().to_be_bytes(), &[bucket]])
}

/// `proto::RefDir`: refs below the directory `dir` (without a slash at its end).
pub fn ref_dir(repo: RepoId, dir: &str) -> Vec<u8> {
    text("ref_dir/", &repo.number().to_be_bytes(), dir)
}

/// `proto::RefLogEntry` with that number, from 0 on.
pub fn ref_log(repo: RepoId, number: u64) -> Vec<u8> {
    join("ref_log/", &[&repo.number().to_be_bytes(), &number.to_be_bytes()])
}

/// `proto::Push`, while pending and until its certificate is stale.
pub fn push(id: &PushId) -> Vec<u8> {
    join("push/", &[id.as_bytes()])
}

/// `proto::PushesPending`.
pub fn pushes_pending() -> Vec<u8> {
    join("pushes_pending/", &[])
}

/// `proto::PushesOf` one account, brought by one gateway's.
pub fn pushes_of(account: &AccountId, gateway: &AccountId) -> Vec<u8> {
    join("pushes_of/", &[account.as_bytes(), gateway.as_bytes()])
}

/// `proto::SpentCertificate`, by its hash, until it is stale.
pub fn certificate(hash: &Hash) -> Vec<u8> {
    join("certificate/", &[hash.as_bytes()])
}

/// `proto::Tick`: written in blocks that have pushes pending, so that blocks go on.
pub fn tick() -> Vec<u8> {
    join("tick/", &[])
}

#[cfg(test)]
mod tests;
