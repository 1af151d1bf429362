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

use crate::start::{Options, say};
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

/// What the command line asks for in the state of a new network.
pub struct Asked {
    params: params::Genesis,
    funded: Vec<account::GenesisAccount>,
    /// How many accounts are funded for load.
    pub accounts: u64,
}

impl Asked {
    /// Reads it; the network's engines will take evidence for `evidence_age_s`.
    ///
    /// # Errors
    /// When a parameter does not exist or cannot have that value, or a file holds no key.
    pub fn of(options: &Options, evidence_age_s: u64) -> Result<Asked> {
        let funded: Result<_> = options.fund.iter().map(|file| funded(file)).collect();
        Ok(Asked {
            params: params(&options.params, evidence_age_s)?,
            funded: funded?,
            accounts: options.accounts.unwrap_or(ACCOUNTS_DEFAULT),
        })
    }
}

/// The application's part of the genesis document. Of each validator its key, its operator and the
/// URL of its gateway. Says how far it is, of many accounts.
///
/// # Errors
/// When a key is none that the application knows.
pub fn app_state(
    validators: &[(PublicKey, Identity, String)],
    seed: &[u8],
    asked: Asked,
) -> Result<AppState> {
    let Asked { params, funded, accounts } = asked;
    let mut state = AppState { params, ..AppState::default() };
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
    state.account.accounts.extend(funded);
    Ok(state)
}

/// Parameters of a local network with these changes, `name=value` in JSON.
fn params(changes: &[String], evidence_age_s: u64) -> Result<params::Genesis> {
    let refused = |why: String| Error::Usage(format!("--param: {why}"));
    let mut all = serde_json::Map::new();
    for change in changes {
        let wrong = || {
            let why = "is no NAME=VALUE with a value in JSON, as gov_voting_s=60";
            refused(format!("{change} {why}"))
        };
        let (name, value) = change.split_once('=').ok_or_else(wrong)?;
        let value = serde_json::from_str(value).map_err(|_| wrong())?;
        if name.is_empty() {
            return Err(wrong());
        }
        if all.insert(name.to_owned(), value).is_some() {
            return Err(refused(format!("{name} is set twice")));
        }
    }
    let usual = params::Genesis { evidence_age_s, ..params::Genesis::default() };
    usual.with(all).map_err(refused)
}

/// An account with tokens for the OpenSSH public key in a file.
fn funded(file: &Path) -> Result<account::GenesisAccount> {
    let text = at("cannot read", file, std::fs::read_to_string(file))?;
    let refused = |error| Error::Usage(format!("--fund {}: {error}", file.display()));
    let key = sshsig::key_from_text(&text).map_err(refused)?;
    Ok(account::GenesisAccount { key, handle: String::new(), balance: FUNDED_BALANCE })
}
