//! What a name may be.
use super::*;

#[test]
fn handles() {
    for good in ["ab", "alice", "a-b", "42", &"a".repeat(39)] {
        assert_eq!(check_handle(good), Ok(()), "{good}");
    }
    for bad in ["", "a", "-a", "a-", "a--b", "Alice", "a.b", "a_b", "ä", &"a".repeat(40)] {
        assert_eq!(check_handle(bad), Err(NameError::Handle), "{bad}");
    }
    assert_eq!(check_handle("health"), Err(NameError::Reserved("health".into())));
}

#[test]
fn repository_names() {
    for good in ["a", "hello", "hello.rs", "_x", "a-b_c.d", &"a".repeat(100)] {
        assert_eq!(check_repo_name(good), Ok(()), "{good}");
    }
    for bad in ["", ".", "..", ".a", "-a", "a.", "a.git", "a.lock", "a..b", "A", "a/b", "a b"] {
        assert_eq!(check_repo_name(bad), Err(NameError::Repo), "{bad}");
    }
    assert_eq!(parse_repo_path("alice/hello"), Ok(("alice", "hello")));
    assert_eq!(parse_repo_path("alice"), Err(NameError::Path));
    assert!(parse_repo_path("alice/hello/x").is_err());
}

#[test]
fn chain_ids_and_descriptions() {
    assert_eq!(check_chain_id("guts-local.1_x"), Ok(()));
    for bad in ["", "a+b", "a b", &"a".repeat(51)] {
        assert!(check_chain_id(bad).is_err(), "{bad}");
    }
    assert_eq!(check_description("A fine thing: ü"), Ok(()));
    assert!(check_description("two\nlines").is_err());
    assert!(check_description(&"a".repeat(513)).is_err());
}

#[test]
fn a_commitment_binds_every_part() {
    let account = AccountId::new([1; 20]);
    let base = handle_commitment("c", &account, "alice", &[2; 32]);
    assert_ne!(base, handle_commitment("d", &account, "alice", &[2; 32]));
    assert_ne!(base, handle_commitment("c", &AccountId::new([2; 20]), "alice", &[2; 32]));
    assert_ne!(base, handle_commitment("c", &account, "alicf", &[2; 32]));
    assert_ne!(base, handle_commitment("c", &account, "alice", &[3; 32]));
}
