//! Executing a block: hooks, pseudo-transaction 0, transactions, hooks. A function of the block
//! and the state before it, and of nothing else.

use guts_abci::proto::abci::{Event, ExecTxResult, ValidatorUpdate};
use guts_schema::attest::Attested;
use guts_schema::codes::CODESPACE;
use guts_schema::{Code, PushId, Tx};
use guts_state::{Cached, Changes, Overlay, Read};

use crate::admit::admit;
use crate::checker::Checked;
use crate::fault::{Broken, Fault, Refusal};
use crate::modules::{self, MODULES, params, push, staking};
use crate::run::{Block, Run};

/// One transaction of a block, as the stateless checks left it.
pub enum Item {
    /// Pseudo-transaction 0, its signatures checked.
    Attested(Attested),
    /// A transaction.
    Tx(Checked),
    /// Bytes that have no business in a block. ProcessProposal rejects such a block; should one be
    /// decided all the same, they do nothing.
    Refused(Refusal),
}

/// What a block did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Executed {
    /// One for each transaction.
    pub results: Vec<ExecTxResult>,
    /// Of the hooks.
    pub events: Vec<Event>,
    /// To the state.
    pub changes: Changes,
    /// To the validators, from two blocks on.
    pub updates: Vec<ValidatorUpdate>,
    /// Pushes whose refs it moved, or that failed in it.
    pub closed: Vec<PushId>,
    /// Pushes that are pending after it, by arrival.
    pub pending: Vec<PushId>,
    /// The version of the rules, if others began.
    pub app_version: Option<u64>,
}

/// What a block did before its last hooks: all of it that does not depend on the block's hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    results: Vec<ExecTxResult>,
    events: Vec<Event>,
    changes: Changes,
}

impl Body {
    /// What ran so far, with one result for each transaction.
    pub(crate) fn new(run: Run<'_>, results: Vec<ExecTxResult>) -> Self {
        Self { results, events: run.events, changes: run.state.into_changes() }
    }
}

/// Executes a block on the state `base`.
pub fn execute(block: &Block, base: &dyn Read, items: &[Item]) -> Result<Executed, Broken> {
    let cached = Cached::new(base);
    let attested = items.iter().find_map(|item| match item {
        Item::Attested(attested) => Some(attested),
        Item::Tx(_) | Item::Refused(_) => None,
    });
    let mut run = begin(block, &cached, attested)?;
    let mut results = Vec::with_capacity(items.len());
    for item in items {
        results.push(match item {
            Item::Attested(_) => ExecTxResult::default(),
            Item::Tx(Ok(tx)) => execute_tx(&mut run, tx)?,
            Item::Tx(Err(error)) => {
                let sentence = error.to_string();
                refused(&Refusal { code: error.code(), sentence }, Vec::new())
            }
            Item::Refused(refusal) => refused(refusal, Vec::new()),
        });
    }
    let body = Body::new(run, results);
    finish(block, &cached, body)
}

/// The first hooks of a block.
pub(crate) fn begin<'a>(
    block: &'a Block,
    base: &'a dyn Read,
    attested: Option<&Attested>,
) -> Result<Run<'a>, Broken> {
    let mut run = Run::new(block, base);
    for begin in MODULES.iter().filter_map(|module| module.begin) {
        begin(&mut run, attested)?;
    }
    Ok(run)
}

/// The last hooks of a block whose transactions were executed on the state `base`.
pub(crate) fn finish(block: &Block, base: &dyn Read, body: Body) -> Result<Executed, Broken> {
    let Body { results, events, changes } = body;
    let mut run = Run { state: Overlay::with(base, changes), events, ..Run::new(block, base) };
    for end in MODULES.iter().filter_map(|module| module.end) {
        end(&mut run)?;
    }
    let pending = push::pending(&run.state)?.0;
    let is_over = |id: &PushId| !pending.contains(id);
    let closed = push::pending(base)?.0.into_iter().filter(is_over).collect();
    let updates = staking::updates(&staking::newest(base)?, &staking::newest(&run.state)?);
    let before = params::of(&Run::new(block, base))?.app_version;
    let version = params::of(&run)?.app_version;
    let app_version = (version != before).then_some(version);
    let Run { state, events, .. } = run;
    let changes = state.into_changes();
    Ok(Executed { results, events, changes, updates, closed, pending, app_version })
}

/// Executes one transaction on a block's state. What admission did stays; what the actions did,
/// only if all of them succeed.
pub(crate) fn execute_tx(block: &mut Run<'_>, tx: &Tx) -> Result<ExecTxResult, Broken> {
    let executed = try_tx(block, tx)?;
    Ok(executed.unwrap_or_else(|refusal| refused(&refusal, Vec::new())))
}

/// The same; a transaction that is not admitted, and so pays nothing, has no result.
pub(crate) fn try_tx(
    block: &mut Run<'_>,
    tx: &Tx,
) -> Result<Result<ExecTxResult, Refusal>, Broken> {
    let mut admission = Run::new(block.block, &block.state);
    let admitted = admit(&mut admission, tx);
    let (changes, mut events) = (admission.state.into_changes(), admission.events);
    if let Err(fault) = admitted {
        return Ok(Err(fault.refusal()?));
    }
    block.state.absorb(changes);
    let mut actions = Run::new(block.block, &block.state);
    match run_actions(&mut actions, tx) {
        Ok(()) => {
            events.append(&mut actions.events);
            let changes = actions.state.into_changes();
            block.state.absorb(changes);
            Ok(Ok(ExecTxResult { events, ..Default::default() }))
        }
        Err(fault) => Ok(Ok(refused(&fault.refusal()?, events))),
    }
}

/// All actions of a transaction that was admitted.
pub(crate) fn run_actions(run: &mut Run<'_>, tx: &Tx) -> Result<(), Fault> {
    tx.actions.iter().try_for_each(|action| modules::execute(run, tx, action))
}

fn refused(refusal: &Refusal, events: Vec<Event>) -> ExecTxResult {
    ExecTxResult {
        code: refusal.code.number(),
        log: refusal.sentence.clone(),
        info: refusal.code.name().to_owned(),
        codespace: CODESPACE.to_owned(),
        events,
        ..Default::default()
    }
}

/// What stands for pseudo-transaction 0 that is not what it should be.
pub(crate) fn bad_pseudo_tx(why: &str) -> Item {
    Item::Refused(Refusal::new(Code::TxPseudo, &[&why]))
}
