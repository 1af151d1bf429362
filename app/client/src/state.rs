//! Reads of one state, each proved against the app hash of a verified header.

use guts_rpc::Query;
use guts_rpc::client::Client;
use guts_rpc::client::ClientError;
use guts_rpc::types::{AbciQuery, AbciQueryResult};
use guts_schema::ids::ValidatorAddress;
use guts_schema::{AccountId, Hash, Key, Oid, RepoId, keys, names, proto, query, refs, values};
use prost::Message;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
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

/// Parameters of `abci_query`.
#[derive(Serialize)]
struct Asked {
    path: &'static str,
    data: String,
    height: String,
    prove: bool,
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
        self.good(self.client.abci_query(query).await)
    }

    /// An answer that is none of an error.
    fn good(&self, answer: Result<AbciQuery, ClientError>) -> Result<AbciQuery, Error> {
        let answer =
            answer.map_err(|source| Error::Node { address: self.address.clone(), source })?;
        if answer.code != 0 {
            return Err(Error::Refused { code: answer.code, log: answer.log });
        }
        Ok(answer)
    }

    /// What an answer says of a key, once it is proved.
    fn proved(&self, key: &[u8], answer: AbciQuery) -> Result<Option<Vec<u8>>, Error> {
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

    /// The value of a key, or that it is absent; proved.
    pub async fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.ask(query::STORE, key.to_vec(), true).await?;
        self.proved(key, answer)
    }

    /// The value of a key, decoded; proved.
    pub async fn get<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, Error> {
        decode_value(self.raw(key).await?)
    }

    /// The values of several keys, in their order, each proved as by [`State::get`]; with a tenth
    /// of the requests, since a node takes ten calls in one.
    pub async fn all<M: Message + Default>(
        &self,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<M>>, Error> {
        let ask = |key: &Vec<u8>| Asked {
            path: query::STORE,
            data: hex::encode(key),
            height: self.height.to_string(),
            prove: true,
        };
        let asked: Vec<_> = keys.iter().map(ask).collect();
        let answers = self.client.batch::<_, AbciQueryResult>("abci_query", &asked).await;
        let wrong = |source| Error::Node { address: self.address.clone(), source };
        let read = |(key, answer): (&Vec<u8>, Result<AbciQueryResult, ClientError>)| {
            let answer = self.good(answer.map(|result| result.response))?;
            decode_value(self.proved(key, answer)?)
        };
        keys.iter().zip(answers.map_err(wrong)?).map(read).collect()
    }

    /// As [`State::all`], of keys of things that are counted, so that each must be there.
    pub async fn list<M: Message + Default>(
        &self,
        what: &'static str,
        keys: &[Vec<u8>],
    ) -> Result<Vec<M>, Error> {
        let found = self.all(keys).await?.into_iter().collect::<Option<Vec<M>>>();
        found.ok_or_else(|| Error::Proof(format!("{what} is missing")))
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
        let missing = || {
            let how = "look how it is written, or give the id of the account";
            Error::Missing(format!("nobody has the handle {name}: {how}"))
        };
        self.account_of_handle(name).await?.ok_or_else(missing)
    }

    /// The handle of an account, or its id where it has none.
    pub async fn name_of(&self, account: &AccountId) -> Result<String, Error> {
        let handle = self.account(account).await?.unwrap_or_default().handle;
        Ok(if handle.is_empty() { account.to_string() } else { handle })
    }

    /// As [`State::name_of`], of several accounts, each of which is asked for once.
    pub async fn names_of(
        &self,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<BTreeMap<AccountId, String>, Error> {
        let accounts: BTreeSet<_> = accounts.into_iter().collect();
        let keys: Vec<_> = accounts.iter().map(keys::account).collect();
        let values = self.all::<proto::Account>(&keys).await?;
        let name = |(account, value): (AccountId, Option<proto::Account>)| {
            let handle = value.unwrap_or_default().handle;
            (account, if handle.is_empty() { account.to_string() } else { handle })
        };
        Ok(accounts.into_iter().zip(values).map(name).collect())
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
        let places: Vec<_> =
            (0..value.repos).map(|index| keys::owner_repo(&account, index)).collect();
        let pointers: Vec<proto::RepoPointer> = self.list("a repository", &places).await?;
        let repos = self.repos_by_id(pointers.into_iter().map(|pointer| pointer.repo)).await?;
        let own = |(id, value)| Repo { id, owner: owner.to_owned(), value };
        Ok(repos.into_iter().map(own).collect())
    }

    /// All repositories there are, in the order they were made.
    pub async fn repos(&self) -> Result<Vec<Repo>, Error> {
        let count: Option<proto::Repos> = self.get(&keys::repos()).await?;
        self.repos_named(1..=count.unwrap_or_default().count).await
    }

    /// The repository of that number, under the names that it and its owner have now.
    pub async fn repo_by_id(&self, id: RepoId) -> Result<Repo, Error> {
        self.repos_named([id.number()]).await?.pop().ok_or_else(damaged)
    }

    /// The same, of several.
    pub async fn repos_named(
        &self,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<Repo>, Error> {
        let repos = self.repos_by_id(numbers).await?;
        let owners = repos.iter().map(|(_, value)| account_id(&value.owner));
        let owners = owners.collect::<Result<Vec<_>, _>>()?;
        let names = self.names_of(owners.iter().copied()).await?;
        let named = |((id, value), owner): (_, AccountId)| {
            let owner = names.get(&owner).cloned().unwrap_or_default();
            Repo { id, owner, value }
        };
        Ok(repos.into_iter().zip(owners).map(named).collect())
    }

    async fn repos_by_id(
        &self,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<(RepoId, proto::Repo)>, Error> {
        let ids = numbers.into_iter().map(RepoId::new).collect::<Option<Vec<_>>>();
        let ids = ids.ok_or_else(damaged)?;
        let keys: Vec<_> = ids.iter().map(|id| keys::repo(*id)).collect();
        Ok(ids.into_iter().zip(self.list("a repository", &keys).await?).collect())
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

fn decode_value<M: Message + Default>(value: Option<Vec<u8>>) -> Result<Option<M>, Error> {
    let decode = |bytes: Vec<u8>| values::decode(&bytes);
    value.map(decode).transpose().map_err(|error| Error::Proof(error.to_string()))
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

#[cfg(test)]
pub(crate) mod tests;
