//! Guts transactions: transfers between the accounts that a local network's genesis funds.
//!
//! Each pays its fee and changes state. An account's transactions all go to one node, because a
//! node lets in only the next nonce; so many accounts take turns that two of one account are
//! seldom on their way at once.

use guts_rpc::Query;
use guts_rpc::client::Client;
use guts_schema::sign::SecretKey;
use guts_schema::tx::Draft;
use guts_schema::{AccountId, Action, ActionKind, keys, proto, query, values};

use crate::Failure;
use crate::calls::{Calls, Question};
use crate::work::Plan;

/// What the run needs to know of the chain.
pub struct Chain {
    /// The chain's id.
    pub id: String,
    /// Keys of the funded accounts.
    pub keys: Vec<SecretKey>,
    /// The nonce each account uses next.
    pub nonces: Vec<u64>,
    /// What a transfer costs.
    pub fee: u64,
    /// Who gets what is sent, in turn; where there is nobody, the senders send to each other.
    pub others: Vec<AccountId>,
}

/// Bytes that one transfer's encoding does not pass; its fee is for as many.
const TRANSFER_BYTES_MAX: u64 = 400;

impl Chain {
    /// Asks a node (`HOST:PORT`) for prices and nonces.
    pub async fn ask(node: &str, id: &str, keys: Vec<SecretKey>) -> Result<Chain, Failure> {
        let client = Client::new(node)?;
        let terms: proto::PaymentTerms = ask(&client, query::TERMS, Vec::new()).await?;
        let params = terms.params.ok_or("the node names no prices")?;
        let kind = ActionKind::Transfer.number();
        let price = params.prices.iter().find(|price| price.kind == kind).map_or(0, |p| p.fee);
        let bytes = params.fee_per_byte.checked_mul(TRANSFER_BYTES_MAX);
        let fee = bytes.and_then(|bytes| bytes.checked_add(price)).ok_or("prices too high")?;
        let mut nonces = Vec::with_capacity(keys.len());
        for key in &keys {
            let account = AccountId::of_key(&key.public()).to_vec();
            let request = proto::PageRequest { account, ..Default::default() };
            let answer: proto::PendingNonce =
                ask(&client, query::NONCE, values::encode(&request)).await?;
            if !answer.exists {
                return Err("this network's genesis funds no accounts for load".into());
            }
            nonces.push(answer.nonce);
        }
        Ok(Chain { id: id.to_owned(), keys, nonces, fee, others: Vec::new() })
    }
}

async fn ask<M: Default + prost::Message>(
    client: &Client,
    path: &str,
    data: Vec<u8>,
) -> Result<M, Failure> {
    let query = Query { path: path.to_owned(), data: data.into(), ..Query::default() };
    let answer = client.abci_query(query).await?;
    match answer.code {
        0 => Ok(values::decode(&answer.value.0)?),
        code => Err(format!("{path} was refused ({code}): {}", answer.log).into()),
    }
}

/// What a client asks meanwhile, `rate` times a second: whether transfers are admitted, whose
/// signatures nobody has seen, and the balances of the accounts, proved.
pub fn calls(chain: &Chain, count: u64, rate: u64) -> Calls {
    let accounts: Vec<AccountId> =
        chain.keys.iter().map(|key| AccountId::of_key(&key.public())).collect();
    let tx = |index: u64| {
        let from = (index % accounts.len() as u64) as usize;
        let action = Action::Transfer { actor: accounts[from], to: accounts[from], amount: 1 };
        let draft = Draft::new(&chain.id, accounts[from], u64::MAX - index, &[action]);
        draft.fee(chain.fee).sign(accounts[from], &chain.keys[from]).encode()
    };
    let question = |account: &AccountId| Question {
        path: query::STORE,
        data: keys::account(account),
        prove: true,
    };
    let questions: Vec<Question> = accounts.iter().map(question).collect();
    let txs: Vec<Vec<u8>> = (0..count).map(tx).collect();
    Calls::new(&txs, &questions, rate)
}

/// `total` transfers, for `nodes` nodes.
pub fn plan(
    mut chain: Chain,
    total: u64,
    batch: u64,
    rate: u64,
    nodes: usize,
) -> Result<Plan, Failure> {
    let accounts: Vec<AccountId> =
        chain.keys.iter().map(|key| AccountId::of_key(&key.public())).collect();
    // Account i sends to node i % nodes; each node's accounts take turns.
    let per_node = accounts.len() / nodes;
    if per_node == 0 {
        return Err("more nodes than funded accounts".into());
    }
    let mut turns = vec![0; nodes];
    let mut txs = Vec::with_capacity(total as usize);
    for index in 0..total {
        let node = (index / batch) as usize % nodes;
        let from = node + nodes * (turns[node] % per_node);
        turns[node] += 1;
        let actor = accounts[from];
        let turn = (index as usize).checked_rem(chain.others.len());
        let to = turn.map_or(accounts[(from + 1) % accounts.len()], |turn| chain.others[turn]);
        let action = Action::Transfer { actor, to, amount: 1 };
        let draft = Draft::new(&chain.id, actor, chain.nonces[from], &[action]).fee(chain.fee);
        txs.push(draft.sign(actor, &chain.keys[from]).encode());
        chain.nonces[from] += 1;
    }
    Ok(Plan::of(&txs, batch, rate, nodes).apart(per_node / batch as usize))
}
