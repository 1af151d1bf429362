//! Who speaks for which stake, and where the bars are.
use super::*;

const BARS: Bars =
    Bars { quorum_ppm: 400_000, threshold_ppm: 500_000, is_of_all: false, veto_ppm: 333_000 };

fn account(seed: u8) -> AccountId {
    AccountId::new([seed; 20])
}

fn address(seed: u8) -> ValidatorAddress {
    ValidatorAddress::new([seed; 20])
}

fn validator(seed: u8, tokens: u64, shares: u64) -> (ValidatorAddress, proto::ValidatorInfo) {
    let operator = account(seed).to_vec();
    (address(seed), proto::ValidatorInfo { operator, tokens, shares, ..Default::default() })
}

#[test]
fn delegators_speak_for_themselves_and_operators_for_the_rest() {
    // The second was slashed: a share is worth half.
    let mut count = Count::new([validator(1, 100, 100), validator(2, 50, 100)]);
    assert!(count.has(&address(2)) && !count.has(&address(3)));
    count.add(&account(9), VoteOption::No, &[(address(1), 30), (address(2), 20)]);
    count.add(&account(1), VoteOption::Yes, &[(address(1), 10), (address(2), 40)]);
    // Stake outside of the set is none.
    count.add(&account(8), VoteOption::Veto, &[(address(3), 1000)]);
    let tally = count.end();
    // The operator's own shares are among the rest of its validator's.
    let expected = Tally { yes: 70 + 20, no: 30 + 10, total: 150, ..Tally::default() };
    assert_eq!(tally, expected);
    assert_eq!((tally.cast(), tally.quorum(&BARS)), (130, 60));
}

#[test]
fn the_order_of_votes_changes_nothing() {
    let votes = [
        (account(1), VoteOption::Yes, vec![(address(1), 10)]),
        (account(2), VoteOption::Abstain, vec![(address(1), 7), (address(2), 1)]),
        (account(3), VoteOption::Veto, vec![(address(2), 33)]),
    ];
    let sum = |order: [usize; 3]| {
        let mut count = Count::new([validator(1, 99, 100), validator(2, 67, 100)]);
        for (account, vote, held) in order.map(|at| votes[at].clone()) {
            count.add(&account, vote, &held);
        }
        count.end()
    };
    assert_eq!(sum([0, 1, 2]), sum([2, 1, 0]));
    assert_eq!(sum([0, 1, 2]), sum([1, 2, 0]));
}

#[test]
fn the_bars_are_where_they_are_said_to_be() {
    let outcome =
        |yes, no, veto, abstain| Tally { yes, no, veto, abstain, total: 1000 }.outcome(&BARS);
    assert_eq!(outcome(0, 0, 0, 0), Outcome::FewVoted);
    assert_eq!(outcome(399, 0, 0, 0), Outcome::FewVoted, "the quorum is 400");
    assert_eq!(outcome(399, 0, 0, 1), Outcome::Passed);
    assert_eq!(outcome(200, 200, 0, 0), Outcome::FewAgreed, "half is not more than half");
    assert_eq!(outcome(201, 200, 0, 0), Outcome::Passed);
    assert_eq!(outcome(0, 0, 0, 400), Outcome::FewAgreed);
    assert_eq!(outcome(667, 0, 333, 0), Outcome::Passed, "no more than the share of a veto");
    assert_eq!(outcome(666, 0, 334, 0), Outcome::Vetoed);
    assert_eq!(outcome(0, 0, 399, 0), Outcome::FewVoted, "few burn nothing");
    let none = Tally::default();
    let no_quorum = Bars { quorum_ppm: 0, ..BARS };
    assert_eq!(none.outcome(&no_quorum), Outcome::FewVoted, "nobody is not enough");
}

#[test]
fn an_emergency_has_a_bar_of_its_own() {
    let params = proto::Params {
        gov_quorum_ppm: 1,
        gov_threshold_ppm: 2,
        gov_emergency_threshold_ppm: 3,
        gov_veto_ppm: 4,
        ..Default::default()
    };
    let urgent = Content::Emergency("{}".into());
    let bars =
        |threshold_ppm, is_of_all| Bars { quorum_ppm: 1, threshold_ppm, is_of_all, veto_ppm: 4 };
    assert_eq!(Bars::of(&params, None), bars(2, false));
    assert_eq!(Bars::of(&params, Some(&urgent)), bars(3, true));
}

#[test]
fn a_third_of_the_stake_that_comes_first_decides_no_emergency() {
    let bars = Bars { threshold_ppm: 667_000, is_of_all: true, ..BARS };
    let outcome =
        |yes, no, veto, abstain| Tally { yes, no, veto, abstain, total: 1000 }.outcome(&bars);
    assert_eq!(outcome(399, 0, 0, 0), Outcome::FewVoted);
    assert_eq!(outcome(500, 0, 0, 0), Outcome::FewAgreed, "nobody else had the time");
    assert_eq!(outcome(667, 0, 0, 333), Outcome::FewAgreed);
    assert_eq!(outcome(668, 332, 0, 0), Outcome::Passed);
    assert_eq!(outcome(668, 0, 332, 0), Outcome::Passed);
    assert_eq!(outcome(666, 0, 334, 0), Outcome::Vetoed);
}
