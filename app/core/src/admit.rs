//! Admission: whether a transaction may run at all, and what it pays. What admission writes stays
//! even when the actions fail: the nonce is spent, the fee paid, the work used up.

use guts_schema::price::Price;
use guts_schema::work::bits_for;
use guts_schema::{AccountId, Action, Code, Payment, Tx, events, price, proto};

use crate::fault::{Broken, Fault};
use crate::modules::account::error;
use crate::modules::{account, params, repo, staking};
use crate::run::Run;

/// What an admitted transaction has done already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The payer's account was made, because its first transaction makes it. It stays even when
    /// the transaction fails, or its work could be used again.
    pub created: bool,
}

/// Whether the nonce is the payer's next and the time not past; `next` is the nonce expected.
pub fn check_order(tx: &Tx, next: u64, now_s: u64) -> Result<(), Fault> {
    if tx.nonce < next {
        return Err(error::nonce_low(tx.nonce, &tx.payer, next));
    }
    if tx.nonce > next {
        return Err(error::nonce_high(tx.nonce, &tx.payer, next));
    }
    match tx.valid_until_s {
        Some(until_s) if until_s < now_s => Err(error::expired(until_s, now_s)),
        _ => Ok(()),
    }
}

/// Admits a transaction: order, keys, payment; then spends nonce and payment. A refusal leaves
/// nothing behind: there is no nonce or fee that could be taken.
pub fn admit(run: &mut Run<'_>, tx: &Tx) -> Result<Admission, Fault> {
    let payer = account::get(&run.state, &tx.payer)?;
    let next = payer.as_ref().map_or(0, |value| value.nonce);
    check_order(tx, next, run.block.time_s)?;
    account::check_signers(run, tx)?;
    let created = payer.is_none();
    let mut value = match payer {
        Some(value) => value,
        None => new_payer(run, tx)?,
    };
    let fee = check_payment(run, tx, value.balance)?;
    value.balance = value.balance.checked_sub(fee).ok_or_else(|| overdrawn(&tx.payer))?;
    let spent = || Broken::Contradiction(format!("account {} is out of nonces", tx.payer));
    value.nonce = value.nonce.checked_add(1).ok_or_else(spent)?;
    account::put(run, &tx.payer, &value)?;
    if created {
        account::announce(run, &tx.payer, &value);
    }
    if fee > 0 {
        let burn_ppm = params::of(run)?.fee_burn_ppm;
        account::collect_fee(run, fee, burn_ppm)?;
        run.emit(events::FEE_PAID, &[("account", &tx.payer), ("amount", &fee)]);
    }
    Ok(Admission { created })
}

fn overdrawn(payer: &AccountId) -> Broken {
    Broken::Contradiction(format!("the fee of {payer} was checked and is not there"))
}

/// The account that a transaction makes for its own payer.
fn new_payer(run: &mut Run<'_>, tx: &Tx) -> Result<proto::Account, Fault> {
    let key = account::made_by(tx).ok_or_else(|| error::unknown(&tx.payer))?;
    account::new_account(run, &tx.payer, &key)
}

/// Whether the payer need not pay for an action, because it acts inside a repository of its own.
fn is_exempt(
    run: &Run<'_>,
    params: &proto::Params,
    tx: &Tx,
    action: &Action,
) -> Result<bool, Broken> {
    let Some(id) = action.repo().filter(|_| price::exempts_owner(params, action.kind())) else {
        return Ok(false);
    };
    let Some(value) = repo::get(&run.state, id)? else { return Ok(false) };
    let own = action.actor() == Some(&tx.payer);
    Ok(own && repo::controls(&run.state, &repo::owner(&value)?, &tx.payer)?)
}

/// What a transaction costs.
pub fn price_of(run: &Run<'_>, params: &proto::Params, tx: &Tx) -> Result<Price, Broken> {
    let mut priced = Vec::with_capacity(tx.actions.len());
    for action in &tx.actions {
        if !is_exempt(run, params, tx, action)? {
            priced.push(action.kind());
        }
    }
    Ok(price::of(params, priced, tx.size))
}

/// Whether the payment is enough; how much balance it takes.
fn check_payment(run: &Run<'_>, tx: &Tx, balance: u64) -> Result<u64, Fault> {
    let view = &run.state;
    let params = params::of(run)?;
    let price = price_of(run, &params, tx)?;
    match tx.payment {
        Payment::None => {
            // Whoever pays nothing must owe nothing, in whichever accepted way it would pay.
            let free =
                (!params.accept_work || price.work == 0) && (!params.accept_fee || price.fee == 0);
            let name = tx.actions.first().map_or("nothing", |action| action.kind().name());
            if free { Ok(0) } else { Err(error::payment_missing(name)) }
        }
        Payment::Fee(_) if !params.accept_fee => Err(error::plain(Code::FeeRefused)),
        Payment::Fee(fee) if fee < price.fee => Err(error::fee_low(fee, price.fee)),
        Payment::Fee(fee) if fee > balance => Err(error::balance_low(&tx.payer, balance, fee)),
        Payment::Fee(fee) => Ok(fee),
        Payment::Work { .. } if !params.accept_work => Err(error::plain(Code::WorkRefused)),
        Payment::Work { anchor_number, anchor, bits } => {
            let needed = bits_for(price.work);
            if account::anchor(view, anchor_number)? != Some(anchor) {
                return Err(error::plain(Code::WorkAnchor));
            }
            if bits < needed { Err(error::work_low(bits, needed)) } else { Ok(0) }
        }
        Payment::Stake => {
            let bonded = price.stake && staking::operates(run, &tx.payer)?;
            if bonded { Ok(0) } else { Err(error::stake_missing(&tx.payer)) }
        }
    }
}
