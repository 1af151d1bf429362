//! Ref names are those of git; the root is that of the set.
use proptest::prelude::*;

use super::*;

#[test]
fn names_git_takes() {
    for good in
        ["refs/heads/main", "refs/tags/v1.0", "refs/heads/a/b-c_d", "refs/x/ü", "refs/heads/@"]
    {
        assert_eq!(check_ref_name(good), Ok(()), "{good}");
    }
}

#[test]
fn names_git_refuses() {
    for bad in [
        "main",
        "refs/heads",
        "heads/main/x",
        "refs/heads/",
        "refs//main",
        "refs/heads/.a",
        "refs/heads/a.lock",
        "refs/heads/a.lock/b",
        "refs/heads/a..b",
        "refs/heads/a@{b",
        "refs/heads/a.",
        "refs/heads/a b",
        "refs/heads/a~1",
        "refs/heads/a^",
        "refs/heads/a:b",
        "refs/heads/a?",
        "refs/heads/*",
        "refs/heads/[a",
        "refs/heads/a\\b",
        "refs/heads/a\u{7f}",
        "refs/heads/a\nb",
        "refs/guts/x",
        "refs/replace/x",
        "refs/pull/1/head",
    ] {
        assert!(check_ref_name(bad).is_err(), "{bad:?}");
    }
    assert!(check_ref_name(&format!("refs/heads/{}", "a".repeat(240))).is_err());
    assert!(check_branch("refs/tags/v1").is_err());
}

#[test]
fn parents_are_where_another_ref_would_be_in_the_way() {
    assert_eq!(parents("refs/heads/a").count(), 0);
    let all: Vec<_> = parents("refs/heads/a/b/c").collect();
    assert_eq!(all, ["refs/heads/a", "refs/heads/a/b"]);
}

#[test]
fn the_root_is_fixed() {
    let oid = Oid::Sha1([0xaa; 20]);
    let mut refs = BTreeMap::from([("refs/heads/main".to_owned(), oid)]);
    assert_eq!(
        root(&BTreeMap::new()).to_string(),
        "6c75b933ded3e6133bed338f6ce14e1b07a9c4549172c88770839b821e3187f5"
    );
    assert_eq!(
        root(&refs).to_string(),
        "7e6a448d4ac9457a9cefc2cfb8943f1ecc5d0c5daf0ff0ede26fd3b3576d66cb"
    );
    refs.insert("refs/tags/v1".into(), Oid::Sha256([1; 32]));
    assert_eq!(
        root(&refs).to_string(),
        "4fc2a734f406647deef13a089dd85c3c280439e7a59a5756ab0dcbf21c4fdcef"
    );
}

fn listing() -> impl Strategy<Value = BTreeMap<String, Oid>> {
    let oid = prop::array::uniform20(1u8..).prop_map(Oid::Sha1);
    prop::collection::btree_map("refs/heads/[a-d]{1,6}", oid, 0..40)
}

proptest! {
    #[test]
    fn changing_one_bucket_gives_the_root_of_the_changed_set(
        refs in listing(), name in "refs/heads/[a-d]{1,6}", byte in 1u8..
    ) {
        let mut hashes: BTreeMap<u8, Hash> = BTreeMap::new();
        for name in refs.keys() {
            let b = bucket(name);
            let inside = refs.iter().filter(|(n, _)| bucket(n) == b);
            let hash = bucket_hash(inside.map(|(n, o)| (n.as_str(), *o)));
            hashes.insert(b, hash.expect("not empty"));
        }
        prop_assert_eq!(root_of_buckets(&hashes), root(&refs));
        let mut changed = refs.clone();
        changed.insert(name.clone(), Oid::Sha1([byte; 20]));
        let b = bucket(&name);
        let inside = changed.iter().filter(|(n, _)| bucket(n) == b).map(|(n, o)| (n.as_str(), *o));
        hashes.insert(b, bucket_hash(inside).expect("not empty"));
        prop_assert_eq!(root_of_buckets(&hashes), root(&changed));
        prop_assert_eq!(root(&changed) == root(&refs), changed == refs);
    }

    #[test]
    fn a_missing_ref_changes_the_root(refs in listing()) {
        for name in refs.keys() {
            let mut fewer = refs.clone();
            fewer.remove(name);
            prop_assert_ne!(root(&fewer), root(&refs));
        }
    }

    #[test]
    fn no_name_panics(name: String) {
        let _ = check_ref_name(&format!("refs/{name}"));
        prop_assert!(parents(&name).count() <= name.len());
    }
}
