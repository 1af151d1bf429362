//! Every refusal of the state machine, provoked at least once: its code, and its sentence to the
//! letter, which is in `refusals.txt`. A code that nothing here provokes fails the test.

mod people;
mod repos;
mod stake;
mod talk;

use std::collections::BTreeSet;

use guts_schema::{Action, Code, PushId};

use crate::fault::Refusal;
use crate::modules::push;
use crate::testing::{Person, World};

/// What was refused so far.
#[derive(Default)]
struct Said {
    codes: BTreeSet<Code>,
    lines: String,
}

impl Said {
    /// Writes down what was refused, with names for the accounts that everybody knows.
    fn say(&mut self, world: &World, wanted: Code, code: Option<Code>, sentence: &str) {
        assert_eq!(code, Some(wanted), "{sentence}");
        self.codes.insert(wanted);
        let mut line = format!("{}: {sentence}\n", wanted.name());
        for (who, name) in [(&world.alice, "ALICE"), (&world.bob, "BOB"), (&world.gateway, "GATE")]
        {
            line = line.replace(&who.id.to_string(), name);
            line = line.replace(&who.secret.public().to_string(), &format!("KEY-OF-{name}"));
        }
        self.lines.push_str(&line);
    }

    /// A transaction that is refused in its block.
    fn tx(&mut self, world: &mut World, wanted: Code, tx: Vec<u8>) {
        let outcome = world.block(vec![tx]);
        let last = outcome.results.len() - 1;
        let sentence = outcome.results[last].log.clone();
        self.say(world, wanted, outcome.code(last), &sentence);
    }

    /// The same, of one action.
    fn no(&mut self, world: &mut World, who: &Person, wanted: Code, action: Action) {
        let tx = world.tx(who, &[action]);
        self.tx(world, wanted, tx);
    }

    /// A push that was ordered and failed.
    fn push(&mut self, world: &World, wanted: Code, id: &PushId) {
        let push = push::get(&world.state(), id).unwrap().unwrap();
        self.say(world, wanted, Code::from_number(push.code), &push.reason);
    }

    /// A refusal that is in no block.
    fn refusal(&mut self, world: &World, wanted: Code, refusal: &Refusal) {
        self.say(world, wanted, Some(refusal.code), &refusal.sentence);
    }
}

#[test]
fn every_rule_says_what_it_is_and_what_to_do() {
    let mut said = Said::default();
    people::provoke(&mut said);
    stake::provoke(&mut said);
    repos::provoke(&mut said);
    talk::provoke(&mut said);
    // Below 100 is what needs no state, and a server of its own says that it is busy.
    let ours = |code: &&Code| code.number() >= 100 && **code != Code::QueryBusy;
    let missing: Vec<_> =
        Code::ALL.iter().filter(ours).filter(|c| !said.codes.contains(c)).collect();
    assert!(missing.is_empty(), "nothing provokes {missing:?}");
    let wanted = include_str!("refusals.txt");
    // A rule, and after it the way out.
    let way_out = |line: &&str| line.split_once(": ").is_some_and(|(_, s)| s.contains([':', ';']));
    assert_eq!(wanted.lines().find(|line| !way_out(line)), None);
    for (found, wanted) in said.lines.lines().zip(wanted.lines()) {
        assert_eq!(found, wanted);
    }
    assert_eq!(said.lines, wanted);
}
