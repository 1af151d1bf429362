//! A chain as seen through one node that is not trusted.

mod back;
pub mod outcome;
pub mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use guts_genesis::GenesisDoc;
use guts_rpc::client::{Client, ClientError};
use guts_schema::{AccountId, keys};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tendermint::Time;
use tendermint::block::Header;
use tendermint::block::signed_header::SignedHeader;
use tendermint::validator::{Info, Set};

use crate::Error;
use crate::home::{Home, genesis_hash};
use crate::https::Https;
use crate::light::{Block, Outcome, Trusted};
use crate::send::Paying;
use crate::state::State;

/// How long a block is waited for: several times the interval at which a chain at rest makes one.
pub const BLOCK_WAIT: Duration = Duration::from_secs(90);
/// How often a node is asked whether something has happened.
pub const POLL: Duration = Duration::from_millis(40);
/// How long a read waits for a header that is on its way: many times what a block takes, and not
/// for ever, since a chain may have stopped.
const NEXT_WAIT: Duration = Duration::from_secs(20);

/// Validators of one height, at most: as many as CometBFT lets vote.
const VALIDATORS_MAX: usize = 10_000;

/// A node, the genesis pinned, and what was believed last.
#[derive(Debug)]
pub struct Chain {
    client: Client,
    address: String,
    genesis: GenesisDoc,
    trusted: Trusted,
    home: Option<Home>,
    /// Headers before that, by height, as far as they were walked to.
    behind: BTreeMap<u64, Header>,
    /// Nonces that come next after what was sent from here: a node's hint may lag.
    pub(crate) nonces: BTreeMap<AccountId, u64>,
    /// Nothing is sent: [`Chain::send`] ends with what it would cost and do.
    pub dry_run: bool,
    /// How transactions are paid, and what for one of them at most.
    pub paying: Paying,
}

#[derive(Serialize)]
struct AtHeight {
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<String>,
}

#[derive(Serialize)]
struct Page {
    height: String,
    page: String,
    per_page: &'static str,
}

#[derive(Deserialize)]
struct CommitAnswer {
    signed_header: SignedHeader,
}

#[derive(Deserialize)]
struct ValidatorsAnswer {
    validators: Vec<Info>,
    total: String,
}

impl Chain {
    /// Asks the node at `address`, believing what follows from the genesis that `home` pins.
    pub fn open(home: &Home, address: &str) -> Result<Self, Error> {
        Self::over(home, address, connect(address)?)
    }

    /// As [`Chain::open`], through a client of one's own making.
    pub fn over(home: &Home, address: &str, client: Client) -> Result<Self, Error> {
        let genesis = home.genesis()?.ok_or_else(|| {
            Error::Proof("no genesis is pinned: run 'guts init', or give --genesis".into())
        })?;
        let believed = home.trusted()?.filter(|t| t.chain_id.as_str() == genesis.chain_id.as_str());
        let trusted = match believed {
            Some(trusted) => trusted,
            None => Trusted::genesis(&genesis).map_err(Error::Proof)?,
        };
        let (address, home) = (address.to_owned(), Some(home.clone()));
        Ok(Self {
            client,
            address,
            genesis,
            trusted,
            home,
            behind: BTreeMap::new(),
            nonces: BTreeMap::new(),
            dry_run: false,
            paying: Paying::default(),
        })
    }

    /// Chain id, as pinned.
    pub fn chain_id(&self) -> &str {
        self.genesis.chain_id.as_str()
    }

    /// The genesis, as pinned.
    pub fn genesis(&self) -> &GenesisDoc {
        &self.genesis
    }

    /// The node's client, for what needs no proof.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The node's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Height of the newest header believed.
    pub fn trusted_height(&self) -> u64 {
        self.trusted.height
    }

    /// For how long a header is trusted, as the chain said last.
    pub fn trust_period(&self) -> Duration {
        self.trusted.rules().trust_period
    }

    /// An error of the node, with its address.
    pub fn node_error(&self, source: ClientError) -> Error {
        Error::Node { address: self.address.clone(), source }
    }

    async fn call<A: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
    ) -> Result<A, Error> {
        self.client.call(method, params).await.map_err(|error| self.node_error(error))
    }

    async fn signed_header(&self, height: Option<u64>) -> Result<SignedHeader, Error> {
        let params = AtHeight { height: height.map(|h| h.to_string()) };
        let answer: Option<CommitAnswer> = self.call("commit", params).await?;
        let answer = answer.ok_or_else(|| Error::Missing("the chain has no block yet".into()))?;
        let found = answer.signed_header.header.height.value();
        match height {
            Some(asked) if asked != found => {
                Err(Error::Proof(format!("asked for header {asked}, the node gave {found}")))
            }
            _ => Ok(answer.signed_header),
        }
    }

    /// The validators of a height, as many as the node says there are: a header says whether they
    /// are right. Each page must bring others, and there is a bound, so that there is an end.
    async fn validators(&self, height: u64) -> Result<Set, Error> {
        let mut all: Vec<Info> = Vec::new();
        let mut known = BTreeSet::new();
        for page in 1u64.. {
            let (height, page) = (height.to_string(), page.to_string());
            let params = Page { height, page, per_page: "100" };
            let answer: ValidatorsAnswer = self.call("validators", params).await?;
            let is_last = answer.validators.is_empty();
            let are_new = answer.validators.iter().all(|one| known.insert(one.address));
            all.extend(answer.validators);
            if !are_new || all.len() > VALIDATORS_MAX {
                return Err(Error::Proof("the list of validators has no end".into()));
            }
            let total: usize = answer.total.parse().unwrap_or(0);
            if is_last || all.len() >= total {
                break;
            }
        }
        Ok(Set::without_proposer(all))
    }

    async fn block(&self, signed_header: SignedHeader) -> Result<Block, Error> {
        let height = signed_header.header.height.value();
        let header = &signed_header.header;
        // Mostly they are the same, and those believed already.
        let known = Set::without_proposer(self.trusted.next_validators.clone());
        let known_hash = known.hash();
        let validators = match header.validators_hash == known_hash {
            true => known.clone(),
            false => self.validators(height).await?,
        };
        let next_validators = match header.next_validators_hash == known_hash {
            true => known,
            false => self.validators(height.saturating_add(1)).await?,
        };
        Ok(Block { signed_header, validators, next_validators })
    }

    /// The newest header, verified.
    pub async fn latest(&mut self) -> Result<Header, Error> {
        let signed = self.signed_header(None).await?;
        self.believe(signed).await
    }

    /// The header of that height, verified.
    pub async fn header(&mut self, height: u64) -> Result<Header, Error> {
        match &self.trusted.header {
            Some(known) if height == self.trusted.height => return Ok(known.clone()),
            _ if height < self.trusted.height => return self.header_before(height).await,
            _ => {}
        }
        let signed = self.signed_header(Some(height)).await?;
        self.believe(signed).await
    }

    async fn believe(&mut self, signed: SignedHeader) -> Result<Header, Error> {
        let height = signed.header.height.value();
        if let Some(known) = &self.trusted.header {
            if height == self.trusted.height {
                return match known.hash() == signed.header.hash() {
                    true => Ok(known.clone()),
                    false => Err(Error::Proof(format!("two different headers at {height}"))),
                };
            }
            if height < self.trusted.height {
                return Err(Error::Proof(format!(
                    "the node is at height {height}, {} was seen before",
                    self.trusted.height
                )));
            }
        }
        let wanted = signed.header.clone();
        let mut todo = vec![self.block(signed).await?];
        while let Some(block) = todo.last() {
            match self.trusted.check(block, &self.trusted.rules(), Time::now()) {
                Outcome::Trusted(trusted) => {
                    self.trusted = *trusted;
                    todo.pop();
                }
                Outcome::TooFar => {
                    let between = self.trusted.height + (block.height() - self.trusted.height) / 2;
                    if between == self.trusted.height {
                        return Err(Error::Proof("too few of the validators signed".into()));
                    }
                    let signed = self.signed_header(Some(between)).await?;
                    todo.push(self.block(signed).await?);
                }
                Outcome::Expired => return Err(self.expired()),
                Outcome::Wrong(why) => return Err(self.explain(why).await),
            }
        }
        self.remember()?;
        Ok(wanted)
    }

    fn remember(&self) -> Result<(), Error> {
        match &self.home {
            Some(home) => home.save_trusted(&self.trusted),
            None => Ok(()),
        }
    }

    /// The likeliest reason why a header is wrong is another network at the same address.
    async fn explain(&self, why: String) -> Error {
        let other = self.client.genesis().await.ok();
        let other = other.and_then(|found| GenesisDoc::parse(found.genesis.get()).ok());
        match other {
            Some(doc) if genesis_hash(&doc) != genesis_hash(&self.genesis) => {
                let (found, pinned) = (genesis_hash(&doc), genesis_hash(&self.genesis));
                Error::Proof(format!(
                    "the node runs chain {} with genesis {found}, pinned is {} with {pinned}; for \
                     another network set another GUTS_HOME",
                    doc.chain_id.as_str(),
                    self.chain_id(),
                ))
            }
            _ => Error::Proof(why),
        }
    }

    /// The newest state that can be proved. On a chain that has just begun, waits for it.
    pub async fn state(&mut self) -> Result<State, Error> {
        let state = self.newest_state().await?;
        self.learn_trust_period(&state).await?;
        Ok(state)
    }

    async fn newest_state(&mut self) -> Result<State, Error> {
        let state = self.proved_state().await?;
        self.after_next(state).await
    }

    /// The state that the newest header proves; what the newest block did is not in it yet.
    pub(crate) async fn proved_state(&mut self) -> Result<State, Error> {
        let first = self.genesis.initial_height.get();
        let header = self.signed_header(None).await;
        if let Ok(signed) = header
            && signed.header.height.value() == first
        {
            // The first header proves the state of the genesis. It has no height of its own, but
            // that of the first block is the same unless the block changed it; then the next
            // block comes at once.
            let header = self.believe(signed).await?;
            let state = State::new(self.client.clone(), self.address.clone(), &header, first);
            if state.raw(&keys::params()).await.is_ok() {
                return Ok(state);
            }
        }
        self.state_of(first).await
    }

    /// What was just written is proved by the next header. If the application says that it holds
    /// another state than this one, the header that proves it is on its way, and perhaps the one
    /// before as well; it is waited for, not for ever. A block that changed nothing has no next one
    /// on a chain at rest: its own header names the state, which the one before left.
    async fn after_next(&mut self, newest: State) -> Result<State, Error> {
        let info = self.client.abci_info().await.map_err(|error| self.node_error(error))?;
        let held = info.last_block_app_hash.0;
        let height = u64::try_from(info.last_block_height);
        let height = height.map_err(|_| Error::Proof("height".into()))?;
        if height <= newest.height() || held == newest.app_hash() {
            return Ok(newest);
        }
        let is_it =
            |header: &Header| header.height.value() > height || held == header.app_hash.as_bytes();
        let next = self.state_by(is_it, NEXT_WAIT).await?;
        // A chain that has stopped is read as far as it is proved.
        Ok(next.unwrap_or(newest))
    }

    /// The newest state that can be proved, but not before what block `height` left: the state of
    /// a block is proved by the header of the next, so that one is waited for.
    pub async fn state_of(&mut self, height: u64) -> Result<State, Error> {
        let is_it = |header: &Header| header.height.value() > height;
        let state = self.state_by(is_it, BLOCK_WAIT).await?;
        let what = || format!("the block after {height}");
        state.ok_or_else(|| Error::Late { what: what(), seconds: BLOCK_WAIT.as_secs() })
    }

    /// The state that the newest header proves, once that is one for which `is_it` holds; `None`
    /// when there is none after `patience`.
    async fn state_by(
        &mut self,
        is_it: impl Fn(&Header) -> bool,
        patience: Duration,
    ) -> Result<Option<State>, Error> {
        let since = Instant::now();
        loop {
            match self.signed_header(None).await {
                Ok(signed) if is_it(&signed.header) => {
                    let header = self.believe(signed).await?;
                    let (client, address) = (self.client.clone(), self.address.clone());
                    let height = header.height.value() - 1;
                    return Ok(Some(State::new(client, address, &header, height)));
                }
                Ok(_) | Err(Error::Missing(_)) => {}
                Err(error) => return Err(error),
            }
            if since.elapsed() > patience {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// A client of the node at that address, over TLS if it begins with `https://`.
pub fn connect(address: &str) -> Result<Client, Error> {
    let client = match address.starts_with("https://") {
        true => Https::new(address).map(|transport| Client::over(Arc::new(transport))),
        false => Client::new(address),
    };
    client.map_err(|source| Error::Node { address: address.to_owned(), source })
}

/// The genesis that a node gives: worth as much as the node, until its hash is compared.
pub async fn genesis_of(address: &str) -> Result<GenesisDoc, Error> {
    let answer = connect(address)?.genesis().await;
    let answer = answer.map_err(|source| Error::Node { address: address.to_owned(), source })?;
    GenesisDoc::parse(answer.genesis.get()).map_err(|error| Error::Proof(error.to_string()))
}

#[cfg(test)]
pub(crate) mod tests;
