//! What a transaction costs: the same sum for the client that pays and the application that asks.

use crate::proto;
use crate::tx::ActionKind;

/// A price, to be paid in one of three ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Expected hashes of proof of work; [`crate::work::bits_for`] turns them into bits.
    pub work: u64,
    /// Smallest units.
    pub fee: u64,
    /// Free to a bonded validator's account.
    pub stake: bool,
}

/// Kinds that an owner may leave out, because parameters exempt owners inside their repositories.
pub fn exempts_owner(params: &proto::Params, kind: ActionKind) -> bool {
    let listed = params.prices.iter().find(|price| price.kind == kind.number());
    listed.or(params.other_price.as_ref()).is_some_and(|price| price.owner)
}

/// The price of actions of these kinds in a transaction of `size` bytes. A kind that is not
/// listed has the price of all others, where there is one, and costs its bytes in any case.
pub fn of(params: &proto::Params, kinds: impl IntoIterator<Item = ActionKind>, size: u64) -> Price {
    let bytes = |per_byte: u64| per_byte.saturating_mul(size);
    let (work, fee) = (bytes(params.work_per_byte), bytes(params.fee_per_byte));
    let mut price = Price { work, fee, stake: true };
    for kind in kinds {
        let listed = params.prices.iter().find(|price| price.kind == kind.number());
        let listed = listed.or(params.other_price.as_ref());
        let (work, fee, stake) = listed.map_or((0, 0, false), |one| (one.work, one.fee, one.stake));
        price.work = price.work.saturating_add(work);
        price.fee = price.fee.saturating_add(fee);
        price.stake &= stake;
    }
    price
}

#[cfg(test)]
mod tests;
