//! `guts validators list | show`.

use std::collections::BTreeSet;

use clap::Subcommand;
use guts_schema::ids::ValidatorAddress;
use guts_schema::{AccountId, keys, proto};
use serde_json::{Value, json};

use super::Context;
use super::out::{percent, share, time};
use crate::state::{account_id, validator_address};
use crate::{Error, State};

#[derive(Debug, Subcommand)]
pub enum Validators {
    /// Who signs blocks, and who could: power, stake, commission, and for whom
    List,
    /// What is said of one of them, or of one that waits to be elected
    Show {
        /// Name or address
        validator: String,
    },
}

pub async fn run(context: &Context, command: Validators) -> Result<(), Error> {
    match command {
        Validators::List => list(context).await,
        Validators::Show { validator } => show(context, &validator).await,
    }
}

async fn list(context: &Context) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let set: Option<proto::Validators> = state.get(&keys::validators()).await?;
    let mut set = set.unwrap_or_default().validators;
    set.sort_by_key(|validator| std::cmp::Reverse(validator.power));
    let total: u64 = set.iter().map(|validator| validator.power).sum();
    let mut entries = Vec::new();
    for validator in &set {
        let address = validator_address(&validator.address)?;
        entries.push(Entry::read(&state, address, Some(validator)).await?);
    }
    for address in candidates(&state).await? {
        if !entries.iter().any(|entry| entry.address == address) {
            entries.push(Entry::read(&state, address, None).await?);
        }
    }
    let out = &context.out;
    let rows: Vec<_> = entries.iter().map(|entry| entry.row(total)).collect();
    out.table(&rows);
    let (within, outside) = entries.split_at(set.len());
    let (count, others) = (within.len(), outside.len());
    let others = match others {
        0 => String::new(),
        _ => format!(", and {others} outside it with enough stake"),
    };
    out.fact(&format!(
        "proved at height {}: {count} in the set, of power {total}{others}, and no other",
        state.height()
    ));
    out.result(&json!({
        "validators": within.iter().map(Entry::json).collect::<Vec<_>>(),
        "candidates": outside.iter().map(Entry::json).collect::<Vec<_>>(),
        "power": total,
        "proved_height": state.height(),
    }));
    Ok(())
}

async fn show(context: &Context, validator: &str) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let address = find(&state, None, validator).await?;
    let set: Option<proto::Validators> = state.get(&keys::validators()).await?;
    let set = set.unwrap_or_default().validators;
    let in_set = set.iter().find(|one| one.address == address.to_vec());
    let entry = Entry::read(&state, address, in_set).await?;
    if entry.consensus_key.is_empty() {
        return Err(Error::Missing(format!(
            "no validator has the address {address}, nor ever had"
        )));
    }
    let Entry { operator_name, info, power, .. } = &entry;
    let or = |text: &str, none: &str| if text.is_empty() { none } else { text }.to_owned();
    let out = &context.out;
    out.line(&format!("validator   {address}"));
    out.line(&format!("name        {}", or(&info.name, "unnamed")));
    out.line(&format!("operator    {operator_name}"));
    out.line(&format!("status      {}, with power {power}", entry.standing()));
    out.line(&format!("stake       {}", info.tokens));
    out.line(&format!("commission  {}", percent(u64::from(info.commission_ppm))));
    out.line(&format!("gateway     {}", or(&info.gateway, "none said")));
    out.proved(&state);
    let mut result = entry.json();
    result["proved_height"] = state.height().into();
    out.result(&result);
    Ok(())
}

/// A validator, in the set or not.
struct Entry {
    address: ValidatorAddress,
    /// 0 outside the set.
    power: u64,
    is_in_set: bool,
    consensus_key: Vec<u8>,
    operator: Option<AccountId>,
    operator_name: String,
    info: proto::ValidatorInfo,
}

impl Entry {
    async fn read(
        state: &State,
        address: ValidatorAddress,
        in_set: Option<&proto::Validator>,
    ) -> Result<Self, Error> {
        let info: Option<proto::ValidatorInfo> = state.get(&keys::validator(&address)).await?;
        let info = info.unwrap_or_default();
        // One of genesis may have nobody who bonded for it.
        let (key, account) = match in_set {
            Some(validator) => (&validator.consensus_key, &validator.account),
            None => (&info.consensus_key, &info.operator),
        };
        let operator = match account.is_empty() {
            true => None,
            false => Some(account_id(account)?),
        };
        let operator_name = match &operator {
            Some(account) => state.name_of(account).await?,
            None => "nobody".to_owned(),
        };
        let consensus_key = key.clone();
        let power = in_set.map_or(0, |validator| validator.power);
        let is_in_set = in_set.is_some();
        Ok(Self { address, power, is_in_set, consensus_key, operator, operator_name, info })
    }

    /// Why it signs or does not.
    fn standing(&self) -> String {
        match &self.info {
            info if info.tombstoned => "tombstoned".into(),
            info if info.jailed => format!("jailed until {}", time(info.jailed_until_s)),
            _ if self.is_in_set => "in the set".into(),
            _ => "candidate".into(),
        }
    }

    fn row(&self, total: u64) -> [String; 6] {
        let name = if self.info.name.is_empty() { "unnamed" } else { &self.info.name };
        [
            self.address.to_string(),
            format!("power {} ({})", self.power, share(self.power, total)),
            format!("stake {}", self.info.tokens),
            format!("commission {}", percent(self.info.commission_ppm.into())),
            self.standing(),
            format!("{name}, of {}", self.operator_name),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "address": self.address.to_string(),
            "name": self.info.name,
            "consensus_key": hex::encode(&self.consensus_key),
            "power": self.power,
            "stake": self.info.tokens.to_string(),
            "commission_ppm": self.info.commission_ppm,
            "jailed": self.info.jailed,
            "jailed_until_s": self.info.jailed_until_s,
            "tombstoned": self.info.tombstoned,
            "account": self.operator.map(|account| account.to_string()),
            "operator": self.operator_name,
            "peer_id": hex::encode(&self.info.peer_id),
            "gateway": Some(&self.info.gateway).filter(|url| !url.is_empty()),
        })
    }
}

/// Validators with enough stake.
async fn candidates(state: &State) -> Result<Vec<ValidatorAddress>, Error> {
    let known: Option<proto::Candidates> = state.get(&keys::candidates()).await?;
    let known = known.unwrap_or_default().validators;
    known.iter().map(|address| validator_address(address)).collect()
}

/// The address of a validator, given so or by its name. One that has too little stake to be listed
/// is known by name to the `account` that operates it or has stake with it.
pub async fn find(
    state: &State,
    account: Option<&AccountId>,
    text: &str,
) -> Result<ValidatorAddress, Error> {
    if let Ok(address) = text.to_lowercase().parse() {
        return Ok(address);
    }
    let mut known: BTreeSet<_> = candidates(state).await?.into_iter().collect();
    let set: Option<proto::Validators> = state.get(&keys::validators()).await?;
    for validator in set.unwrap_or_default().validators {
        known.insert(validator_address(&validator.address)?);
    }
    if let Some(account) = account {
        let of: Option<proto::DelegationsOf> = state.get(&keys::delegations_of(account)).await?;
        for address in of.unwrap_or_default().validators {
            known.insert(validator_address(&address)?);
        }
        let operated: Option<proto::OperatorOf> = state.get(&keys::operator(account)).await?;
        if let Some(operated) = operated {
            known.insert(validator_address(&operated.validator)?);
        }
    }
    let mut found = Vec::new();
    for address in known {
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

#[cfg(test)]
mod tests;
