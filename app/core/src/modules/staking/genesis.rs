//! Validators in genesis: who they are comes from the genesis document, who operates them from the
//! application's part.

use std::collections::BTreeMap;

use guts_abci::proto::crypto::public_key::Sum;
use guts_schema::ids::ValidatorAddress;
use guts_schema::{AccountId, Key, keys, names, proto};
use serde::{Deserialize, Serialize};

use super::{block, execute, state};
use crate::fault::{Broken, Fault};
use crate::genesis::{AppState, text};
use crate::modules::account::{self, Pot};
use crate::modules::{Origin, params};
use crate::run::Run;
use crate::whole::Whole;

/// Which account operates a validator, and so may have pushes ordered without paying; and where
/// its gateway is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The validator's consensus key in hex.
    #[serde(with = "text")]
    pub consensus_key: Key,
    /// An account of genesis, by id.
    #[serde(with = "text")]
    pub account: AccountId,
    /// URL of the validator's git gateway; empty when it says none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gateway: String,
}

/// This module's part of genesis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Genesis {
    /// The operators; exported by rising address of their validators.
    pub operators: Vec<Operator>,
}

pub(super) fn init(run: &mut Run<'_>, origin: &Origin<'_>) -> Result<(), Broken> {
    let wrong = |text: String| Broken::Genesis(format!("staking: {text}"));
    let mut operators = BTreeMap::new();
    for operator in &origin.state.staking.operators {
        let Operator { consensus_key, account, gateway } = operator;
        if !account::exists(&run.state, account)? {
            return Err(wrong(format!("the operator {account} is no account of genesis")));
        }
        if !gateway.is_empty() {
            names::check_gateway_url(gateway).map_err(|error| wrong(error.to_string()))?;
        }
        if operators.insert(*consensus_key, (*account, gateway.as_str())).is_some() {
            return Err(wrong(format!("two operators of validator {consensus_key}")));
        }
    }
    let mut validators = Vec::new();
    for update in origin.validators {
        let key = match update.pub_key.as_ref().and_then(|key| key.sum.as_ref()) {
            Some(Sum::Ed25519(key)) => Key::from_slice(key).ok(),
            _ => None,
        };
        let key = key.ok_or_else(|| wrong("a validator whose key is not ed25519".into()))?;
        let power = u64::try_from(update.power).ok().filter(|power| *power > 0);
        let power = power.ok_or_else(|| wrong("a validator without power".into()))?;
        // Whoever holds the consensus key of a validator without operator can become it.
        let nobody = || (AccountId::of_key(&key), "");
        let operated = operators.remove(&key).unwrap_or_else(nobody);
        validators.push(bond(run, &key, operated, power).map_err(|e| wrong(e.to_string()))?);
    }
    if validators.is_empty() {
        return Err(wrong("the genesis document has no validators".into()));
    }
    if let Some((key, _)) = operators.first_key_value() {
        return Err(wrong(format!("an operator of {key}, which is no validator")));
    }
    let epoch_s = params::get(&run.state)?.epoch_s;
    let ends_s = run.block.time_s.saturating_add(epoch_s);
    state::put_epoch(run, &proto::Epoch { ends_s, ..Default::default() })?;
    let height = run.block.height;
    state::put(run, height, validators)
}

/// A validator of genesis: its power is stake that its operator has with it.
fn bond(
    run: &mut Run<'_>,
    key: &Key,
    (operator, gateway): (AccountId, &str),
    power: u64,
) -> Result<proto::Validator, Fault> {
    let address = ValidatorAddress::of_key(key);
    let unit = params::get(&run.state)?.power_unit;
    let wrong = |text: &str| Broken::Genesis(text.to_owned());
    let tokens = power.checked_mul(unit).ok_or_else(|| wrong("power adds up to too much"))?;
    if state::info(&run.state, &address)?.is_some() {
        return Err(wrong("two validators have one key").into());
    }
    if state::operated(&run.state, &operator)?.is_some() {
        return Err(wrong("an account operates one validator").into());
    }
    let mut info = proto::ValidatorInfo {
        consensus_key: key.to_vec(),
        operator: operator.to_vec(),
        gateway: gateway.to_owned(),
        ..Default::default()
    };
    if account::issue(run, Pot::Bonded, tokens)? != tokens {
        return Err(wrong("power adds up to too much").into());
    }
    state::put_operated(run, &operator, &address)?;
    execute::add_stake(run, &operator, (&address, &mut info), tokens)?;
    Ok(block::validator(&address, &info, unit))
}

pub(super) fn export(whole: &Whole, into: &mut AppState) -> Result<(), Broken> {
    let set: proto::Validators = whole.get(&keys::validators())?.unwrap_or_default();
    for validator in &set.validators {
        let damaged = |_| Broken::Contradiction("a validator of the wrong form".into());
        let consensus_key = Key::from_slice(&validator.consensus_key).map_err(damaged)?;
        let account = AccountId::from_slice(&validator.account).map_err(damaged)?;
        let address = ValidatorAddress::of_key(&consensus_key);
        let info: Option<proto::ValidatorInfo> = whole.get(&keys::validator(&address))?;
        let gateway = info.unwrap_or_default().gateway;
        if account != AccountId::of_key(&consensus_key) || !gateway.is_empty() {
            into.staking.operators.push(Operator { consensus_key, account, gateway });
        }
    }
    Ok(())
}
