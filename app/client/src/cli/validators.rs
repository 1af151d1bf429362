//! `guts validators list`.

use clap::Subcommand;
use guts_schema::ids::ValidatorAddress;
use guts_schema::{keys, proto};
use serde_json::json;

use super::Context;
use crate::state::account_id;
use crate::{Error, State};

#[derive(Debug, Subcommand)]
pub enum Validators {
    /// Who signs blocks, with what power and for whom
    List,
}

pub async fn run(context: &Context, Validators::List: Validators) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let set: Option<proto::Validators> = state.get(&keys::validators()).await?;
    let mut validators = set.unwrap_or_default().validators;
    validators.sort_by_key(|validator| std::cmp::Reverse(validator.power));
    let total: u64 = validators.iter().map(|validator| validator.power).sum();
    let out = &context.out;
    let mut listed = Vec::new();
    for validator in &validators {
        let operator = match validator.account.is_empty() {
            true => None,
            false => Some(account_id(&validator.account)?),
        };
        let mut name = String::from("nobody");
        if let Some(account) = &operator {
            name = state.name_of(account).await?;
        }
        let address = ValidatorAddress::from_slice(&validator.address);
        let address = address.map_err(|_| Error::Proof("a validator's address".into()))?;
        let info: Option<proto::ValidatorInfo> = state.get(&keys::validator(&address)).await?;
        let (called, address) = (info.unwrap_or_default().name, address.to_string());
        let power = validator.power;
        let shown = if called.is_empty() { "unnamed" } else { &called };
        let share = share(power, total);
        out.line(&format!("{address}  power {power} ({share})  {shown}, of {name}"));
        listed.push(json!({
            "address": address,
            "name": called,
            "consensus_key": hex::encode(&validator.consensus_key),
            "power": power,
            "account": operator.map(|account| account.to_string()),
            "operator": name,
        }));
    }
    let count = validators.len();
    out.fact(&format!(
        "proved at height {}: {count} validators, and no other, of power {total}",
        state.height()
    ));
    out.result(&json!({
        "validators": listed,
        "power": total,
        "proved_height": state.height(),
    }));
    Ok(())
}

/// The address of a validator, given so or by its name.
pub async fn find(state: &State, text: &str) -> Result<ValidatorAddress, Error> {
    if let Ok(address) = text.to_lowercase().parse() {
        return Ok(address);
    }
    let known: Option<proto::Candidates> = state.get(&keys::candidates()).await?;
    let mut found = Vec::new();
    for address in known.unwrap_or_default().validators {
        let address = ValidatorAddress::from_slice(&address);
        let address = address.map_err(|_| Error::Proof("a validator's address".into()))?;
        let info: Option<proto::ValidatorInfo> = state.get(&keys::validator(&address)).await?;
        if info.is_some_and(|info| info.name == text) {
            found.push(address);
        }
    }
    match found[..] {
        [address] => Ok(address),
        [] => Err(Error::Missing(format!(
            "no validator is called {text}: 'guts validators list' shows them"
        ))),
        _ => Err(Error::Usage(format!("several validators are called {text}: give an address"))),
    }
}

/// Part of a whole in percent, with a digit behind the point.
fn share(part: u64, whole: u64) -> String {
    let permille = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests;
