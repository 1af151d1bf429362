//! Prices add up and do not overflow.
use super::*;

#[test]
fn kinds_and_bytes_add_up() {
    let price = |kind: ActionKind, work, fee, stake| proto::KindPrice {
        kind: kind.number(),
        work,
        fee,
        stake,
        owner: false,
    };
    let params = proto::Params {
        prices: vec![
            price(ActionKind::PushRefs, 100, 1, true),
            price(ActionKind::Transfer, u64::MAX, 7, false),
        ],
        work_per_byte: 2,
        fee_per_byte: 3,
        ..Default::default()
    };
    let push = of(&params, [ActionKind::PushRefs], 10);
    assert_eq!(push, Price { work: 120, fee: 31, stake: true });
    let both = of(&params, [ActionKind::PushRefs, ActionKind::Transfer], 10);
    assert_eq!(both, Price { work: u64::MAX, fee: 38, stake: false });
    let unlisted = of(&params, [ActionKind::CreateRepo], 10);
    assert_eq!(unlisted, Price { work: 20, fee: 30, stake: false });
    let other_price = Some(proto::KindPrice { work: 5, fee: 6, ..Default::default() });
    let with_other = proto::Params { other_price, ..params };
    let other = of(&with_other, [ActionKind::CreateRepo], 10);
    assert_eq!(other, Price { work: 25, fee: 36, stake: false });
    assert_eq!(of(&with_other, [ActionKind::PushRefs], 10), push);
}
