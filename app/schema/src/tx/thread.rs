//! Actions in a thread that exists, in typed form.

use crate::ids::RepoId;
use crate::names;
use crate::proto::{self, Reaction, action::Kind};
use crate::tx::ActionKind;
use crate::validate::TxError;

/// What an account does in a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadAction {
    /// Says something.
    Comment {
        /// What.
        text: String,
    },
    /// Says it otherwise.
    Edit {
        /// Which comment; 0 opened the thread.
        comment: u64,
        /// What.
        text: String,
    },
    /// Nods, or takes it back.
    React {
        /// To which comment.
        comment: u64,
        /// How.
        reaction: Reaction,
        /// Whether.
        on: bool,
    },
    /// Locks it, or opens it again.
    Lock {
        /// Whether.
        locked: bool,
    },
}

impl ThreadAction {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Comment { .. } => ActionKind::Comment,
            Self::Edit { .. } => ActionKind::EditComment,
            Self::React { .. } => ActionKind::React,
            Self::Lock { .. } => ActionKind::LockThread,
        }
    }

    pub(crate) fn to_proto(&self, repo: RepoId, number: u64) -> Kind {
        let repo = repo.number();
        match self.clone() {
            Self::Comment { text } => Kind::Comment(proto::Comment { repo, number, text }),
            Self::Edit { comment, text } => {
                Kind::EditComment(proto::EditComment { repo, number, comment, text })
            }
            Self::React { comment, reaction, on } => {
                let reaction = reaction.into();
                Kind::React(proto::React { repo, number, comment, reaction, on })
            }
            Self::Lock { locked } => Kind::LockThread(proto::LockThread { repo, number, locked }),
        }
    }

    /// `None` when the kind is not of threads.
    pub(crate) fn decode(kind: &Kind) -> Result<Option<(RepoId, u64, Self)>, TxError> {
        let (repo, number, change) = match kind {
            Kind::Comment(said) => {
                names::check_text(&said.text)?;
                (said.repo, said.number, Self::Comment { text: said.text.clone() })
            }
            Kind::EditComment(edit) => {
                // The first one opened the thread.
                match edit.comment {
                    0 => names::check_opening(&edit.text)?,
                    _ => names::check_text(&edit.text)?,
                }
                let change = Self::Edit { comment: edit.comment, text: edit.text.clone() };
                (edit.repo, edit.number, change)
            }
            Kind::React(react) => {
                let reaction = Reaction::try_from(react.reaction);
                let reaction = reaction.map_err(|_| TxError::Undecodable)?;
                let (comment, on) = (react.comment, react.on);
                (react.repo, react.number, Self::React { comment, reaction, on })
            }
            Kind::LockThread(lock) => (lock.repo, lock.number, Self::Lock { locked: lock.locked }),
            _ => return Ok(None),
        };
        Ok(Some((repo_id(repo)?, number, change)))
    }
}

pub(super) fn repo_id(number: u64) -> Result<RepoId, TxError> {
    RepoId::new(number).ok_or(TxError::Field("a repository id is at least 1"))
}
