//! The modules, declared once and in order. Genesis, block hooks, routing, queries and audits walk
//! this list; a module calls only those to its left.

use guts_abci::proto::abci::ValidatorUpdate;
use guts_schema::attest::Attested;
use guts_schema::tx::RepoAction;
use guts_schema::{Action, RepoId, Tx, keys};
use guts_state::Read;

use crate::fault::{Broken, Fault};
use crate::genesis::AppState;
use crate::run::Run;
use crate::whole::{Whole, wrong};

pub mod account;
pub mod discussion;
pub mod faucet;
pub mod governance;
pub mod issue;
pub mod org;
pub mod params;
pub mod push;
pub mod repo;
pub mod staking;

/// What genesis gives besides the modules' own parts.
pub struct Origin<'a> {
    /// The validators of the genesis document.
    pub validators: &'a [ValidatorUpdate],
    /// The application's part.
    pub state: &'a AppState,
    /// How long the engine takes evidence, in seconds; 0: it does not say.
    pub evidence_age_s: u64,
}

/// What a query answers with: nothing when the path is not the module's.
pub type Answer = Option<Result<Vec<u8>, QueryFault>>;

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryFault {
    /// Its data do not decode.
    Data,
    /// What it asks for does not exist; the sentence says what.
    Refused(crate::fault::Refusal),
    /// The state is broken.
    Broken(Broken),
}

impl From<Broken> for QueryFault {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<Fault> for QueryFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(refusal) => Self::Refused(refusal),
            Fault::Broken(broken) => Self::Broken(broken),
        }
    }
}

/// Writes a module's part of genesis.
pub type Init = fn(&mut Run<'_>, &Origin<'_>) -> Result<(), Broken>;
/// A module's hook before the transactions of a block, given its attestations.
pub type Begin = fn(&mut Run<'_>, Option<&Attested>) -> Result<(), Broken>;
/// A module's hook after the transactions of a block.
pub type End = fn(&mut Run<'_>) -> Result<(), Broken>;
/// Answers the queries of a module: path and data.
pub type Query = fn(&dyn Read, &str, &[u8]) -> Answer;
/// Audits a module's part of the whole state; the error says what is wrong.
pub type Audit = fn(&Whole) -> Result<(), Broken>;

/// A module's part in each walk; absent where it has none.
pub struct Module {
    /// Its name, which is also that of its part of the genesis app_state.
    pub name: &'static str,
    /// Writes its part of genesis.
    pub init: Init,
    /// Reads it back: `export(init(x)) == x`.
    pub export: fn(&Whole, &mut AppState) -> Result<(), Broken>,
    /// Before the transactions of a block.
    pub begin: Option<Begin>,
    /// After them.
    pub end: Option<End>,
    /// Answers queries.
    pub query: Option<Query>,
    /// Audits.
    pub audit: Option<Audit>,
}

impl Module {
    /// One that begins empty, and whose state comes back only as a whole.
    const fn new(name: &'static str) -> Self {
        Self::of_genesis(name, |_, _| Ok(()), |_, _| Ok(()))
    }

    /// One with a part of genesis and of nothing else.
    const fn of_genesis(
        name: &'static str,
        init: Init,
        export: fn(&Whole, &mut AppState) -> Result<(), Broken>,
    ) -> Self {
        Self { name, init, export, begin: None, end: None, query: None, audit: None }
    }
}

/// All modules, leftmost first.
pub const MODULES: [Module; 10] = [
    params::MODULE,
    account::MODULE,
    staking::MODULE,
    governance::MODULE,
    faucet::MODULE,
    org::MODULE,
    repo::MODULE,
    push::MODULE,
    discussion::MODULE,
    issue::MODULE,
];

/// Executes one action of an admitted transaction.
pub fn execute(run: &mut Run<'_>, tx: &Tx, action: &Action) -> Result<(), Fault> {
    match action {
        Action::CreateAccount { .. }
        | Action::CommitHandle { .. }
        | Action::ClaimHandle { .. }
        | Action::Transfer { .. }
        | Action::Account { .. } => account::execute(run, tx, action),
        Action::Staking { actor, change } => staking::execute(run, actor, change),
        Action::Thread { actor, repo, number, change } => {
            discussion::execute(run, actor, (*repo, *number), change)
        }
        Action::Issue { actor, repo, change } => issue::execute(run, actor, *repo, change),
        Action::Governance { actor, change } => governance::execute(run, actor, change),
        Action::DrawFaucet { actor } => faucet::execute(run, tx, actor),
        Action::Org { actor, change } => org::execute(run, actor, change),
        Action::CreateRepo { .. } | Action::Repo { change: RepoAction::Fork { .. }, .. } => {
            repo::execute(run, action)?;
            // A repository has a root over its refs from the start; refs are the push module's.
            let made = RepoId::new(repo::count(&run.state)?);
            made.map_or(Ok(()), |id| Ok(push::add_head(run, id)?))
        }
        Action::EditRepo { .. } | Action::Repo { .. } => repo::execute(run, action),
        Action::PushRefs(push) => push::execute(run, tx, push),
    }
}

/// An action that came to a module whose it is not: [`execute`] is wrong.
fn misrouted(action: &Action) -> Fault {
    Broken::Contradiction(format!("{} came to another module", action.kind().name())).into()
}

/// Audits the whole state.
pub fn audit(whole: &Whole) -> Result<(), Broken> {
    let is_known = |key: &[u8]| keys::TAGS.iter().any(|tag| key.starts_with(tag.as_bytes()));
    if let Some((key, _)) = whole.iter().find(|(key, _)| !is_known(key)) {
        return wrong(format!("no module has the key {}", hex::encode(key)));
    }
    MODULES.iter().filter_map(|module| module.audit).try_for_each(|audit| audit(whole))
}

/// Reads back the genesis app_state from a state that genesis made.
pub fn export(whole: &Whole) -> Result<AppState, Broken> {
    let mut state = AppState::default();
    MODULES.iter().try_for_each(|module| (module.export)(whole, &mut state))?;
    Ok(state)
}
