//! What blocks refuse: what broke which rule, and the sentence it got. The table
//! `tests/refusals.txt` has a row for each pair; whatever test meets one without a row fails.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use guts_abci::proto::abci::{ExecTxResult, RequestFinalizeBlock, ResponseFinalizeBlock};
use guts_schema::attest::{Attested, is_pseudo_tx};
use guts_schema::ids::ValidatorAddress;
use guts_schema::proto::ProposalStatus;
use guts_schema::{ActionKind, ChainRules, Code, Tx, events, validate};

use super::{CHAIN, Person, World, address, attributes};
use crate::admit::admit;
use crate::block::{begin, execute_tx};
use crate::fault::Refusal;
use crate::modules;
use crate::run::{Block, Misbehaviour, Run};

/// What is refused, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A transaction, whatever it does: before its actions run.
    Transaction,
    /// An action of a transaction that was let in.
    Action(ActionKind),
    /// A push that was ordered: its refs do not move.
    OrderedPush,
    /// A proposal that was accepted: it is not carried out.
    AcceptedProposal,
    /// A transaction that would wait.
    Mempool,
    /// A question.
    Query,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Action(kind) => kind.name(),
            Self::OrderedPush => "ordered_push",
            Self::AcceptedProposal => "accepted_proposal",
            Self::Mempool => "mempool",
            Self::Query => "query",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let others = [
            Self::Transaction,
            Self::OrderedPush,
            Self::AcceptedProposal,
            Self::Mempool,
            Self::Query,
        ];
        let kinds = ActionKind::ALL.iter().map(|kind| Self::Action(*kind));
        kinds.chain(others).find(|what| what.name() == name)
    }
}

/// A row of the table: what broke which rule, and what was said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub what: What,
    pub code: Code,
    pub sentence: String,
}

/// What people of the tests are called in the table: their accounts, keys and validators.
static NAMES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let people = [(101, "ALICE"), (102, "BOB"), (103, "GATE")];
    let others = [(50, "CAROL"), (60, "OTHER"), (70, "NOBODY")];
    let validators = [(1, "ZERO"), (2, "ONE"), (3, "TWO"), (4, "THREE")];
    let names = people.into_iter().chain(others).chain(validators).map(|(seed, name)| {
        let who = Person::new(seed);
        [
            (who.id.to_string(), name.to_owned()),
            (who.secret.public().to_string(), format!("KEY-OF-{name}")),
            (address(&who).to_string(), format!("NODE-OF-{name}")),
        ]
    });
    names.flatten().collect()
});

impl Row {
    fn new(what: What, code: Code, sentence: &str) -> Self {
        let named = |text: String, (id, name): &(String, String)| text.replace(id, name);
        let sentence = NAMES.iter().fold(sentence.to_owned(), named);
        Self { what, code, sentence }
    }

    fn parse(line: &str) -> Option<Self> {
        let (pair, sentence) = line.split_once(": ")?;
        let (what, code) = pair.split_once(' ')?;
        let code = Code::ALL.iter().find(|one| one.name() == code.trim_start())?;
        let sentence = sentence.trim_start().to_owned();
        Some(Self { what: What::from_name(what)?, code: *code, sentence })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = format!("{}:", self.code.name());
        write!(f, "{:<17} {code:<22} {}", self.what.name(), self.sentence)
    }
}

/// The table as it is written.
pub const TABLE: &str = include_str!("../tests/refusals.txt");

/// Its rows.
pub fn table() -> Vec<Row> {
    let row = |line| Row::parse(line).unwrap_or_else(|| panic!("no row of a table: {line}"));
    TABLE.lines().map(row).collect()
}

static PAIRS: LazyLock<BTreeSet<(What, Code)>> =
    LazyLock::new(|| table().iter().map(|row| (row.what, row.code)).collect());

thread_local! {
    static HEARD: RefCell<Option<BTreeSet<Row>>> = const { RefCell::new(None) };
}

/// What is refused meanwhile, in the table or not.
pub fn heard(act: impl FnOnce()) -> BTreeSet<Row> {
    HEARD.set(Some(BTreeSet::new()));
    act();
    HEARD.take().unwrap()
}

/// Something was refused.
pub fn hear(what: What, code: Code, sentence: &str) {
    // Below 100 is what needs no state.
    if code.number() < 100 {
        return;
    }
    HEARD.with_borrow_mut(|heard| match heard {
        Some(heard) => drop(heard.insert(Row::new(what, code, sentence))),
        None if PAIRS.contains(&(what, code)) => {}
        None => panic!("tests/refusals.txt has no such row:\n{}", Row::new(what, code, sentence)),
    });
}

impl World {
    /// Hears what a block refused that is not committed yet.
    pub(super) fn hear(&self, request: &RequestFinalizeBlock, response: &ResponseFinalizeBlock) {
        if response.tx_results.iter().any(|result| result.code != 0) {
            self.hear_txs(request, &response.tx_results);
        }
        for push in attributes(&response.events, events::PUSH_FAILED) {
            let code = Code::ALL.iter().find(|code| code.name() == push["code"]).unwrap();
            hear(What::OrderedPush, *code, &push["reason"]);
        }
        let failed = i32::from(ProposalStatus::Failed).to_string();
        for proposal in attributes(&response.events, events::PROPOSAL_MOVED) {
            if proposal["status"] == failed {
                let sentence = &proposal["reason"];
                hear(What::AcceptedProposal, code_of(sentence), sentence);
            }
        }
    }

    /// Executes a block once more, and what failed in it step by step: only so it is known which
    /// action was refused.
    fn hear_txs(&self, request: &RequestFinalizeBlock, results: &[ExecTxResult]) {
        let first = request.txs.first().filter(|tx| is_pseudo_tx(tx) && results[0].code == 0);
        let attested = first.map(|tx| Attested::decode(tx).unwrap());
        let misbehaviour = request.misbehavior.iter().map(|one| {
            let validator = &one.validator.as_ref().unwrap().address;
            let validator = ValidatorAddress::from_slice(validator).unwrap();
            Misbehaviour { validator, height: one.height as u64 }
        });
        let block = Block {
            time_s: request.time.as_ref().unwrap().seconds as u64,
            misbehaviour: misbehaviour.collect(),
            rules: self.rules,
            ..self.node.app.head().unwrap().next_block()
        };
        let state = self.state();
        let mut run = begin(&block, &state, attested.as_ref()).unwrap();
        for (tx, result) in request.txs.iter().zip(results) {
            let Ok(tx) = validate(tx, &ChainRules::new(CHAIN)) else { continue };
            if result.code == 0 {
                execute_tx(&mut run, &tx).unwrap();
                continue;
            }
            let (what, Refusal { code, sentence }) = refused(&mut run, &tx);
            assert_eq!((code.number(), &sentence), (result.code, &result.log));
            hear(what, code, &sentence);
        }
    }
}

/// What of a transaction that fails is refused, and why. What letting it in did stays.
fn refused(block: &mut Run<'_>, tx: &Tx) -> (What, Refusal) {
    let mut admission = Run::new(block.block, &block.state);
    if let Err(fault) = admit(&mut admission, tx) {
        return (What::Transaction, fault.refusal().unwrap());
    }
    let changes = admission.state.into_changes();
    block.state.absorb(changes);
    let mut run = Run::new(block.block, &block.state);
    for action in &tx.actions {
        if let Err(fault) = modules::execute(&mut run, tx, action) {
            return (What::Action(action.kind()), fault.refusal().unwrap());
        }
    }
    panic!("it was refused, and is not")
}

/// The rule that a sentence names.
fn code_of(sentence: &str) -> Code {
    let says = |code: &&Code| {
        let mut rest = Some(sentence);
        for part in code.template().split("{}") {
            rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, rest)| rest);
        }
        code.number() >= 100 && rest.is_some()
    };
    *Code::ALL.iter().find(says).unwrap()
}
