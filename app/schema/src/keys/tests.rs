//! No key is a prefix of another, and different things have different keys.
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn id(byte: u8) -> AccountId {
    AccountId::new([byte; 20])
}

fn all(byte: u8, number: u64, text: &str) -> Vec<Vec<u8>> {
    let repo_id = RepoId::new(number.max(1)).expect("not 0");
    vec![
        params(),
        supply(),
        account(&id(byte)),
        key(&Key::new([byte; 32])),
        guardians(&id(byte)),
        recovery(&id(byte)),
        handle(text),
        handle_commit(&id(byte), &Hash::new([byte; 32])),
        anchors(),
        anchor(number),
        queue_ends(Queue::HandleCommits),
        queue_ends(Queue::Pushes),
        queue_item(Queue::HandleCommits, number),
        queue_item(Queue::Pushes, number),
        queue_ends(Queue::Unbondings),
        queue_item(Queue::Unbondings, number),
        validator(&ValidatorAddress::new([byte; 20])),
        candidates(),
        operator(&id(byte)),
        delegation(&ValidatorAddress::new([byte; 20]), &id(byte)),
        delegations_of(&id(byte)),
        unbonding(number),
        missed(&ValidatorAddress::new([byte; 20])),
        epoch(),
        validators(),
        validators_at(number),
        validators_changes(),
        repos(),
        repo(repo_id),
        repo_name(&id(byte), text),
        owner_repo(&id(byte), number),
        repo_access(repo_id),
        protections(repo_id),
        star(repo_id, &id(byte)),
        proposals(),
        proposal(number),
        vote(number, number),
        vote_of(number, &id(byte)),
        upgrade(),
        faucet(),
        faucet_draw(&id(byte)),
        threads(repo_id),
        thread(repo_id, number),
        comment(repo_id, number, number),
        comment_edit(repo_id, number, number, number),
        reactions(repo_id, number, number, &id(byte)),
        reference(repo_id, number, number),
        reference_of(repo_id, number, repo_id, number),
        issue(repo_id, number),
        tracker(repo_id),
        orgs(),
        org(&id(byte)),
        refs(repo_id),
        ref_record(repo_id, text),
        ref_bucket(repo_id, byte),
        ref_dir(repo_id, text),
        ref_log(repo_id, number),
        push(&PushId::new([byte; 32])),
        pushes_pending(),
        pushes_of(&id(byte), &id(byte)),
        certificate(&Hash::new([byte; 32])),
        tick(),
    ]
}

proptest! {
    #[test]
    fn no_key_is_a_prefix_of_another(
        a in (any::<u8>(), any::<u64>(), "[a-z/]{0,8}"),
        b in (any::<u8>(), any::<u64>(), "[a-z/]{0,8}"),
    ) {
        let keys: BTreeSet<Vec<u8>> =
            all(a.0, a.1, &a.2).into_iter().chain(all(b.0, b.1, &b.2)).collect();
        let keys: Vec<_> = keys.into_iter().collect();
        for pair in keys.windows(2) {
            prop_assert!(!pair[1].starts_with(&pair[0]), "{pair:?}");
        }
    }
}

#[test]
fn kinds_of_key_are_distinct() {
    let keys = all(1, 1, "a");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
}

#[test]
fn anchors_share_as_many_slots_as_are_good() {
    assert_eq!(anchor(3), anchor(3 + ANCHORS_MAX));
    assert_ne!(anchor(3), anchor(4));
}

#[test]
fn every_key_begins_with_a_tag_and_every_tag_begins_one() {
    let keys = all(1, 1, "x");
    let begins = |key: &[u8], tag: &str| key.starts_with(tag.as_bytes());
    assert!(keys.iter().all(|key| TAGS.iter().any(|tag| begins(key, tag))));
    assert!(TAGS.iter().all(|tag| keys.iter().any(|key| begins(key, tag))));
}
