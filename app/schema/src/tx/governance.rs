//! Actions on what the network decides, in typed form.

use crate::ids::AccountId;
use crate::limits::PROPOSAL_PARAMS_BYTES_MAX;
use crate::names;
use crate::proto::{self, VoteOption, action::Kind, propose::Content};
use crate::tx::ActionKind;
use crate::validate::TxError;

/// What an account does about what the network decides.
#[derive(Clone, Debug, PartialEq)]
pub enum GovernanceAction {
    /// Proposes something; its form is good.
    Propose(proto::Propose),
    /// Lays something down for a proposal.
    Deposit {
        /// Its number.
        proposal: u64,
        /// Smallest units, at least 1.
        amount: u64,
    },
    /// Votes, or votes otherwise.
    Vote {
        /// Its number.
        proposal: u64,
        /// How.
        option: VoteOption,
    },
}

// A proposal holds no floating point numbers, so that it equals itself.
impl Eq for GovernanceAction {}

impl GovernanceAction {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Propose(_) => ActionKind::Propose,
            Self::Deposit { .. } => ActionKind::Deposit,
            Self::Vote { .. } => ActionKind::Vote,
        }
    }

    /// What it takes of the actor's balance.
    pub const fn spends(&self) -> u64 {
        match self {
            Self::Propose(what) => what.deposit,
            Self::Deposit { amount, .. } => *amount,
            Self::Vote { .. } => 0,
        }
    }

    pub(crate) fn to_proto(&self) -> Kind {
        match self.clone() {
            Self::Propose(what) => Kind::Propose(what),
            Self::Deposit { proposal, amount } => {
                Kind::Deposit(proto::Deposit { proposal, amount })
            }
            Self::Vote { proposal, option } => {
                Kind::Vote(proto::Vote { proposal, option: option.into() })
            }
        }
    }

    /// `None` when the kind is not of governance.
    pub(crate) fn decode(kind: &Kind) -> Result<Option<Self>, TxError> {
        Ok(Some(match kind {
            Kind::Propose(what) => {
                check_proposal(what)?;
                Self::Propose(what.clone())
            }
            Kind::Deposit(deposit) => {
                if deposit.amount == 0 {
                    return Err(TxError::Field("a deposit is at least 1"));
                }
                Self::Deposit { proposal: deposit.proposal, amount: deposit.amount }
            }
            Kind::Vote(vote) => {
                let option = VoteOption::try_from(vote.option);
                let option = option.map_err(|_| TxError::Undecodable)?;
                Self::Vote { proposal: vote.proposal, option }
            }
            _ => return Ok(None),
        }))
    }
}

fn check_proposal(what: &proto::Propose) -> Result<(), TxError> {
    names::check_title(&what.title)?;
    names::check_text(&what.text)?;
    if what.deposit == 0 {
        return Err(TxError::Field("a deposit is at least 1"));
    }
    match &what.content {
        None => Ok(()),
        Some(Content::Params(json) | Content::Emergency(json)) => {
            if (1..=PROPOSAL_PARAMS_BYTES_MAX).contains(&json.len()) {
                return Ok(());
            }
            Err(TxError::Field("parameters are a JSON object of at most 8192 bytes"))
        }
        Some(Content::Upgrade(upgrade)) => {
            if upgrade.height > 0 && upgrade.version > 0 {
                return Ok(());
            }
            Err(TxError::Field("an upgrade names a height and a version"))
        }
        Some(Content::Spend(spend)) => {
            AccountId::from_slice(&spend.to)?;
            if spend.amount > 0 {
                return Ok(());
            }
            Err(TxError::Field("a payment is at least 1"))
        }
    }
}
