//! What a local network's Guts state holds at genesis: an account for each validator's gateway,
//! which pays for pushes by the validator's stake, and funded accounts for the load generator.

use guts_app::identity::Identity;
use guts_app_core::genesis::AppState;
use guts_app_core::modules::{account, staking};
use guts_genesis::PublicKey;
use guts_schema::Key;
use guts_schema::sign::SecretKey;
use sha2::{Digest, Sha256};

use crate::start::say;
use crate::{Error, Result};

/// Funded accounts, when nothing else is said: enough that each has few transactions in a block.
pub const ACCOUNTS_DEFAULT: u64 = 2048;
/// As many as there may be: with them the genesis document has 300 MB.
pub const ACCOUNTS_MAX: u64 = 2_000_000;
/// Accounts between two lines that say how far it is.
const ACCOUNTS_SAID: u64 = 100_000;
/// Smallest units in each: a run of hours does not spend them.
const LOAD_BALANCE: u64 = 1_000_000_000_000;

/// The key of a funded account. Whoever knows the network's seed has it, so these exist on local
/// networks only.
pub fn load_key(seed: &[u8], index: u64) -> SecretKey {
    let mut hash = Sha256::new();
    hash.update(b"guts/load-account/");
    hash.update(index.to_be_bytes());
    hash.update(seed);
    SecretKey::from_seed(hash.finalize().into())
}

/// The application's part of the genesis document, as raw JSON. Of each validator its key, its
/// operator and the URL of its gateway; `accounts` are funded. Says how far it is, of many.
pub fn app_state(
    validators: &[(PublicKey, Identity, String)],
    seed: &[u8],
    accounts: u64,
) -> Result<String> {
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
    Ok(state.to_json())
}
