//! Reads of one state, each proved against the app hash of a verified header.

use guts_rpc::Query;
use guts_rpc::client::Client;
use guts_rpc::types::AbciQuery;
use guts_schema::ids::ValidatorAddress;
use guts_schema::{AccountId, Hash, Key, Oid, RepoId, keys, names, proto, query, refs, values};
use prost::Message;
use std::collections::BTreeMap;
use tendermint::block::Header;

use crate::{Error, proof};

mod tally;

/// The state that a header proves: what the block before it left.
#[derive(Clone, Debug)]
pub struct State {
    client: Client,
    address: String,
    height: u64,
    time: tendermint::Time,
    app_hash: Vec<u8>,
}

/// A repository and its owner's handle.
#[derive(Clone, Debug, PartialEq)]
pub struct Repo {
    /// Its number.
    pub id: RepoId,
    /// Handle of its owner.
    pub owner: String,
    /// What the state says of it.
    pub value: proto::Repo,
}

impl Repo {
    /// `owner/name`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.owner, self.value.name)
    }
}

/// All refs of a repository, proved to be all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refs {
    /// By name.
    pub refs: BTreeMap<String, Oid>,
    /// Digest over them, as proved.
    pub root: Hash,
    /// Entries in the ref log.
    pub log_count: u64,
}

impl State {
    /// The state at `height`, proved by `header`.
    pub(crate) fn new(client: Client, address: String, header: &Header, height: u64) -> Self {
        let app_hash = header.app_hash.as_bytes().to_vec();
        Self { client, address, height, time: header.time, app_hash }
    }

    /// Height of the block that left this state.
    pub const fn height(&self) -> u64 {
        self.height
    }

    /// Time of the header that proves it.
    pub const fn time(&self) -> tendermint::Time {
        self.time
    }

    /// Root of the state, from that header.
    pub fn app_hash(&self) -> &[u8] {
        &self.app_hash
    }

    async fn ask(&self, path: &str, data: Vec<u8>, prove: bool) -> Result<AbciQuery, Error> {
        let height = i64::try_from(self.height).map_err(|_| Error::Proof("height".into()))?;
        let query = Query { path: path.into(), data: data.into(), height, prove };
        let answer = self.client.abci_query(query).await;
        let answer =
            answer.map_err(|source| Error::Node { address: self.address.clone(), source })?;
        if answer.code != 0 {
            return Err(Error::Refused { code: answer.code, log: answer.log });
        }
        Ok(answer)
    }

    /// The value of a key, or that it is absent; proved.
    pub async fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.ask(query::STORE, key.to_vec(), true).await?;
        if u64::try_from(answer.height) != Ok(self.height) {
            return Err(Error::Proof(format!(
                "asked for the state at height {}, the node answered for {}",
                self.height, answer.height
            )));
        }
        let value = Some(answer.value.0).filter(|value| !value.is_empty());
        proof::check_state(answer.proof_ops.as_ref(), &self.app_hash, key, value.as_deref())?;
        Ok(value)
    }

    /// The value of a key, decoded; proved.
    pub async fn get<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, Error> {
        let value = self.raw(key).await?;
        let decode = |bytes: Vec<u8>| values::decode(&bytes);
        value.map(decode).transpose().map_err(|error| Error::Proof(error.to_string()))
    }

    /// What an unproved query answers: to be checked, or a hint.
    pub async fn hint<M: Message + Default>(
        &self,
        path: &str,
        request: &proto::PageRequest,
    ) -> Result<M, Error> {
        let answer = self.ask(path, request.encode_to_vec(), false).await?;
        decode_answer(path, &answer.value.0)
    }

    /// As [`State::get`], on the node's word alone: for looking through many keys, of which those
    /// that matter are then proved.
    pub async fn unproved<M: Message + Default>(&self, key: Vec<u8>) -> Result<M, Error> {
        let answer = self.ask(query::STORE, key, false).await?;
        decode_answer(query::STORE, &answer.value.0)
    }

    /// An account.
    pub async fn account(&self, id: &AccountId) -> Result<Option<proto::Account>, Error> {
        self.get(&keys::account(id)).await
    }

    /// The account that a key is or was valid for.
    pub async fn account_of_key(&self, key: &Key) -> Result<Option<AccountId>, Error> {
        let record: Option<proto::KeyRecord> = self.get(&keys::key(key)).await?;
        record.map(|record| account_id(&record.account)).transpose()
    }

    /// The account that has a handle.
    pub async fn account_of_handle(&self, handle: &str) -> Result<Option<AccountId>, Error> {
        let record: Option<proto::HandleRecord> = self.get(&keys::handle(handle)).await?;
        record.map(|record| account_id(&record.account)).transpose()
    }

    /// The account that a handle or an account id names. The id need not exist.
    pub async fn who(&self, name: &str) -> Result<AccountId, Error> {
        if let Ok(id) = name.parse() {
            return Ok(id);
        }
        let missing = || Error::Missing(format!("nobody has the handle {name}"));
        self.account_of_handle(name).await?.ok_or_else(missing)
    }

    /// The handle of an account, or its id where it has none.
    pub async fn name_of(&self, account: &AccountId) -> Result<String, Error> {
        let handle = self.account(account).await?.unwrap_or_default().handle;
        Ok(if handle.is_empty() { account.to_string() } else { handle })
    }

    /// The repository `owner/name`, also by a name it had before.
    pub async fn repo(&self, path: &str) -> Result<Repo, Error> {
        let (owner, name) =
            names::parse_repo_path(path).map_err(|error| Error::Usage(error.to_string()))?;
        let missing = || {
            Error::Missing(format!(
                "repository {path} does not exist: make it with 'guts repo create'"
            ))
        };
        let account = self.account_of_handle(owner).await?.ok_or_else(missing)?;
        let pointer: Option<proto::RepoPointer> =
            self.get(&keys::repo_name(&account, name)).await?;
        let pointer = pointer.ok_or_else(missing)?;
        let is_former = pointer.former;
        let mut repo = self.repo_of(pointer, owner).await?;
        if repo.value.owner == account.to_vec() && repo.value.name == name {
            return Ok(repo);
        }
        if !is_former {
            return Err(damaged());
        }
        repo.owner = self.name_of(&account_id(&repo.value.owner)?).await?;
        Ok(repo)
    }

    async fn repo_of(&self, pointer: proto::RepoPointer, owner: &str) -> Result<Repo, Error> {
        let id = RepoId::new(pointer.repo).ok_or_else(damaged)?;
        let value: Option<proto::Repo> = self.get(&keys::repo(id)).await?;
        Ok(Repo { id, owner: owner.to_owned(), value: value.ok_or_else(damaged)? })
    }

    /// All repositories of an owner, in the order they were made.
    pub async fn repos_of(&self, owner: &str) -> Result<Vec<Repo>, Error> {
        let missing = || Error::Missing(format!("nobody has the handle {owner}"));
        let account = self.account_of_handle(owner).await?.ok_or_else(missing)?;
        let value = self.account(&account).await?.ok_or_else(damaged)?;
        let mut repos = Vec::new();
        for index in 0..value.repos {
            let pointer: Option<proto::RepoPointer> =
                self.get(&keys::owner_repo(&account, index)).await?;
            repos.push(self.repo_of(pointer.ok_or_else(damaged)?, owner).await?);
        }
        Ok(repos)
    }

    /// All repositories there are, in the order they were made.
    pub async fn repos(&self) -> Result<Vec<Repo>, Error> {
        let count: Option<proto::Repos> = self.get(&keys::repos()).await?;
        let mut repos = Vec::new();
        for number in 1..=count.unwrap_or_default().count {
            repos.push(self.repo_by_id(RepoId::new(number).ok_or_else(damaged)?).await?);
        }
        Ok(repos)
    }

    /// The repository of that number, under the names that it and its owner have now.
    pub async fn repo_by_id(&self, id: RepoId) -> Result<Repo, Error> {
        let pointer = proto::RepoPointer { repo: id.number(), ..Default::default() };
        let mut repo = self.repo_of(pointer, "").await?;
        repo.owner = self.name_of(&account_id(&repo.value.owner)?).await?;
        Ok(repo)
    }

    /// All refs of a repository: the listing is the node's, that it is right and complete is
    /// proved by the root over it.
    pub async fn refs(&self, repo: RepoId) -> Result<Refs, Error> {
        let head: Option<proto::RefsHead> = self.get(&keys::refs(repo)).await?;
        let head = head.ok_or_else(damaged)?;
        let root = Hash::from_slice(&head.root).map_err(|_| damaged())?;
        let listing: proto::RefListing = self.hint(query::REFS, &query::of_repo(repo)).await?;
        let refs = listing
            .refs
            .into_iter()
            .map(|entry| Some((entry.name, Oid::from_slice(&entry.oid).ok()?)))
            .collect::<Option<BTreeMap<_, _>>>()
            .ok_or_else(|| Error::Proof("the listing of refs is malformed".into()))?;
        if refs::root(&refs) != root {
            return Err(Error::Proof(format!(
                "the listing of {} refs is not the one that refs_root {root} stands for",
                refs.len()
            )));
        }
        Ok(Refs { refs, root, log_count: head.log_count })
    }

    /// An entry of a repository's ref log.
    pub async fn log_entry(&self, repo: RepoId, number: u64) -> Result<proto::RefLogEntry, Error> {
        self.get(&keys::ref_log(repo, number)).await?.ok_or_else(damaged)
    }
}

/// Reads the answer to a query; an empty message may be written as a value of the state is.
pub(crate) fn decode_answer<M: Message + Default>(path: &str, bytes: &[u8]) -> Result<M, Error> {
    M::decode(values::body(bytes))
        .map_err(|_| Error::Proof(format!("the answer to {path} is malformed")))
}

/// An account id out of a value.
pub fn account_id(bytes: &[u8]) -> Result<AccountId, Error> {
    AccountId::from_slice(bytes).map_err(|_| damaged())
}

/// A validator's address out of a value.
pub fn validator_address(bytes: &[u8]) -> Result<ValidatorAddress, Error> {
    ValidatorAddress::from_slice(bytes).map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::Proof("the state contradicts itself".into())
}
