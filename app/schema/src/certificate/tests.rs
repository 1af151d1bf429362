//! A certificate as git 2.39.5 sent it, and what is no certificate.
use proptest::prelude::*;

use super::*;
use crate::ids::AccountId;
use crate::sign::SecretKey;
use crate::tx::PushRefs;

const GIT: &[u8] = include_bytes!("../../testdata/push.cert");

/// A certificate with that head and those commands, signed by a test key.
fn signed(text: &str) -> Vec<u8> {
    let secret = SecretKey::from_seed([1; 32]);
    let signature = secret.sign(&sshsig::message(NAMESPACE, text.as_bytes()));
    let signature = SshSignature { key: secret.public(), signature };
    format!("{text}{}", signature.to_armour(NAMESPACE)).into_bytes()
}

fn with_commands(commands: &str) -> Result<Certificate, CertificateError> {
    let text = format!(
        "certificate version 0.1\npusher SHA256:x  1795239997 +0000\n\
         nonce guts1+c+alice/hello+1\n\n{commands}"
    );
    Certificate::parse(&signed(&text))
}

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const NULL: &str = "0000000000000000000000000000000000000000";

#[test]
fn what_git_sends_is_read_and_its_signature_is_valid() {
    let certificate = Certificate::parse(GIT).expect("good");
    assert!(certificate.claim().is_valid());
    assert_eq!(certificate.pusher, sshsig::fingerprint(&certificate.signature.key));
    assert_eq!(certificate.pushee.as_deref(), Some("/tmp/sch/r.git"));
    assert_eq!(certificate.nonce.to_string(), "guts1+guts-local+alice/hello+1795231441");
    assert_eq!(certificate.options, ["a=b", "two words"]);
    let names: Vec<_> = certificate.updates.iter().map(|update| update.name.as_str()).collect();
    assert_eq!(names, ["refs/heads/main", "refs/tags/v1"]);
    assert!(certificate.updates.iter().all(|update| update.old.is_none()));
    assert_eq!(certificate.object_format, ObjectFormat::Sha1);
}

#[test]
fn the_signed_part_alone_names_the_certificate() {
    let certificate = Certificate::parse(GIT).expect("good");
    let mut other = GIT.to_vec();
    let at = other.windows(4).position(|part| part == b"v1\n-").expect("there");
    other[at + 1] = b'2';
    let other = Certificate::parse(&other).expect("the form is good");
    assert_ne!(other.hash(), certificate.hash());
    assert!(!other.claim().is_valid());
}

#[test]
fn a_push_is_its_certificate_who_brings_it_and_its_pack() {
    let certificate = Certificate::parse(GIT).expect("good");
    let id = |payer: u8, pack: Option<(u8, u64)>| {
        let pack = pack.map(|(hash, size)| (Hash::new([hash; 32]), size));
        let push = PushRefs { certificate: certificate.clone(), pack, operator: None };
        push.id(&AccountId::new([payer; 20]))
    };
    let all = [
        id(1, Some((1, 9))),
        id(2, Some((1, 9))),
        id(1, Some((2, 9))),
        id(1, Some((1, 8))),
        id(1, None),
        id(2, None),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(id(1, Some((1, 9))), all[0]);
}

#[test]
fn refs_are_made_moved_and_deleted() {
    let commands =
        format!("{NULL} {A} refs/heads/new\n{A} {B} refs/heads/main\n{A} {NULL} refs/tags/gone\n");
    let updates = with_commands(&commands).expect("good").updates;
    let kinds: Vec<_> = updates.iter().map(|u| (u.old.is_some(), u.new.is_some())).collect();
    assert_eq!(kinds, [(false, true), (true, true), (true, false)]);
}

#[test]
fn bad_refs_are_refused_with_the_rule() {
    use CertificateError::{Formats, Line, RefName, Refs, Twice, Unmoved};
    let main = "refs/heads/main";
    assert_eq!(with_commands(""), Err(Line("ref")));
    assert_eq!(with_commands(&format!("{A} {B} {main}")), Err(Line("signature")));
    assert_eq!(with_commands(&format!("{A} {B}\n")), Err(Line("ref")));
    assert_eq!(with_commands(&format!("{A} {} {main}\n", &B[1..])), Err(Line("ref")));
    assert_eq!(with_commands(&format!("{A} {} {main}\n", B.to_uppercase())), Err(Line("ref")));
    assert_eq!(with_commands(&format!("{A} {A} {main}\n")), Err(Unmoved(main.into())));
    assert_eq!(with_commands(&format!("{NULL} {NULL} {main}\n")), Err(Unmoved(main.into())));
    assert_eq!(with_commands(&format!("{A} {} {main}\n", "b".repeat(64))), Err(Formats));
    let twice = format!("{A} {B} {main}\n");
    assert_eq!(with_commands(&twice.repeat(2)), Err(Twice(main.into())));
    let bad = with_commands(&format!("{A} {B} refs/heads/a..b\n"));
    assert!(matches!(bad, Err(RefName { .. })), "{bad:?}");
    let many: String = (0..257).map(|i| format!("{A} {B} refs/heads/{i}\n")).collect();
    assert_eq!(with_commands(&many), Err(Refs));
}

#[test]
fn bad_heads_are_refused_with_the_line() {
    let commands = format!("\n{A} {B} refs/heads/main\n");
    let parse = |head: &str| Certificate::parse(&signed(&format!("{head}{commands}")));
    let version = "certificate version 0.1\n";
    let pusher = "pusher SHA256:x  1 +0000\n";
    let nonce = "nonce guts1+c+alice/hello+1\n";
    assert!(parse(&format!("{version}{pusher}{nonce}")).is_ok());
    assert!(parse(&format!("{version}{pusher}pushee x\n{nonce}push-option\u{20}\n")).is_ok());
    for (head, line) in [
        (format!("certificate version 0.2\n{pusher}{nonce}"), "version"),
        (format!("{version}{nonce}"), "pusher"),
        (format!("{version}pusher x 1\n{nonce}"), "pusher"),
        (format!("{version}{pusher}"), "nonce"),
        (format!("{version}{pusher}{nonce}other x\n"), "push-option"),
    ] {
        assert_eq!(parse(&head), Err(CertificateError::Line(line)), "{head}");
    }
    let options = "push-option x\n".repeat(17);
    let many = parse(&format!("{version}{pusher}{nonce}{options}"));
    assert_eq!(many, Err(CertificateError::Options));
    let nonce = parse(&format!("{version}{pusher}nonce 1795-x\n"));
    assert!(matches!(nonce, Err(CertificateError::Nonce(_))));
}

#[test]
fn the_whole_must_be_there_and_not_too_long() {
    for cut in 0..GIT.len() {
        assert!(Certificate::parse(&GIT[..cut]).is_err(), "{cut}");
    }
    let long = [GIT, &vec![b'\n'; CERTIFICATE_BYTES_MAX]].concat();
    assert_eq!(Certificate::parse(&long), Err(CertificateError::Oversize));
    assert_eq!(Certificate::parse(&[0xff]), Err(CertificateError::Encoding));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, at: usize, with: Vec<u8>) {
        let _ = Certificate::parse(&bytes);
        let at = at % GIT.len();
        let mutated = [&GIT[..at], &with, &GIT[(at + 1).min(GIT.len())..]].concat();
        let _ = Certificate::parse(&mutated);
    }
}
