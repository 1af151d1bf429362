//! Actions on issues, in typed form.

use super::thread::repo_id;
use crate::ids::{AccountId, RepoId};
use crate::limits::ISSUE_WORDS_MAX;
use crate::names;
use crate::proto::{self, CloseReason, action::Kind};
use crate::tx::ActionKind;
use crate::validate::TxError;

/// What an account does about the issues of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueAction {
    /// Opens one.
    Open {
        /// One line.
        title: String,
        /// Comment 0 of its thread.
        text: String,
    },
    /// Gives it another title.
    Retitle {
        /// The issue; here and below.
        number: u64,
        /// One line.
        title: String,
    },
    /// Closes it.
    Close {
        /// Which.
        number: u64,
        /// Why.
        reason: CloseReason,
    },
    /// Opens it again.
    Reopen {
        /// Which.
        number: u64,
    },
    /// Says which labels it has.
    Label {
        /// Which.
        number: u64,
        /// All of them, sorted, each once.
        labels: Vec<String>,
    },
    /// Says who looks after it.
    Assign {
        /// Which.
        number: u64,
        /// All of them, sorted, each once.
        accounts: Vec<AccountId>,
    },
    /// Says when it is wanted.
    Plan {
        /// Which.
        number: u64,
        /// Number of a milestone; 0: none.
        milestone: u64,
    },
    /// Shows it before all others, or not any more.
    Pin {
        /// Which.
        number: u64,
        /// Whether.
        pinned: bool,
    },
    /// Makes a label, or changes it.
    PutLabel {
        /// Its name.
        name: String,
        /// 0xRRGGBB
        color: u32,
        /// One line.
        description: String,
    },
    /// Ends a label; issues that have it keep its name.
    DropLabel {
        /// Its name.
        name: String,
    },
    /// Makes a milestone, or changes it.
    PutMilestone {
        /// Its number; 0: a new one.
        milestone: u64,
        /// One line.
        title: String,
        /// Unix seconds; 0: none.
        due_s: u64,
        /// Whether it is over.
        closed: bool,
    },
}

impl IssueAction {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Open { .. } => ActionKind::OpenIssue,
            Self::Retitle { .. } => ActionKind::RetitleIssue,
            Self::Close { .. } => ActionKind::CloseIssue,
            Self::Reopen { .. } => ActionKind::ReopenIssue,
            Self::Label { .. } => ActionKind::LabelIssue,
            Self::Assign { .. } => ActionKind::AssignIssue,
            Self::Plan { .. } => ActionKind::PlanIssue,
            Self::Pin { .. } => ActionKind::PinIssue,
            Self::PutLabel { .. } => ActionKind::PutLabel,
            Self::DropLabel { .. } => ActionKind::DropLabel,
            Self::PutMilestone { .. } => ActionKind::PutMilestone,
        }
    }

    pub(crate) fn to_proto(&self, repo: RepoId) -> Kind {
        let repo = repo.number();
        match self.clone() {
            Self::Open { title, text } => Kind::OpenIssue(proto::OpenIssue { repo, title, text }),
            Self::Retitle { number, title } => {
                Kind::RetitleIssue(proto::RetitleIssue { repo, number, title })
            }
            Self::Close { number, reason } => {
                Kind::CloseIssue(proto::CloseIssue { repo, number, reason: reason.into() })
            }
            Self::Reopen { number } => Kind::ReopenIssue(proto::ReopenIssue { repo, number }),
            Self::Label { number, labels } => {
                Kind::LabelIssue(proto::LabelIssue { repo, number, labels })
            }
            Self::Assign { number, accounts } => {
                let accounts = accounts.iter().map(AccountId::to_vec).collect();
                Kind::AssignIssue(proto::AssignIssue { repo, number, accounts })
            }
            Self::Plan { number, milestone } => {
                Kind::PlanIssue(proto::PlanIssue { repo, number, milestone })
            }
            Self::Pin { number, pinned } => {
                Kind::PinIssue(proto::PinIssue { repo, number, pinned })
            }
            Self::PutLabel { name, color, description } => {
                Kind::PutLabel(proto::PutLabel { repo, name, color, description })
            }
            Self::DropLabel { name } => Kind::DropLabel(proto::DropLabel { repo, name }),
            Self::PutMilestone { milestone, title, due_s, closed } => {
                Kind::PutMilestone(proto::PutMilestone { repo, milestone, title, due_s, closed })
            }
        }
    }

    /// `None` when the kind is not of issues.
    pub(crate) fn decode(kind: &Kind) -> Result<Option<(RepoId, Self)>, TxError> {
        let (repo, change) = match kind {
            Kind::OpenIssue(open) => {
                names::check_title(&open.title)?;
                names::check_opening(&open.text)?;
                (open.repo, Self::Open { title: open.title.clone(), text: open.text.clone() })
            }
            Kind::RetitleIssue(edit) => {
                names::check_title(&edit.title)?;
                (edit.repo, Self::Retitle { number: edit.number, title: edit.title.clone() })
            }
            Kind::CloseIssue(close) => {
                let reason = CloseReason::try_from(close.reason);
                let reason = reason.map_err(|_| TxError::Undecodable)?;
                (close.repo, Self::Close { number: close.number, reason })
            }
            Kind::ReopenIssue(reopen) => (reopen.repo, Self::Reopen { number: reopen.number }),
            Kind::LabelIssue(label) => {
                label.labels.iter().try_for_each(|name| names::check_word(name))?;
                check_list(&label.labels)?;
                let labels = label.labels.clone();
                (label.repo, Self::Label { number: label.number, labels })
            }
            Kind::AssignIssue(assign) => {
                let accounts = assign.accounts.iter().map(|id| AccountId::from_slice(id));
                let accounts = accounts.collect::<Result<Vec<_>, _>>()?;
                check_list(&accounts)?;
                (assign.repo, Self::Assign { number: assign.number, accounts })
            }
            Kind::PlanIssue(plan) => {
                (plan.repo, Self::Plan { number: plan.number, milestone: plan.milestone })
            }
            Kind::PinIssue(pin) => (pin.repo, Self::Pin { number: pin.number, pinned: pin.pinned }),
            Kind::PutLabel(put) => (put.repo, decode_label(put)?),
            Kind::DropLabel(drop) => {
                names::check_word(&drop.name)?;
                (drop.repo, Self::DropLabel { name: drop.name.clone() })
            }
            Kind::PutMilestone(put) => {
                names::check_title(&put.title)?;
                let proto::PutMilestone { milestone, title, due_s, closed, .. } = put.clone();
                (put.repo, Self::PutMilestone { milestone, title, due_s, closed })
            }
            _ => return Ok(None),
        };
        Ok(Some((repo_id(repo)?, change)))
    }
}

fn check_list<T: Ord>(list: &[T]) -> Result<(), TxError> {
    if list.len() > ISSUE_WORDS_MAX || list.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(TxError::Field("at most 20 of them, sorted, each once"));
    }
    Ok(())
}

fn decode_label(put: &proto::PutLabel) -> Result<IssueAction, TxError> {
    names::check_word(&put.name)?;
    names::check_description(&put.description)?;
    if put.color > 0x00ff_ffff {
        return Err(TxError::Field("a color is 0xRRGGBB"));
    }
    let (name, color, description) = (put.name.clone(), put.color, put.description.clone());
    Ok(IssueAction::PutLabel { name, color, description })
}
