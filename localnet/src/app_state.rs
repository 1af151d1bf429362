//! What a local network's Guts state holds at genesis.

use crate::Result;

/// The application's part of the genesis document, as raw JSON: every parameter at its default.
pub fn app_state() -> Result<String> {
    Ok("{}".to_string())
}
