//! Accounts in genesis.

use guts_schema::{AccountId, Hash, Key, keys, names, proto};
use serde::{Deserialize, Serialize};

use super::state;
use crate::fault::Broken;
use crate::genesis::{AppState, amount, text};
use crate::modules::Origin;
use crate::run::Run;
use crate::whole::Whole;

/// An account that exists from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAccount {
    /// Its key in hex; the key makes its id.
    #[serde(with = "text")]
    pub key: Key,
    /// Its handle; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub handle: String,
    /// Smallest units.
    #[serde(with = "amount")]
    pub balance: u64,
}

/// This module's part of genesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Genesis {
    /// What governance and the faucet may spend, in smallest units.
    #[serde(with = "amount")]
    pub treasury: u64,
    /// The accounts; exported by rising id.
    pub accounts: Vec<GenesisAccount>,
}

impl Default for Genesis {
    /// Nobody, and a treasury that lets a test network's faucet run for a while.
    fn default() -> Self {
        Self { treasury: 1_000_000_000_000, accounts: Vec::new() }
    }
}

pub(super) fn init(run: &mut Run<'_>, origin: &Origin<'_>) -> Result<(), Broken> {
    let wrong = |text: String| Broken::Genesis(format!("account: {text}"));
    let treasury = origin.state.account.treasury;
    let mut supply = proto::Supply { total: treasury, treasury, ..Default::default() };
    for entry in &origin.state.account.accounts {
        let id = AccountId::of_key(&entry.key);
        let account = super::execute::new_account(run, &id, &entry.key);
        let mut account = account.map_err(|error| wrong(error.to_string()))?;
        account.balance = entry.balance;
        if !entry.handle.is_empty() {
            names::check_handle(&entry.handle).map_err(|error| wrong(error.to_string()))?;
            if state::handle_owner(&run.state, &entry.handle)?.is_some() {
                return Err(wrong(format!("two accounts have the handle {}", entry.handle)));
            }
            account.handle.clone_from(&entry.handle);
            state::put_handle(run, &entry.handle, &id)?;
        }
        state::put(run, &id, &account)?;
        let total = supply.total.checked_add(entry.balance);
        supply.total = total.ok_or_else(|| wrong("balances add up to too much".into()))?;
    }
    state::put_supply(run, &supply)?;
    // The first transaction needs an anchor before any block is there to give one.
    let first = [b"guts.v1.anchor\0", run.block.chain_id.as_bytes()].concat();
    state::record_anchor(run, &Hash::of(&first))
}

pub(super) fn export(whole: &Whole, into: &mut AppState) -> Result<(), Broken> {
    let supply: proto::Supply = whole.get(&keys::supply())?.unwrap_or_default();
    into.account.treasury = supply.treasury;
    for (_, account) in whole.below::<proto::Account>(super::invariants::ACCOUNT_TAG)? {
        let key = account.keys.first().map(|key| Key::from_slice(key));
        let Some(Ok(key)) = key else {
            return Err(Broken::Contradiction("an account without a key".into()));
        };
        let entry = GenesisAccount { key, handle: account.handle, balance: account.balance };
        into.account.accounts.push(entry);
    }
    Ok(())
}
