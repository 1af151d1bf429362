//! Rounding, extremes, and values that contradict each other.
use super::*;

fn info(tokens: u64, shares: u64) -> proto::ValidatorInfo {
    proto::ValidatorInfo { tokens, shares, ..Default::default() }
}

#[test]
fn parts_are_rounded_down_and_never_more_than_the_whole() {
    assert_eq!(ppm_of(u64::MAX, u64::MAX), u64::MAX);
    assert_eq!((ppm_of(9, 500_000), ppm_of(1, 999_999)), (4, 0));
    assert_eq!((ppm_in(1, 3), ppm_in(5, 5), ppm_in(0, 7)), (333_333, PPM, 0));
    assert_eq!((ppm_in(u64::MAX, u64::MAX), ppm_in(3, 0), ppm_in(u64::MAX, 1)), (PPM, 0, u64::MAX));
}

#[test]
fn shares_are_worth_what_the_stake_behind_them_is() {
    assert_eq!(worth(&info(50, 100), 3), 1);
    assert_eq!(worth(&info(u64::MAX, 3), 3), u64::MAX);
    assert_eq!(worth(&info(0, 0), 5), 0);
    // What is bought is sold again for no more.
    for (tokens, shares, amount) in [(50, 100, 7), (100, 50, 7), (3, 7, 1), (0, 0, 9)] {
        let before = info(tokens, shares);
        let Some(bought) = bought(&before, amount) else { continue };
        let after = info(tokens + amount, shares + bought);
        assert!(worth(&after, bought) <= amount, "{tokens} {shares}");
        assert!(sold(&after, worth(&after, bought)) <= bought, "{tokens} {shares}");
    }
    assert_eq!(bought(&info(100, 1), 1), None, "not even one");
    assert_eq!(bought(&info(0, 5), 1), None, "they stand for nothing");
    assert_eq!((sold(&info(2, 3), 1), sold(&info(0, 3), u64::MAX)), (2, u64::MAX));
}

#[test]
fn what_is_given_to_all_shares_is_due_to_each() {
    let mut validator = info(100, 10);
    validator.reward_index = rewarded(&validator, 25).unwrap();
    let mut delegation = proto::Delegation { shares: 4, ..Default::default() };
    assert_eq!(rewards(&delegation, &validator), Some(10));
    delegation.reward_index.clone_from(&validator.reward_index);
    assert_eq!(rewards(&delegation, &validator), Some(0));
    validator.reward_index = rewarded(&validator, 10).unwrap();
    assert_eq!(rewards(&delegation, &validator), Some(4));
    assert_eq!(rewarded(&info(0, 0), 1), None);
    validator.reward_index = u128::MAX.to_be_bytes().to_vec();
    assert_eq!(rewarded(&validator, u64::MAX), None, "it is counted out");
}

#[test]
fn what_can_be_claimed_is_rewards_and_the_operators_commission() {
    let (ada, bob) = (AccountId::new([1; 20]), AccountId::new([2; 20]));
    let index = |units: u128| (units << REWARD_INDEX_BITS).to_be_bytes().to_vec();
    let mut info = proto::ValidatorInfo { operator: ada.to_vec(), ..Default::default() };
    (info.reward_index, info.commission_due) = (index(5), 7);
    let mut delegation = proto::Delegation { shares: 10, ..Default::default() };
    assert_eq!(claimable(&delegation, &info, &bob), Some(50), "never paid");
    delegation.reward_index = index(3);
    assert_eq!(claimable(&delegation, &info, &bob), Some(20));
    assert_eq!(claimable(&delegation, &info, &ada), Some(27));
    delegation.reward_index = index(6);
    assert_eq!(claimable(&delegation, &info, &bob), None, "it runs backwards");
    delegation.reward_index = vec![1];
    assert_eq!(claimable(&delegation, &info, &bob), None, "too short");
    (info.reward_index, delegation.reward_index) = (u128::MAX.to_be_bytes().to_vec(), Vec::new());
    assert_eq!(claimable(&delegation, &info, &bob), None, "too much");
}
