//! Reading vector files, and the errors they expect.
use serde_json::Value;

pub use crate::cases::*;

/// The kind of error that is expected, if any.
pub fn error_kind(expected: &Value) -> Option<&str> {
    expected["error_kind"].as_str()
}
