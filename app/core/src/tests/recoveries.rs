//! Recovery against a plain model: what guardians agree on, when it may be finished, and whose key
//! the account's is then.

use std::collections::{BTreeMap, BTreeSet};

use guts_schema::sign::ProofOf;
use guts_schema::tx::AccountAction;
use guts_schema::{Action, keys, proto};
use proptest::prelude::*;

use crate::modules::account::GenesisAccount;
use crate::testing::{Person, World};

/// Least delay of a recovery: the default.
const DELAY_MIN_S: u64 = 86_400;

/// Those who may be guardians of alice's.
fn guardians() -> [Person; 4] {
    [102, 103, 140, 141].map(Person::new)
}

/// Alice's first key, and those that guardians may agree on.
fn keys_of_alice() -> [Person; 8] {
    [101, 150, 151, 152, 153, 154, 155, 156].map(Person::new)
}

/// What is agreed on: a key, and from when on it may be the account's.
type Ready = Option<(usize, u64)>;

#[derive(Debug, Default)]
struct Model {
    guardians: BTreeSet<usize>,
    threshold: usize,
    delay_s: u64,
    /// The last word of each; none: no recovery is under way.
    agreed: Option<BTreeMap<usize, usize>>,
    ready: Ready,
    /// Keys that are or were somebody's, and the one that alice signs with.
    used: BTreeSet<usize>,
    key: usize,
}

impl Model {
    fn choose(&mut self, chosen: &BTreeSet<usize>, threshold: usize, delay_s: u64) -> bool {
        if !chosen.is_empty() && delay_s < DELAY_MIN_S {
            return false;
        }
        (self.guardians, self.threshold, self.delay_s) = (chosen.clone(), threshold, delay_s);
        (self.agreed, self.ready) = (None, None);
        true
    }

    fn agree(&mut self, who: usize, key: usize, now_s: u64) -> bool {
        if !self.guardians.contains(&who) || self.used.contains(&key) {
            return false;
        }
        let agreed = self.agreed.get_or_insert_default();
        agreed.insert(who, key);
        let enough =
            |key: &usize| agreed.values().filter(|one| *one == key).count() >= self.threshold;
        // The newest that enough agree on; the delay begins when it is another.
        let before = self.ready.map(|(key, _)| key);
        let now = [Some(key), before].into_iter().flatten().find(enough);
        // A mind that is changed leaves the others with what they agreed on.
        let now = now.or_else(|| agreed.values().copied().find(enough));
        if now != before {
            self.ready = now.map(|key| (key, now_s + self.delay_s));
        }
        true
    }

    fn finish(&mut self, now_s: u64) -> bool {
        match self.ready {
            Some((key, due_s)) if now_s >= due_s && self.used.insert(key) => {
                (self.agreed, self.ready, self.key) = (None, None, key);
                true
            }
            _ => false,
        }
    }

    fn cancel(&mut self) -> bool {
        self.ready = None;
        self.agreed.take().is_some()
    }
}

/// Who: a guardian, or signing for alice one of her keys. What, and numbers for it.
type Step = (usize, u8, usize, usize);

/// One step in a block of its own: it does what the model says.
fn live(world: &mut World, model: &mut Model, (who, what, a, b): Step) {
    if what == 0 {
        world.time_s += [1000, DELAY_MIN_S - 3, DELAY_MIN_S - 2, 200_000][b % 4];
        world.block(vec![]);
        return;
    }
    let now_s = world.time_s + 1;
    let alice = world.alice.clone();
    // Mostly they agree on keys that are nobody's yet, and alice signs with the one that is hers.
    let free = (0..8).filter(|key| !model.used.contains(key)).nth(a);
    let named = free.filter(|_| b > 0).unwrap_or(a);
    let (guardian, fresh) = (&guardians()[who], &keys_of_alice()[named]);
    let key = fresh.secret.public();
    let with = if b % 5 == 1 { who } else { model.key };
    let is_key = model.key == with;
    let (change, good) = match what {
        1..=9 => {
            let good = model.agree(who, named, now_s);
            let proof = fresh.proof(ProofOf::Key, &alice.id);
            (AccountAction::ApproveRecovery { account: alice.id, key, proof }, good)
        }
        // Anybody may.
        10 | 11 => (AccountAction::FinishRecovery { account: alice.id }, model.finish(now_s)),
        // Somebody else takes a key.
        12 => {
            let proof = fresh.proof(ProofOf::Key, &guardian.id);
            let good = model.used.insert(named);
            (AccountAction::AddKey { key, proof, repo: None, until_s: None }, good)
        }
        13 => (AccountAction::CancelRecovery, is_key && model.cancel()),
        _ => {
            let chosen: BTreeSet<_> = (0..4).filter(|bit| (b + 4) >> bit & 1 == 1).collect();
            let threshold = a % chosen.len() + 1;
            let delay_s = DELAY_MIN_S - u64::from(b == 0);
            let mut list: Vec<_> = chosen.iter().map(|who| guardians()[*who].id).collect();
            list.sort();
            let good = is_key && model.choose(&chosen, threshold, delay_s);
            let threshold = threshold as u32;
            (AccountAction::SetGuardians { guardians: list, threshold, delay_s }, good)
        }
    };
    let said = format!("{who} {change:?}");
    let signer = &keys_of_alice()[with];
    let (account, signer) = if what >= 13 { (&alice, signer) } else { (guardian, guardian) };
    let action = Action::Account { actor: account.id, change };
    let code = world.one(world.tx_by(account, &signer.secret, &[action]));
    assert_eq!(code.is_none(), good, "{said}: {code:?}");
}

fn assert_same(world: &World, model: &Model) {
    let whole = world.node.whole();
    let found: Option<proto::Recovery> = whole.get(&keys::recovery(&world.alice.id)).unwrap();
    let place = |bytes: &[u8]| {
        let is_it = |one: &Person| one.secret.public().to_vec() == bytes;
        keys_of_alice().iter().position(is_it).unwrap()
    };
    let ready = |one: &proto::Recovery| (!one.key.is_empty()).then(|| (place(&one.key), one.due_s));
    assert_eq!(found.as_ref().and_then(ready), model.ready);
    let agreed = found.map(|one| {
        let said = one.approvals.iter().map(|said| {
            let who = guardians().iter().position(|one| one.id.to_vec() == said.guardian);
            (who.unwrap(), place(&said.key))
        });
        said.collect::<BTreeMap<_, _>>()
    });
    assert_eq!(agreed, model.agreed);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn guardians_recover_an_account_as_a_plain_model_says(
        steps in prop::collection::vec((0usize..4, 0u8..15, 0usize..3, 0usize..12), 1..80)
    ) {
        let mut world = World::with(|state| {
            state.account.accounts.extend(guardians()[2..].iter().map(|one| GenesisAccount {
                key: one.secret.public(),
                handle: String::new(),
                balance: 1_000_000_000,
            }));
        });
        let mut model = Model { used: [0].into(), ..Model::default() };
        // Two of all four, at first.
        live(&mut world, &mut model, (0, 14, 1, 11));
        for step in steps {
            live(&mut world, &mut model, step);
            assert_same(&world, &model);
        }
    }
}
