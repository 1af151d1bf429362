//! [S-2] Never two different signatures for one height, round and step.
//!
//! The guard stands before the signer. It lets an intent pass if it is later than all before, or
//! equal to the last one in every byte; the engine then makes the intent durable before it asks
//! the signer. A restart rebuilds the guard from the intents in the log and, for what the log no
//! longer has, from the last intent the shell kept.
use crate::io::SignPosition;
use crate::wal::Intent;

#[cfg(test)]
mod tests;

/// What the guard says to an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Never signed anything at or after this point: record it, then sign.
    New,
    /// This very thing was signed or about to be signed: sign again.
    Again,
    /// Something else was: do not sign.
    Refused,
}

/// The last-sign state of this validator.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    last: Option<(SignPosition, Option<Intent>)>,
}

impl Guard {
    /// Remembers an intent of an earlier life.
    pub fn restore(&mut self, intent: Intent) {
        let at = intent.position();
        if self.last.as_ref().is_none_or(|(last, _)| *last <= at) {
            self.last = Some((at, Some(intent)));
        }
    }

    /// Remembers that something was signed at `at`, without knowing what.
    pub fn restore_position(&mut self, at: SignPosition) {
        if self.last.as_ref().is_none_or(|(last, _)| *last < at) {
            self.last = Some((at, None));
        }
    }

    /// Asks to sign.
    pub fn ask(&mut self, intent: &Intent) -> Permit {
        let at = intent.position();
        match &self.last {
            Some((last, _)) if at < *last => Permit::Refused,
            Some((last, known)) if at == *last => {
                if known.as_ref() == Some(intent) {
                    Permit::Again
                } else {
                    Permit::Refused
                }
            }
            _ => {
                self.last = Some((at, Some(intent.clone())));
                Permit::New
            }
        }
    }
}
