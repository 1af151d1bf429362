//! Trying a transaction on the newest state, for whoever wants to know before sending it: what it
//! would cost and do. Nothing of it stays, and no answer of the state machine depends on it.
//!
//! Its signatures are checked as those of any other. Its proof of work need not be done: the
//! answer says how much there is to do. Nor need its time not be past: what is past can be signed
//! and shown to any node, since none can have it executed.

use guts_abci::proto::abci::Event;
use guts_schema::codes::CODESPACE;
use guts_schema::proto::{Cost, SimulatedAttribute, SimulatedEvent, Simulation};
use guts_schema::work::bits_for;
use guts_schema::{Payment, Tx, TxError};
use guts_state::Read;

use crate::admit::price_of;
use crate::block::execute_tx;
use crate::fault::Broken;
use crate::modules::{account, params};
use crate::run::{Block, Run};

/// What `tx` would do as the only transaction of the block `next` on the state `view`.
///
/// A nonce up to `nonce_max` counts as the payer's next: the ones between wait in the mempool, and
/// are taken to do nothing else.
pub fn simulate(
    view: &dyn Read,
    next: &Block,
    tx: &Tx,
    nonce_max: u64,
) -> Result<Simulation, Broken> {
    let mut run = Run::new(next, view);
    if let Some(mut payer) = account::get(view, &tx.payer)?
        && (payer.nonce..=nonce_max).contains(&tx.nonce)
    {
        payer.nonce = tx.nonce;
        account::put(&mut run, &tx.payer, &payer)?;
    }
    let params = params::get(view)?;
    let price = price_of(&run, &params, tx)?;
    let mut cost = Cost {
        size: tx.size,
        accept_work: params.accept_work,
        work: price.work,
        work_bits: bits_for(price.work),
        accept_fee: params.accept_fee,
        fee: price.fee,
        stake: price.stake,
        fee_paid: 0,
    };
    let mut paid = Tx { valid_until_s: None, ..tx.clone() };
    if let Payment::Work { bits, .. } = &mut paid.payment {
        *bits = cost.work_bits.max(*bits);
    }
    let result = execute_tx(&mut run, &paid)?;
    // Admission spends the nonce, and nothing else does.
    let after = account::get(&run.state, &tx.payer)?.unwrap_or_default();
    let admitted = after.nonce > tx.nonce;
    if let (true, Payment::Fee(fee)) = (admitted, tx.payment) {
        cost.fee_paid = fee;
    }
    Ok(Simulation {
        height: next.height.saturating_sub(1),
        code: result.code,
        codespace: result.codespace,
        name: result.info,
        sentence: result.log,
        admitted,
        cost: Some(cost),
        events: result.events.into_iter().map(event).collect(),
    })
}

/// The answer about bytes that are no transaction of this chain.
pub fn no_tx(next: &Block, error: &TxError) -> Simulation {
    Simulation {
        height: next.height.saturating_sub(1),
        code: error.code().number(),
        codespace: CODESPACE.to_owned(),
        name: error.code().name().to_owned(),
        sentence: error.to_string(),
        ..Default::default()
    }
}

fn event(event: Event) -> SimulatedEvent {
    let attributes = event.attributes.into_iter();
    SimulatedEvent {
        kind: event.r#type,
        attributes: attributes
            .map(|one| SimulatedAttribute { key: one.key, value: one.value })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
