//! The stateless checks of transactions, which the state machine asks for and does not do itself:
//! a server does them in parallel and remembers the answers by hash.

use std::sync::Arc;

use guts_schema::sign::{Anew, Points};
use guts_schema::{ChainRules, Tx, TxError, Verified, validate_batch};

/// A transaction that passed every stateless check, or why it did not.
pub type Checked = Result<Arc<Verified<Tx>>, TxError>;

/// Whoever does the checks. The answers must be those of [`guts_schema::validate()`].
pub trait Checker {
    /// Checks transactions; one answer each, in order.
    fn check(&self, txs: &[&[u8]], rules: &ChainRules) -> Vec<Checked>;
}

/// Does them on the spot and remembers nothing; for tests and simulations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Checker for Direct {
    fn check(&self, txs: &[&[u8]], rules: &ChainRules) -> Vec<Checked> {
        check_together(txs, rules, &Anew)
    }
}

/// The checks themselves, with the points of keys as `points` knows them.
pub fn check_together(txs: &[&[u8]], rules: &ChainRules, points: &dyn Points) -> Vec<Checked> {
    let checked = validate_batch(txs, rules, points);
    checked.into_iter().map(|checked| checked.map(Arc::new)).collect()
}
