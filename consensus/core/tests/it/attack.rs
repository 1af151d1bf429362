//! Attacks on light clients: found by somebody, judged by everybody, told to the application.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guts_abci::proto::abci as pb;
use guts_consensus::config::Config;
use guts_consensus::io::{ClientReply, ClientRequest, Input, Load, Offence, PeerId, Ticket};
use guts_consensus::messages::Message;
use guts_consensus::types::{
    BlockId, Commit, CommitSig, DuplicateVote, Evidence, Hash, Header, Invalid, LightBlock,
    LightClientAttack, PartSetHeader, SignedHeader, SignedVote, State, Validator, ValidatorSet,
    Vote, VoteKind, vote_sign_bytes,
};
use guts_genesis::{
    Address, ConsensusParams, Height, Manifest, Power, Round, Signature, Time, Zip215,
};

use crate::apps::{Changes, changed};
use crate::cluster::{Cluster, MakeApp};

const MINUTE: Duration = Duration::from_secs(60);
const PRECOMMIT: i32 = 2;

/// What applications were told of.
type Told = Arc<Mutex<Vec<pb::Misbehavior>>>;

/// The kvstore, which notes the misbehaviour it is told of.
fn noting(told: &Told) -> MakeApp {
    let told = told.clone();
    let note = move |request: &pb::RequestFinalizeBlock| {
        told.lock().unwrap().extend(request.misbehavior.iter().cloned());
    };
    changed(Changes { finalize: Some(Arc::new(note)), ..Changes::default() })
}

/// A cluster with a few blocks.
fn cluster(told: &Told) -> Cluster {
    let max = ConsensusParams::default().evidence_max_bytes;
    cluster_with_room(told, max)
}

/// The same, of which blocks carry so many bytes of evidence.
fn cluster_with_room(told: &Told, evidence_max_bytes: i64) -> Cluster {
    let mut cluster = Cluster::with_genesis(4, Config::default(), noting(told), |manifest| {
        manifest.consensus_params.evidence_max_bytes = evidence_max_bytes;
    });
    for n in 0..6 {
        cluster.submit(n % 4, n as u64, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    cluster.run_until(MINUTE, |c| c.all_at(6));
    cluster.run_for(Duration::from_secs(1));
    cluster
}

/// Who proposes next.
fn next_proposer(cluster: &Cluster) -> usize {
    let state = &cluster.nodes[0].committed.last().unwrap().state;
    let key = state.validators.proposer().unwrap().key;
    cluster.nodes.iter().position(|node| node.key.public_key() == key).unwrap()
}

/// Everybody starts again, with this evidence in its pool.
fn restart_with(cluster: &mut Cluster, evidence: impl Fn(usize) -> Vec<Evidence>) {
    (0..4).for_each(|i| cluster.crash(i));
    for i in 0..4 {
        let known = evidence(i).into_iter().map(|one| {
            let hash = one.hash().as_bytes().try_into().unwrap();
            (hash, one)
        });
        cluster.nodes[i].disk.evidence = known.collect();
    }
    (0..4).for_each(|i| cluster.restart(i));
}

/// Evidence of more than 4,000 bytes.
fn large(n: u32) -> Evidence {
    let vote = |block: &[u8]| Vote {
        kind: VoteKind::Precommit,
        height: Height(1),
        round: Round(n),
        block_id: BlockId { hash: Hash::of(block), ..BlockId::NIL },
        time: Time::EPOCH,
        validator_address: Address([7; 20]),
        validator_index: 0,
        signature: Signature::from_slice(&[1; 64]).unwrap(),
        extension: vec![0; 4_000].into(),
        extension_signature: Signature::NONE,
    };
    Evidence::DuplicateVote(Box::new(DuplicateVote {
        vote_a: vote(b"a"),
        vote_b: vote(b"b"),
        total_power: Power(40),
        validator_power: Power(10),
        time: Time::new(1_700_000_000, 0).unwrap(),
    }))
}

fn header_at(cluster: &Cluster, height: u64) -> Header {
    let found = cluster.nodes[0].committed.iter().find(|b| b.height == Height(height)).unwrap();
    found.decided.block.header().clone()
}

/// Everybody signs another header than the chain's.
fn forge(cluster: &Cluster, header: Header, round: Round) -> LightBlock {
    let validators = cluster.nodes[0].committed[0].state.last_validators.clone();
    sign(cluster, header, round, validators)
}

/// All of a set, who run these nodes, sign a header.
fn sign(cluster: &Cluster, header: Header, round: Round, validators: ValidatorSet) -> LightBlock {
    let parts = PartSetHeader { total: 1, hash: Hash::of(b"made up") };
    let block_id = BlockId { hash: header.hash(), parts };
    let time = header.time.checked_add(Duration::from_millis(1)).unwrap();
    let at = (header.height.wire(), round.wire());
    let bytes = vote_sign_bytes(&header.chain_id, PRECOMMIT, at, &block_id, time);
    let sign = |validator: &Validator| {
        let signer = cluster.nodes.iter().find(|n| n.key.public_key() == validator.key).unwrap();
        let signature = signer.key.sign(&bytes);
        CommitSig::Commit(SignedVote { address: validator.address, time, signature })
    };
    let signatures = validators.validators().iter().map(sign).collect();
    let commit = Commit { height: header.height, round, block_id, signatures };
    LightBlock { signed_header: SignedHeader { header, commit }, validators }
}

/// Evidence that names everybody.
fn attack(cluster: &Cluster, conflicting: LightBlock, common: u64) -> LightClientAttack {
    let members = conflicting.validators.validators();
    let set = &cluster.nodes[0].committed.iter().find(|b| b.height == Height(common)).unwrap();
    // As they stood at the common height: priorities do not travel with evidence that counts.
    let named = |v: &Validator| Validator { priority: 0, ..*v };
    LightClientAttack {
        byzantine: members.iter().map(named).collect(),
        total_power: set.state.last_validators.total_power(),
        time: header_at(cluster, common).time,
        common_height: Height(common),
        conflicting,
    }
}

fn submit(cluster: &mut Cluster, attack: LightClientAttack) -> Result<(), String> {
    let evidence = Box::new(Evidence::LightClientAttack(Box::new(attack)));
    let request = ClientRequest::SubmitEvidence(evidence);
    cluster.input(1, Input::Client { ticket: Ticket(900), request });
    cluster.run_until(MINUTE, |c| c.nodes[1].replies.contains_key(&Ticket(900)));
    match cluster.nodes[1].replies.remove(&Ticket(900)) {
        Some(ClientReply::Evidence(answer)) => answer.map(|_| ()),
        other => panic!("{other:?}"),
    }
}

/// It is in one block, everybody has it, and each application heard of each validator once.
fn check_is_punished(cluster: &mut Cluster, told: &Told) {
    cluster.run_until(MINUTE, |c| {
        let blocks = |i: usize| c.nodes[i].committed.iter();
        (0..4).all(|i| blocks(i).any(|block| !block.decided.block.evidence().is_empty()))
    });
    cluster.run_for(MINUTE);
    cluster.assert_agreement();
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 4 * 4, "four nodes hear of four validators");
    let kind = pb::MisbehaviorType::LightClientAttack as i32;
    assert!(told.iter().all(|one| one.r#type == kind));
    let clean = |i: usize| cluster.nodes[i].offences.is_empty();
    assert!((0..4).all(clean), "nobody is to blame for passing it on");
}

#[test]
fn a_lunatic_attack_is_judged_by_all_and_told_to_the_application() {
    let told = Told::default();
    let mut cluster = cluster(&told);
    let header = Header { app_hash: vec![7; 8].into(), ..header_at(&cluster, 4) };
    let conflicting = forge(&cluster, header, Round(0));
    let attack = attack(&cluster, conflicting, 2);
    assert_eq!(submit(&mut cluster, attack), Ok(()));
    check_is_punished(&mut cluster, &told);
}

#[test]
fn an_equivocating_attack_names_who_signed_both() {
    let told = Told::default();
    let mut cluster = cluster(&told);
    let header = Header { data_hash: Hash::of(b"other"), ..header_at(&cluster, 3) };
    let conflicting = forge(&cluster, header, Round(0));
    let mut attack = attack(&cluster, conflicting, 3);
    // Whoever is not in the commit that block 4 carries did not sign twice.
    let commit = cluster.nodes[2].committed.iter().find(|b| b.height == Height(4)).unwrap();
    let signed = commit.decided.block.last_commit().signatures.clone();
    attack.byzantine = attack
        .byzantine
        .iter()
        .zip(&signed)
        .filter(|(_, sig)| sig.is_commit())
        .map(|(validator, _)| *validator)
        .collect();
    let count = attack.byzantine.len();
    assert!(count >= 3);
    assert_eq!(submit(&mut cluster, attack), Ok(()));
    cluster.run_until(MINUTE, |_| told.lock().unwrap().len() == 4 * count);
    cluster.assert_agreement();
}

#[test]
fn an_attack_on_a_height_to_come_is_judged_by_the_last_header() {
    let told = Told::default();
    let mut cluster = cluster(&told);
    let last = header_at(&cluster, 6);
    let height = Height(cluster.height(0) + 5);
    let header = Header { height, app_hash: vec![7; 8].into(), ..last };
    let conflicting = forge(&cluster, header, Round(0));
    let attack = attack(&cluster, conflicting, 2);
    assert_eq!(submit(&mut cluster, attack), Ok(()));
    check_is_punished(&mut cluster, &told);
}

#[test]
fn what_is_no_attack_is_refused_and_its_sender_reported() {
    let told = Told::default();
    let mut cluster = cluster(&told);
    let own = forge(&cluster, header_at(&cluster, 4), Round(0));
    let other = Header { app_hash: vec![7; 8].into(), ..header_at(&cluster, 4) };
    let good = attack(&cluster, forge(&cluster, other, Round(0)), 2);
    let mut unsigned = good.clone();
    for sig in &mut unsigned.conflicting.signed_header.commit.signatures {
        if let CommitSig::Commit(vote) = sig {
            vote.signature = Signature::from_slice(&[1; 64]).unwrap();
        }
    }
    let wrong = [
        attack(&cluster, own, 2),
        LightClientAttack { time: Time::EPOCH, ..good.clone() },
        LightClientAttack { total_power: Power(3), ..good.clone() },
        LightClientAttack { byzantine: good.byzantine[1..].to_vec(), ..good.clone() },
        unsigned,
    ];
    for bad in wrong {
        assert!(submit(&mut cluster, bad.clone()).is_err());
        assert_offends(&mut cluster, bad);
    }
    // Not yet, and not here: no offence.
    let height = Height(cluster.height(0) + 5);
    let early = LightClientAttack { common_height: height, ..good };
    assert_eq!(submit(&mut cluster, early), Err("the chain is not far enough to judge it".into()));
    assert!(told.lock().unwrap().is_empty());
}

/// Whoever tells a node of this is at fault.
fn assert_offends(cluster: &mut Cluster, bad: LightClientAttack) {
    cluster.nodes[2].offences.clear();
    let message = Message::Evidence(vec![Evidence::LightClientAttack(Box::new(bad))]);
    cluster.input(2, Input::Message { peer: PeerId(0), message });
    cluster.run_for(Duration::from_millis(100));
    let offences = &cluster.nodes[2].offences;
    assert!(matches!(offences[..], [Offence::BadEvidence(_)]), "{offences:?}");
}

/// Headers that a node has loaded; never a whole block.
fn headers_loaded(cluster: &Cluster, i: usize) -> usize {
    let loads = || cluster.nodes[i].loads.iter();
    assert!(!loads().any(|load| matches!(load, Load::Block(_))));
    loads().filter(|load| matches!(load, Load::SignedHeader(_))).count()
}

#[test]
fn nothing_is_loaded_for_what_the_chain_s_validators_did_not_sign() {
    let told = Told::default();
    let mut cluster = cluster(&told);
    let lunatic = |height| Header { app_hash: vec![7; 8].into(), ..header_at(&cluster, height) };
    let good = attack(&cluster, forge(&cluster, lunatic(4), Round(0)), 2);
    // Somebody's own keys, at a height that all share and at one that is to come.
    let strangers = Cluster::with_genesis(4, Config::default(), noting(&told), |manifest| {
        *manifest = Manifest::local(manifest.chain_id.clone(), manifest.genesis_time, b"own", 4);
    });
    let made_up = |height, common| {
        let set = State::from_genesis(&strangers.genesis).unwrap().validators;
        let header = Header { height, validators_hash: set.hash(), ..lunatic(4) };
        let mut theirs = attack(&cluster, good.conflicting.clone(), common);
        theirs.conflicting = sign(&strangers, header, Round(0), set);
        theirs
    };
    let (same, ahead) = (made_up(Height(4), 4), made_up(Height(1_000), 2));
    let mut unsigned = good.clone();
    unsigned.conflicting.signed_header.commit.signatures.truncate(1);
    for bad in [same, ahead, unsigned] {
        assert_offends(&mut cluster, bad);
        assert_eq!(headers_loaded(&cluster, 2), 0);
    }
    // What they signed, told wrongly: one piece at a time.
    let wrong = LightClientAttack { byzantine: good.byzantine[1..].to_vec(), ..good };
    let wrong = Evidence::LightClientAttack(Box::new(wrong));
    let message = Message::Evidence(vec![wrong; 50]);
    cluster.input(2, Input::Message { peer: PeerId(0), message });
    cluster.run_for(Duration::from_millis(100));
    assert_eq!(headers_loaded(&cluster, 2), 1, "that of its height");
}

/// Both have one hash, because that is of the header alone.
#[test]
fn a_forged_piece_with_the_hash_of_a_true_one_is_refused() {
    let told = Told::default();
    let mut cluster = cluster(&told);
    let header = Header { app_hash: vec![7; 8].into(), ..header_at(&cluster, 4) };
    let conflicting = forge(&cluster, header, Round(0));
    let attack = attack(&cluster, conflicting, 2);
    let forged = LightClientAttack { byzantine: attack.byzantine[..1].to_vec(), ..attack.clone() };
    assert_eq!(forged.hash(), attack.hash());
    let villain = next_proposer(&cluster);
    restart_with(&mut cluster, |i| {
        let known = if i == villain { &forged } else { &attack };
        vec![Evidence::LightClientAttack(Box::new(known.clone()))]
    });
    check_is_punished(&mut cluster, &told);
    let refused = cluster.nodes[villain].engine.status().counters.extra_rounds;
    assert!(refused > 0, "the villain proposed first");
}

#[test]
fn with_a_full_pool_a_block_s_evidence_is_looked_up_once() {
    let told = Told::default();
    let mut cluster = cluster_with_room(&told, 4_000);
    let header = Header { app_hash: vec![7; 8].into(), ..header_at(&cluster, 4) };
    let conflicting = forge(&cluster, header, Round(0));
    let attack = attack(&cluster, conflicting, 2);
    let proposer = next_proposer(&cluster);
    restart_with(&mut cluster, |i| match i == proposer {
        true => vec![Evidence::LightClientAttack(Box::new(attack.clone()))],
        false => (0..1_000).map(large).collect(),
    });
    // Not until something happens: for a node that loops, something always does.
    cluster.run_steps(2_000);
    assert_eq!(told.lock().unwrap().len(), 4 * 4);
    cluster.assert_agreement();
}

#[test]
fn evidence_that_is_too_large_stops_no_other_and_makes_no_blocks() {
    let told = Told::default();
    let mut cluster = cluster_with_room(&told, 4_000);
    let header = Header { app_hash: vec![7; 8].into(), ..header_at(&cluster, 4) };
    let conflicting = forge(&cluster, header, Round(0));
    let attack = Evidence::LightClientAttack(Box::new(attack(&cluster, conflicting, 2)));
    let height = cluster.height(0);
    restart_with(&mut cluster, |_| vec![large(0), attack.clone()]);
    cluster.run_steps(2_000);
    assert_eq!(told.lock().unwrap().len(), 4 * 4);
    assert!((0..4).all(|i| cluster.nodes[i].engine.status().evidence == 1));
    // The block with the evidence, and one that shows its application hash if that changed.
    assert!((0..4).all(|i| (height + 1..=height + 2).contains(&cluster.height(i))));
}

#[test]
fn a_precommit_for_nil_is_no_signature_of_our_block() {
    let told = Told::default();
    let cluster = cluster(&told);
    let header = Header { data_hash: Hash::of(b"other"), ..header_at(&cluster, 3) };
    let conflicting = forge(&cluster, header, Round(0));
    let blamed = attack(&cluster, conflicting.clone(), 3);
    // The validator that stands first signed their block, and nil where the others signed ours.
    let mut commit = forge(&cluster, header_at(&cluster, 3), Round(0)).signed_header.commit;
    let CommitSig::Commit(vote) = commit.signatures[0] else { panic!("everybody signed") };
    commit.signatures[0] = CommitSig::Nil(vote);
    let trusted = SignedHeader { header: header_at(&cluster, 3), commit };
    let fair = LightClientAttack { byzantine: blamed.byzantine[1..].to_vec(), ..blamed.clone() };
    let common = &conflicting.validators;
    assert_eq!(fair.check_signed(&Zip215, "cluster", common), Ok(()));
    assert_eq!(fair.check_against(common, &trusted), Ok(()));
    assert_eq!(blamed.check_against(common, &trusted), Err(Invalid::ByzantineCount));
}

/// One that lags cannot tell an attack that is over from one that is still ahead: no offence.
#[test]
fn one_that_lags_blames_nobody_for_an_attack_ahead_of_it() {
    let told = Told::default();
    let mut cluster = cluster(&told);
    let lag = cluster.height(3);
    (0..3).for_each(|i| _ = cluster.cut.insert((i, 3)));
    for n in 10..16 {
        cluster.submit(n % 3, n as u64, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    cluster.run_until(MINUTE, |c| (0..3).all(|i| c.height(i) >= lag + 4));
    let header = Header { app_hash: vec![7; 8].into(), ..header_at(&cluster, lag + 3) };
    let conflicting = forge(&cluster, header, Round(0));
    let attack = attack(&cluster, conflicting, 2);
    let message = Message::Evidence(vec![Evidence::LightClientAttack(Box::new(attack.clone()))]);
    cluster.input(3, Input::Message { peer: PeerId(0), message });
    cluster.run_steps(20);
    assert_eq!(cluster.height(3), lag);
    assert_eq!(cluster.nodes[3].offences, []);
    cluster.cut.clear();
    assert_eq!(submit(&mut cluster, attack), Ok(()));
    check_is_punished(&mut cluster, &told);
}

#[test]
fn a_peer_that_comes_later_learns_of_evidence_that_waits() {
    let told = Told::default();
    let mut cluster = cluster(&told);
    let header = Header { app_hash: vec![7; 8].into(), ..header_at(&cluster, 4) };
    let conflicting = forge(&cluster, header, Round(0));
    let attack = attack(&cluster, conflicting, 2);
    // Two of four decide nothing.
    [0, 2, 3].into_iter().for_each(|i| cluster.crash(i));
    assert_eq!(submit(&mut cluster, attack), Ok(()));
    cluster.restart(2);
    cluster.run_for(Duration::from_millis(100));
    assert_eq!(cluster.nodes[2].engine.status().evidence, 1);
}

#[test]
fn evidence_that_is_too_old_is_refused_and_nobody_blamed() {
    let told = Told::default();
    let mut cluster = Cluster::with_genesis(4, Config::default(), noting(&told), |manifest| {
        manifest.consensus_params.evidence_max_age_num_blocks = 2;
        manifest.consensus_params.evidence_max_age_duration_ns = 1_000_000;
    });
    for n in 0..6 {
        cluster.submit(n % 4, n as u64, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    cluster.run_until(MINUTE, |c| c.all_at(6));
    let ticket = Ticket(1_000_000);
    let request = ClientRequest::SubmitEvidence(Box::new(large(0)));
    cluster.input(0, Input::Client { ticket, request });
    hear_evidence(&mut cluster, 2, large(0));
    cluster.run_for(Duration::from_millis(100));
    let Some(ClientReply::Evidence(Err(why))) = cluster.nodes[0].replies.get(&ticket) else {
        panic!("{:?}", cluster.nodes[0].replies.get(&ticket))
    };
    assert!(why.contains("too old"), "{why}");
    assert!(cluster.nodes.iter().all(|node| node.offences.is_empty()));
    assert_eq!(cluster.nodes[0].engine.status().evidence, 0);
}

fn hear_evidence(cluster: &mut Cluster, at: usize, evidence: Evidence) {
    let message = Message::Evidence(vec![evidence]);
    cluster.input(at, Input::Message { peer: PeerId(0), message });
}
