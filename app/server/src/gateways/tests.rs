//! Who is asked first and who last, and where they may be.

use guts_app_core::Head;
use guts_schema::ids::ValidatorAddress;
use guts_schema::{keys, proto, values};
use guts_state::{MemoryStore, Overlay, Snapshot};

use super::*;
use crate::chain::Committed;

fn account(number: u8) -> AccountId {
    AccountId::new([number; AccountId::LEN])
}

/// A chain whose validators say that their gateways are there.
fn saying(urls: &[&str]) -> Chain {
    let empty = Snapshot::at(Arc::new(MemoryStore::new()), 0).unwrap();
    let mut overlay = Overlay::new(&empty);
    let mut set = proto::Validators::default();
    for (number, url) in (1..).zip(urls) {
        let address = ValidatorAddress::new([number; 20]);
        let info = proto::ValidatorInfo { gateway: (*url).to_owned(), ..Default::default() };
        overlay.put(keys::validator(&address), values::encode(&info)).unwrap();
        let (address, account) = (address.to_vec(), account(number).to_vec());
        set.validators.push(proto::Validator { address, account, power: 1, ..Default::default() });
    }
    overlay.put(keys::validators(), values::encode(&set)).unwrap();
    let mut store = MemoryStore::new();
    store.write(&empty.commit(&overlay.into_changes(), 1).unwrap().unwrap());
    let head = Head { chain_id: "guts-test".into(), initial_height: 1, height: 1, time_s: 0 };
    Chain::new(Committed::new(Some(head), Snapshot::at(Arc::new(store), 1).unwrap()))
}

#[test]
fn what_validators_say_leads_to_public_addresses_unless_the_settings_allow_others() {
    let chain = saying(&["http://1.1.1.1", "http://10.0.0.2", "http://10.0.0.3"]);
    let peer = |url: &str, scope| Peer { url: url.into(), scope };
    let mut config = Config { gateways: vec!["http://10.0.0.3".into()], ..Config::default() };
    let peers =
        |config: &Config, first| Gateways::new(chain.clone(), account(1), config).peers(first);
    // The node's own settings come first, and mean what they say.
    let own = peer("http://10.0.0.3", Scope::Any);
    let expected = [own.clone(), peer("http://10.0.0.2", Scope::Public)];
    assert_eq!(peers(&config, None), expected);
    config.allow_private_gateways = true;
    assert_eq!(peers(&config, None), [own, peer("http://10.0.0.2", Scope::Any)]);
    config.gateways.clear();
    let first = peers(&config, Some(&account(3)));
    assert_eq!(first[0].url, "http://10.0.0.3", "of the one that took the push");
}

fn said() -> Vec<(AccountId, String)> {
    (1..=4).map(|i| (AccountId::new([i; 20]), format!("http://{i}"))).collect()
}

/// The numbers of the gateways, in their order, when those have failed.
fn order(first: Option<u8>, asked: usize, failed: &[&str]) -> String {
    let first = first.map(|first| AccountId::new([first; 20]));
    let added = ["http://a", "http://2"].into_iter();
    let failures = |url: &str| u8::from(failed.contains(&url));
    let urls = ordered(added, &said(), first.as_ref(), asked, failures);
    urls.iter().map(|url| url.trim_start_matches("http://")).collect()
}

#[test]
fn none_is_always_the_first_and_who_failed_is_among_the_last() {
    assert_eq!(order(None, 0, &[]), "a2134");
    assert_eq!(order(None, 2, &[]), "a2341");
    assert_eq!(order(None, 3, &[]), "a2413");
    assert_eq!(order(None, 4, &[]), "a2134");
    assert_eq!(order(None, 2, &["http://3"]), "a2413");
    assert_eq!(order(None, 2, &["http://3", "http://a"]), "241a3");
    assert_eq!(ordered([].into_iter(), &[], None, 7, |_| 0), [""; 0]);
}

#[test]
fn who_took_a_push_is_asked_before_others_whatever_it_was() {
    assert_eq!(order(Some(4), 0, &[]), "a2413");
    // But for those that are added, unless they fail.
    assert_eq!(order(Some(4), 1, &["http://4", "http://a"]), "2431a");
    assert_eq!(order(Some(4), 0, &["http://1", "http://a", "http://2"]), "43a21");
    // The account of no validator is of no gateway known here.
    assert_eq!(order(Some(9), 0, &["http://1"]), "a2341");
}
