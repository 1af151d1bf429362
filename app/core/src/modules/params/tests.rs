//! Genesis parameters that contradict themselves are refused, by name.

use super::Genesis;
use crate::genesis::AppState;
use crate::testing::World;

fn refused(change: impl FnOnce(&mut Genesis)) -> String {
    let mut state = AppState::default();
    change(&mut state.params);
    World::try_genesis(4, &state).err().expect("refused").to_string()
}

#[test]
fn contradictions_are_refused() {
    assert!(refused(|p| p.prices[0].kind = "fly".into()).contains("\"fly\""));
    assert!(refused(|p| p.prices.reverse()).contains("in order"));
    assert!(refused(|p| (p.accept_work, p.accept_fee) = (false, false)).contains("accept_fee"));
    assert!(refused(|p| p.push_window_s = 100).contains("push_window_s"));
    assert!(refused(|p| p.push_deadline_s = 0).contains("push_deadline_s"));
    assert!(refused(|p| p.other_price.kind = "transfer".into()).contains("other_price"));
    assert!(refused(|p| p.keys_per_account_max = 0).contains("keys_per_account_max"));
    assert!(refused(|p| p.fee_burn_ppm = 1_000_001).contains("millionths"));
    assert!(refused(|p| p.epoch_s = 0).contains("epoch_s"));
    assert!(refused(|p| p.light_trust_s = p.unbonding_s).contains("light_trust_s"));
    assert!(refused(|p| p.power_unit = 15).contains("power_unit"));
    assert!(refused(|p| p.validators_min = 0).contains("validators_min"));
    assert!(refused(|p| p.validators_max = 129).contains("validators_max"));
    assert!(refused(|p| p.candidates_max = 99).contains("candidates_max"));
    assert!(refused(|p| p.missed_max = p.missed_window).contains("missed_max"));
    assert!(refused(|p| p.gov_voting_s = 0).contains("gov_voting_s"));
    assert!(refused(|p| p.gov_veto_ppm = 1_000_001).contains("millionths"));
    assert!(refused(|p| p.pack_bytes_max = u64::MAX).contains("in flight"));
}

#[test]
fn unknown_fields_are_refused() {
    assert!(AppState::parse(br#"{"params":{"acept_work":true}}"#).is_err());
    assert!(AppState::parse(br#"{"extra":{}}"#).is_err());
    assert_eq!(AppState::parse(b"{}").unwrap(), AppState::default());
    assert_eq!(AppState::parse(b"").unwrap(), AppState::default());
}
