//! The file signer: the validator key on this machine, and what it must never forget.
//!
//! For each height, round and step there is one value it ever signs. Within a run the last
//! position and bytes are in memory; across crashes they are in the sign intents of the
//! write-ahead log, which are durable before the signer is asked; when log files are deleted,
//! `data/priv_validator_state.json` is brought up to date first. [S-2]

#[cfg(test)]
mod tests;

use crate::home::{self, FileError};
use guts_consensus::io::{SignPosition, SignRefused, SignRequest, SignStep, Signed};
use guts_consensus::wal::{Entry, Intent};
use guts_genesis::{Address, PrivateKey, key_file};
use key_file::LastSign;
use std::path::Path;

/// Why the signer cannot be trusted to start.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file is missing.
    #[error(
        "{path} is missing. It says what this validator signed last, and without it the validator \
         could sign twice. If the key {address} has never signed, `guts-engine init` makes it; \
         otherwise restore it, or wait until the chain has passed every height this key may have \
         signed and run `guts-engine init`"
    )]
    Missing {
        /// Where it should be.
        path: String,
        /// The validator's address.
        address: Address,
    },
    /// The file or the log is another validator's.
    #[error(
        "{path} is of another validator than {address}: put back the file that belongs to \
         config/priv_validator_key.json, or the key that belongs to the file"
    )]
    Foreign {
        /// The file or the log.
        path: String,
        /// The validator's address.
        address: Address,
    },
    /// The file is there and says nothing.
    #[error(
        "{path} is unreadable: {reason}. Restore it from a copy; do not replace it by an empty one"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The disk's.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Position and bytes of the last signature; no bytes when only the position is known.
type Last = (SignPosition, Option<Vec<u8>>);

/// See the module.
pub struct FileSigner {
    key: PrivateKey,
    last: Option<Last>,
}

impl FileSigner {
    /// A signer that goes on after the state in `path` and the intents in the log.
    ///
    /// # Errors
    /// The state is missing, unreadable or another validator's.
    pub fn open(
        key: PrivateKey,
        chain_id: &str,
        path: &Path,
        log: &[Entry],
    ) -> Result<FileSigner, SignerError> {
        let address = key.public_key().address();
        let shown = path.display().to_string();
        let foreign = |path: &str| SignerError::Foreign { path: path.into(), address };
        let Some(text) = home::read_if_exists(path)? else {
            return Err(SignerError::Missing { path: shown, address });
        };
        let unreadable = |reason: String| SignerError::Unreadable { path: shown.clone(), reason };
        let state = LastSign::parse(&text).map_err(|e| unreadable(e.to_string()))?;
        if owner(&text).is_some_and(|owner| owner != address.to_string())
            || (!state.signature.is_empty()
                && !key.public_key().verify(&state.sign_bytes, &state.signature))
        {
            return Err(foreign(&shown));
        }
        let mut signer = FileSigner { key, last: last_of(&state).map_err(unreadable)? };
        for entry in log {
            let Entry::Intent(intent) = entry else { continue };
            if matches!(intent, Intent::Vote(vote) if vote.validator_address != address) {
                return Err(foreign("the write-ahead log (data/wal)"));
            }
            let at = intent.position();
            if signer.last.as_ref().is_none_or(|(last, _)| *last <= at) {
                signer.last = Some((at, Some(intent.sign_bytes(chain_id))));
            }
        }
        Ok(signer)
    }

    /// The validator's address.
    pub fn address(&self) -> Address {
        self.key.public_key().address()
    }

    /// Where it signed last.
    pub fn position(&self) -> Option<SignPosition> {
        self.last.as_ref().map(|(at, _)| *at)
    }

    /// Signs, unless that could contradict what was signed before.
    ///
    /// # Errors
    /// It could.
    pub fn sign(&mut self, request: &SignRequest) -> Result<Signed, SignRefused> {
        if let Some((last, bytes)) = &self.last {
            let refuse = |why: &str| {
                let (at, last) = (show(request.at), show(*last));
                Err(SignRefused(format!("{why}: asked for {at}, signed {last} before")))
            };
            if request.at < *last {
                return refuse("going back");
            }
            if request.at == *last && bytes.as_ref() != Some(&request.bytes) {
                return refuse("something else was, or may have been, signed here");
            }
        }
        self.last = Some((request.at, Some(request.bytes.clone())));
        let signature = self.key.sign(&request.bytes);
        let extension = request.extension.as_ref().map(|bytes| self.key.sign(bytes));
        Ok(Signed { signature, extension })
    }

    /// Makes the last position durable in `path`, without the log.
    ///
    /// # Errors
    /// The disk's.
    pub fn save(&self, path: &Path) -> Result<(), SignerError> {
        let mut state = LastSign::default();
        if let Some((at, bytes)) = &self.last {
            state.height = at.height;
            state.round = at.round;
            state.step = at.step as i8;
            state.sign_bytes = bytes.clone().unwrap_or_default();
            if !state.sign_bytes.is_empty() {
                state.signature = self.key.sign(&state.sign_bytes);
            }
        }
        Ok(home::write_durably(path, &with_owner(&state, self.address()))?)
    }
}

/// The text of a last-sign state that says whose it is.
pub fn with_owner(state: &LastSign, owner: Address) -> String {
    let text = state.print();
    let body = text.trim_end().trim_end_matches('}').trim_end();
    format!("{body},\n  \"address\": \"{owner}\"\n}}")
}

fn owner(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(value.get("address")?.as_str()?.to_owned())
}

fn last_of(state: &LastSign) -> Result<Option<Last>, String> {
    let step = match state.step {
        0 if state.height.0 == 0 => return Ok(None),
        1 => SignStep::Proposal,
        2 => SignStep::Prevote,
        // Nothing of a height that only has its number may be signed any more.
        0 | 3 => SignStep::Precommit,
        other => return Err(format!("step {other} does not exist")),
    };
    let at = SignPosition { height: state.height, round: state.round, step };
    let bytes = (!state.sign_bytes.is_empty()).then(|| state.sign_bytes.clone());
    Ok(Some((at, bytes)))
}

fn show(at: SignPosition) -> String {
    format!("{:?} of height {} round {}", at.step, at.height, at.round)
}
