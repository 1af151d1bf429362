//! What a local network's Guts state holds at genesis: an account for each validator's gateway,
//! which pays for pushes by the validator's stake, funded accounts for the load generator and for
//! whom the command line names, and the parameters it names.

use std::path::Path;

use guts_app::identity::Identity;
use guts_app_core::genesis::AppState;
use guts_app_core::modules::{account, params, staking};
use guts_genesis::PublicKey;
use guts_schema::sign::SecretKey;
use guts_schema::{Key, sshsig};
use sha2::{Digest, Sha256};

use crate::start::say;
use crate::{Error, Result, at};

/// Funded accounts, when nothing else is said: enough that each has few transactions in a block.
pub const ACCOUNTS_DEFAULT: u64 = 2048;
/// As many as there may be: with them the genesis document has 300 MB.
pub const ACCOUNTS_MAX: u64 = 2_000_000;
/// Accounts between two lines that say how far it is.
const ACCOUNTS_SAID: u64 = 100_000;
/// Smallest units in each: a run of hours does not spend them.
const LOAD_BALANCE: u64 = 1_000_000_000_000;
/// Smallest units of who is named: ten times the stake that each validator begins with.
pub const FUNDED_BALANCE: u64 = 100_000_000;

/// The key of a funded account. Whoever knows the network's seed has it, so these exist on local
/// networks only.
pub fn load_key(seed: &[u8], index: u64) -> SecretKey {
    let mut hash = Sha256::new();
    hash.update(b"guts/load-account/");
    hash.update(index.to_be_bytes());
    hash.update(seed);
    SecretKey::from_seed(hash.finalize().into())
}

/// The application's part of the genesis document. Of each validator its key, its operator and the
/// URL of its gateway; `accounts` are funded for load. Says how far it is, of many.
pub fn app_state(
    validators: &[(PublicKey, Identity, String)],
    seed: &[u8],
    accounts: u64,
) -> Result<AppState> {
    let mut state = AppState::default();
    for (key, identity, gateway) in validators {
        let refused = |error: &dyn std::fmt::Display| Error::Genesis(error.to_string());
        let consensus_key = Key::from_slice(key.as_bytes()).map_err(|error| refused(&error))?;
        let gateway = gateway.clone();
        let operator = staking::Operator { consensus_key, account: identity.account, gateway };
        state.staking.operators.push(operator);
        state.account.accounts.push(account::GenesisAccount {
            key: identity.secret.public(),
            handle: String::new(),
            balance: 0,
        });
    }
    state.account.accounts.extend((0..accounts).map(|index| {
        if index > 0 && index.is_multiple_of(ACCOUNTS_SAID) {
            say(&format!("• made {index} of {accounts} accounts"));
        }
        let key = load_key(seed, index).public();
        account::GenesisAccount { key, handle: String::new(), balance: LOAD_BALANCE }
    }));
    Ok(state)
}

/// Parameters of a local network with these changes, `name=value` in JSON. Its engines take
/// evidence for `evidence_age_s`.
///
/// # Errors
/// When one does not exist, or a chain could not live with its value.
pub fn params(changes: &[String], evidence_age_s: u64) -> Result<params::Genesis> {
    let refused = |error: &dyn std::fmt::Display| Error::Usage(format!("--param: {error}"));
    let usual = serde_json::to_value(params::Genesis::default()).expect("plain data encodes");
    let mut all: serde_json::Map<_, _> = serde_json::from_value(usual).expect("it has names");
    for change in changes {
        let wrong =
            || format!("{change} is no NAME=VALUE with a value in JSON, as gov_voting_s=60");
        let (name, value) = change.split_once('=').ok_or_else(|| refused(&wrong()))?;
        let value = serde_json::from_str(value).map_err(|_| refused(&wrong()))?;
        all.insert(name.to_owned(), value);
    }
    let changed: params::Genesis =
        serde_json::from_value(all.into()).map_err(|error| refused(&error))?;
    let judged = params::Genesis { evidence_age_s, ..changed.clone() };
    judged.check().map_err(|error| refused(&error))?;
    Ok(changed)
}

/// An account with tokens for the OpenSSH public key in a file.
///
/// # Errors
/// When there is no such key.
pub fn funded(file: &Path) -> Result<account::GenesisAccount> {
    let text = at("cannot read", file, std::fs::read_to_string(file))?;
    let refused = |error| Error::Usage(format!("--fund {}: {error}", file.display()));
    let key = sshsig::key_from_text(&text).map_err(refused)?;
    Ok(account::GenesisAccount { key, handle: String::new(), balance: FUNDED_BALANCE })
}
