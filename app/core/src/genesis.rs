//! The genesis app_state: one part a module, each absent part being the default.

use std::collections::BTreeMap;

use guts_schema::{keys, proto};
use serde::{Deserialize, Serialize};

use crate::fault::Broken;
use crate::modules::{self, Origin, account, params, repo, staking};
use crate::whole::Whole;

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
    /// A whole state to go on from, as [`AppState::of`] makes it; then there are no parts but this.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
}

/// A key of the state and its value, in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// One of `guts_schema::keys`.
    pub key: String,
    /// In the encoding of `guts_schema::values`.
    pub value: String,
}

impl AppState {
    /// Reads it; no bytes at all are the default.
    pub fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes).map_err(|error| Broken::Genesis(error.to_string()))
    }

    /// A genesis from which a chain goes on where the state `whole` ends. Its validators must be
    /// the newest set of that state, its first height the one that follows.
    pub fn of(whole: &Whole) -> Self {
        let entry = |(key, value): (&[u8], &[u8])| Entry {
            key: hex::encode(key),
            value: hex::encode(value),
        };
        Self { entries: whole.iter().map(entry).collect(), ..Self::default() }
    }

    /// The state that its entries hold, audited; nothing when there are none.
    pub(crate) fn whole(&self, origin: &Origin<'_>, first: u64) -> Result<Option<Whole>, Broken> {
        if self.entries.is_empty() {
            return Ok(None);
        }
        let wrong = |text: &str| Broken::Genesis(format!("entries: {text}"));
        // What they say of parameters must not be said twice.
        if *self != (Self { entries: self.entries.clone(), ..Self::default() }) {
            return Err(wrong("they are a whole state: no other part may be there"));
        }
        let mut entries = BTreeMap::new();
        for entry in &self.entries {
            let bytes = |text: &str| hex::decode(text).map_err(|_| wrong("not all are hex"));
            if entries.insert(bytes(&entry.key)?, bytes(&entry.value)?).is_some() {
                return Err(wrong("a key is there twice"));
            }
        }
        let whole = Whole::new(entries);
        modules::audit(&whole)?;
        params::check_whole(&whole, origin.evidence_age_s)?;
        let none = proto::Validators::default();
        let set = whole.get::<proto::Validators>(&keys::validators())?.unwrap_or(none);
        if !staking::is_set_of(&set.validators, origin.validators) {
            return Err(wrong("the validators of the document are not those of the state"));
        }
        let changes: proto::ValidatorsChanges =
            whole.get(&keys::validators_changes())?.unwrap_or_default();
        if changes.heights.last().is_none_or(|from| *from > first) {
            return Err(wrong("validators are about to change: export two blocks later"));
        }
        Ok(Some(whole))
    }

    /// As a value of JSON: of a whole state, that alone.
    pub fn to_value(&self) -> serde_json::Value {
        if self.entries.is_empty() {
            serde_json::json!(self)
        } else {
            serde_json::json!({ "entries": self.entries })
        }
    }

    /// Its JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.to_value()).expect("a value has a JSON form")
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
