//! Genesis parameters that contradict themselves are refused, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use guts_abci::proto::abci::{RequestInitChain, ValidatorUpdate};
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_abci::proto::google::protobuf::Duration;
use guts_abci::proto::types::{ConsensusParams, EvidenceParams};
use guts_schema::{ActionKind, keys, proto, values};
use guts_state::MemoryStore;

use super::{Genesis, Price, changed, check_whole, get, of, put};
use crate::app::App;
use crate::fault::Broken;
use crate::genesis::AppState;
use crate::run::Run;
use crate::testing::{CHAIN, Person, World};
use crate::whole::Whole;

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
    assert!(refused(|p| p.candidates_max = 100).contains("candidates_max must be above"));
    assert!(refused(|p| p.missed_max = p.missed_window).contains("missed_max"));
    assert!(refused(|p| p.gov_voting_s = 0).contains("gov_voting_s"));
    assert!(refused(|p| p.gov_veto_ppm = 1_000_000).contains("gov_veto_ppm"));
    assert!(refused(|p| p.pack_bytes_max = u64::MAX).contains("in flight"));
}

/// A change to the parameters.
type Change = fn(&mut Genesis);

#[test]
fn nothing_is_without_bound() {
    const YEAR_S: u64 = 365 * 24 * 3600;
    let too_much: [(&str, Change); 22] = [
        ("handle_commit_s", |p| p.handle_commit_s = YEAR_S + 1),
        ("push_window_s", |p| p.push_window_s = 24 * 3600 + 1),
        ("recovery_delay_min_s", |p| p.recovery_delay_min_s = YEAR_S + 1),
        ("epoch_s", |p| p.epoch_s = p.unbonding_s + 1),
        ("unbonding_s", |p| p.unbonding_s = YEAR_S + 1),
        ("jail_s", |p| p.jail_s = YEAR_S + 1),
        ("gov_deposit_s", |p| p.gov_deposit_s = YEAR_S + 1),
        ("gov_voting_s", |p| p.gov_voting_s = YEAR_S + 1),
        ("gov_timelock_s", |p| p.gov_timelock_s = YEAR_S + 1),
        ("gov_deposit_min", |p| p.gov_deposit_min = u64::MAX),
        ("gov_quorum_ppm", |p| p.gov_quorum_ppm = 1_000_000),
        ("gov_threshold_ppm", |p| p.gov_threshold_ppm = 1_000_000),
        ("gov_emergency_threshold_ppm", |p| p.gov_emergency_threshold_ppm = 1_000_000),
        ("gov_open_max", |p| p.gov_open_max = 201),
        ("pending_pushes_max", |p| p.pending_pushes_max = 4097),
        ("candidates_max", |p| p.candidates_max = 10_001),
        ("unbondings_max", |p| p.unbondings_max = 100_001),
        ("power_unit", |p| p.power_unit = u64::MAX),
        ("fee_per_byte", |p| p.fee_per_byte = 10_001),
        ("propose costs", |p| p.other_price.fee = 100_000_001),
        ("propose costs", |p| p.other_price.work = (1 << 32) + 1),
        ("vote costs", |p| {
            let vote = Price { kind: "vote".into(), fee: u64::MAX, ..p.other_price.clone() };
            p.prices.push(vote);
            let number = |price: &Price| ActionKind::from_name(&price.kind).unwrap().number();
            p.prices.sort_by_key(number);
        }),
    ];
    for (text, change) in too_much {
        let why = refused(change);
        assert!(why.contains(text), "{text}: {why}");
    }
}

fn with_evidence(age_s: i64, state: &AppState) -> Result<App, Broken> {
    let mut app = App::new(Arc::new(RwLock::new(MemoryStore::new())), None);
    let age = Duration { seconds: age_s, nanos: 0 };
    let evidence = EvidenceParams { max_age_duration: Some(age), ..Default::default() };
    let consensus_params = ConsensusParams { evidence: Some(evidence), ..Default::default() };
    let validator = Person::new(1).secret.public().to_vec();
    app.init_chain(&RequestInitChain {
        chain_id: CHAIN.into(),
        validators: vec![ValidatorUpdate {
            pub_key: Some(PublicKey { sum: Some(Sum::Ed25519(validator)) }),
            power: 10,
        }],
        app_state_bytes: state.to_json().into(),
        initial_height: 1,
        consensus_params: Some(consensus_params),
        ..Default::default()
    })?;
    Ok(app)
}

#[test]
fn stake_answers_no_longer_than_evidence_is_taken() {
    const DAY_S: i64 = 24 * 3600;
    let state = AppState::default();
    let short = with_evidence(DAY_S - 1, &state).err().expect("refused").to_string();
    assert!(short.contains("raise max_age_duration"), "{short}");
    // Nor can it be made to by a proposal.
    let app = with_evidence(DAY_S, &state).expect("as long is not longer");
    let params = get(&app.state().expect("a state")).expect("parameters");
    assert_eq!(params.evidence_age_s, DAY_S as u64);
    let longer = changed(&params, "{\"unbonding_s\": 86401}").unwrap_err();
    assert!(longer.contains("raise max_age_duration"), "{longer}");
    let other = changed(&params, "{\"evidence_age_s\": 0}").unwrap_err();
    assert!(other.contains("what the genesis document says"), "{other}");
    assert!(changed(&params, "{\"unbonding_s\": 86399}").is_ok());
}

#[test]
fn changes_at_genesis_are_held_to_the_rules_of_later_ones() {
    let usual = Genesis { evidence_age_s: 172_800, ..Genesis::default() };
    let with = |json: &str| usual.with(serde_json::from_str(json).unwrap());
    assert_eq!(with("{}").unwrap(), usual);
    let changed = with("{\"epoch_s\": 60, \"unbonding_s\": 172800}").unwrap();
    assert_eq!(changed, Genesis { epoch_s: 60, unbonding_s: 172_800, ..usual.clone() });
    for (json, why) in [
        ("{\"app_version\": 2}", "by upgrades alone"),
        ("{\"evidence_age_s\": 0}", "what the genesis document says"),
        ("{\"epoch_z\": 60}", "epoch_z"),
        ("{\"epoch_s\": \"60\"}", "60"),
        ("{\"epoch_s\": 0}", "epoch_s"),
        ("{\"unbonding_s\": 172801}", "raise max_age_duration"),
    ] {
        let refused = with(json).expect_err(json);
        assert!(refused.contains(why), "{json}: {refused}");
    }
}

#[test]
fn the_parameters_of_a_whole_state_are_checked() {
    let mut world = World::new();
    world.block(vec![]);
    let whole = world.node.whole();
    assert!(check_whole(&whole, 0).is_ok());
    let other = check_whole(&whole, 1).unwrap_err().to_string();
    assert!(other.contains("max_age_duration"), "{other}");
    let bad = |change: fn(&mut proto::Params)| {
        let mut params = whole.get::<proto::Params>(&keys::params()).unwrap().unwrap();
        change(&mut params);
        let entries = whole.iter().map(|(key, value)| (key.to_vec(), value.to_vec()));
        let mut entries: BTreeMap<_, _> = entries.collect();
        entries.insert(keys::params(), values::encode(&params));
        check_whole(&Whole::new(entries), 0).unwrap_err().to_string()
    };
    assert!(bad(|params| params.epoch_s = 0).contains("epoch_s"));
    assert!(bad(|params| params.unbonding_s = u64::MAX).contains("unbonding_s"));
}

#[test]
fn unknown_fields_are_refused() {
    assert!(AppState::parse(br#"{"params":{"acept_work":true}}"#).is_err());
    assert!(AppState::parse(br#"{"extra":{}}"#).is_err());
    assert_eq!(AppState::parse(b"{}").unwrap(), AppState::default());
    assert_eq!(AppState::parse(b"").unwrap(), AppState::default());
}

#[test]
fn what_was_decoded_before_is_what_holds_now() {
    let world = World::new();
    let state = world.state();
    let block = world.node.app.head().unwrap().next_block();
    let mut run = Run::new(&block, &state);
    let before = of(&run).unwrap();
    assert_eq!(*before, get(&run.state).unwrap());
    let changed = proto::Params { fee_burn_ppm: before.fee_burn_ppm + 1, ..(*before).clone() };
    put(&mut run, &changed).unwrap();
    assert_eq!(*of(&run).unwrap(), changed);
    // A run beside it does not see the change.
    assert_eq!(of(&Run::new(&block, &state)).unwrap(), before);
}
