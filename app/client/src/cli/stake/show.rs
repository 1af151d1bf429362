//! `guts stake show`: what an account has with validators, what is due to it, what is on its way.

use guts_schema::ids::ValidatorAddress;
use guts_schema::keys::Queue;
use guts_schema::stake;
use guts_schema::{AccountId, keys, proto};
use serde_json::{Value, json};

use super::super::Context;
use super::super::account::resolve;
use super::super::out::time;
use crate::state::validator_address;
use crate::{Error, State};

/// Entries of the queue that are asked for at a time.
const AT_A_TIME: u64 = 64;

pub(super) async fn show(context: &Context, who: Option<&str>) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let account = resolve(context, &state, who).await?;
    let of: Option<proto::DelegationsOf> = state.get(&keys::delegations_of(&account)).await?;
    let of = of.unwrap_or_default();
    let (mut listed, mut rows) = (Vec::new(), Vec::new());
    for address in &of.validators {
        let (row, value) = delegation(&state, &validator_address(address)?, &account).await?;
        rows.push(row);
        listed.push(value);
    }
    context.out.table(&rows);
    let on_their_way = unbondings(&state, &account, of.unbondings).await?;
    let (rows, on_their_way): (Vec<_>, Vec<_>) = on_their_way.into_iter().unzip();
    context.out.table(&rows);
    let count = listed.len();
    context.out.fact(&format!("proved at height {}: {count}, and no other", state.height()));
    context.out.result(&json!({
        "account": account.to_string(),
        "delegations": listed,
        "unbondings": on_their_way,
        "proved_height": state.height(),
    }));
    Ok(())
}

/// A row for people, and the same for programs.
type Shown<const N: usize> = ([String; N], Value);

async fn delegation(
    state: &State,
    validator: &ValidatorAddress,
    account: &AccountId,
) -> Result<Shown<4>, Error> {
    let value: Option<proto::Delegation> = state.get(&keys::delegation(validator, account)).await?;
    let info: Option<proto::ValidatorInfo> = state.get(&keys::validator(validator)).await?;
    let (value, info) = (value.unwrap_or_default(), info.unwrap_or_default());
    // Slashing takes stake and leaves shares.
    let worth = stake::worth(&info, value.shares);
    let wrong = || Error::Proof("rewards that run backwards".into());
    let due = stake::claimable(&value, &info, account).ok_or_else(wrong)?;
    let shown = json!({
        "validator": validator.to_string(),
        "name": info.name,
        "amount": worth.to_string(),
        "shares": value.shares.to_string(),
        "rewards": due.to_string(),
    });
    let name = if info.name.is_empty() { "unnamed".to_owned() } else { info.name };
    let rewards = if due > 0 { format!("{due} to claim") } else { String::new() };
    Ok(([validator.to_string(), worth.to_string(), name, rewards], shown))
}

async fn called(state: &State, validator: &ValidatorAddress) -> Result<String, Error> {
    let info: Option<proto::ValidatorInfo> = state.get(&keys::validator(validator)).await?;
    let name = info.unwrap_or_default().name;
    Ok(if name.is_empty() { validator.to_string() } else { name })
}

/// Numbers of the entries of the queue that are the account's, as the node says: the queue holds
/// everybody's. It is looked through until so many were found.
async fn numbers(state: &State, account: &AccountId, count: u64) -> Result<Vec<u64>, Error> {
    let ends: Option<proto::QueueEnds> = state.get(&keys::queue_ends(Queue::Unbondings)).await?;
    let proto::QueueEnds { mut first, next } = ends.unwrap_or_default();
    let mut found = Vec::new();
    while first < next && (found.len() as u64) < count {
        let end = first.saturating_add(AT_A_TIME).min(next);
        let ask = |number| state.unproved::<proto::Unbonding>(keys::unbonding(number));
        let entries = futures::future::try_join_all((first..end).map(ask)).await?;
        let own = (first..end).zip(entries);
        let own = own.filter(|(_, entry)| entry.delegator == account.as_bytes());
        found.extend(own.map(|(number, _)| number));
        first = end;
    }
    Ok(found)
}

/// What left validators and still answers for them. The account's are counted, and each is proved,
/// so that none is left out.
async fn unbondings(
    state: &State,
    account: &AccountId,
    count: u64,
) -> Result<Vec<Shown<2>>, Error> {
    let mut listed = Vec::new();
    if count == 0 {
        return Ok(listed);
    }
    let wrong = || Error::Proof("an unbonding is missing".into());
    for number in numbers(state, account, count).await? {
        let entry: Option<proto::Unbonding> = state.get(&keys::unbonding(number)).await?;
        let entry = entry.filter(|entry| entry.delegator == account.as_bytes());
        listed.push(unbonding(state, &entry.ok_or_else(wrong)?).await?);
    }
    if listed.len() as u64 == count { Ok(listed) } else { Err(wrong()) }
}

async fn unbonding(state: &State, entry: &proto::Unbonding) -> Result<Shown<2>, Error> {
    let (validator, amount) = (validator_address(&entry.validator)?, entry.amount);
    let (from, until) = (called(state, &validator).await?, time(entry.due_s));
    let (to, line) = match entry.to.is_empty() {
        true => (None, format!("on its way back from {from}, until {until}")),
        false => {
            let address = validator_address(&entry.to)?;
            let name = called(state, &address).await?;
            let line = format!("now with {name}, answers for {from} until {until}");
            (Some(address.to_string()), line)
        }
    };
    let shown = json!({
        "validator": validator.to_string(),
        "to": to,
        "amount": amount.to_string(),
        "due_s": entry.due_s,
    });
    Ok(([amount.to_string(), line], shown))
}
