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
fn gateways_have_one_spelling_of_their_url() {
    let long = |bytes: usize| format!("https://a/{}", "x".repeat(bytes - 10));
    for good in [
        "http://localhost",
        "http://127.0.0.1:8080",
        "http://[::1]:1",
        "https://[2001:db8::1]",
        "https://git-1.example.org:65535/a.b/~c_D-e",
        "https://xn--bcher-kva.example",
        "https://1.example",
        &long(256),
    ] {
        assert_eq!(check_gateway_url(good), Ok(()), "{good}");
    }
    let label = format!("http://{}.org", "a".repeat(64));
    for bad in [
        "",
        "git.example.org",
        "ftp://a.org",
        "HTTP://a.org",
        "http://",
        "http:///packs",
        "http://A.org",
        "http://a.org/",
        "http://a.org//b",
        "http://a.org/../b",
        "http://a.org/a%20b",
        "http://a.org/a b",
        "http://a.org\n",
        "http://a.org?x",
        "http://a.org#x",
        "http://a.org/b?x",
        "http://u@a.org",
        "http://u:p@a.org",
        "http://a.org:",
        "http://a.org:0",
        "http://a.org:08",
        "http://a.org:+8",
        "http://a.org:80",
        "https://a.org:443",
        "http://a.org:65536",
        "http://a..org",
        "http://a.org.",
        "http://-a.org",
        "http://a_b.org",
        "http://ä.org",
        "http://1.2.3",
        "http://1.2.3.04",
        "http://1.2.3.256",
        "http://[::1",
        "http://[::1]x",
        "http://[0::1]",
        "http://[FE80::1]",
        "http://::1",
        &label,
        &long(257),
    ] {
        assert_eq!(check_gateway_url(bad), Err(NameError::Gateway), "{bad}");
    }
    let rule = NameError::Gateway.to_string();
    assert!(rule.contains("at most 256 bytes, without user, query, fragment"), "{rule}");
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
