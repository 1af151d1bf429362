//! The genesis app_state: one part a module, each absent part being the default.

use serde::{Deserialize, Serialize};

use crate::fault::Broken;
use crate::modules::{account, params, repo, staking};

/// `app_state` of the genesis document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppState {
    /// Chain parameters.
    pub params: params::Genesis,
    /// Accounts that exist from the start.
    pub account: account::Genesis,
    /// Who operates which validator.
    pub staking: staking::Genesis,
    /// Repositories that exist from the start, empty.
    pub repo: repo::Genesis,
}

impl AppState {
    /// Reads it; no bytes at all are the default.
    pub fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes).map_err(|error| Broken::Genesis(error.to_string()))
    }

    /// Its JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain structs have a JSON form")
    }
}

/// An amount, written as a decimal string, because JSON readers round large numbers.
pub mod amount {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes it.
    pub fn serialize<S: Serializer>(amount: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(amount)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An identifier or name in its text form.
pub mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes it.
    pub fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    /// Reads it.
    pub fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
