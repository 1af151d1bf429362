//! Actions on a repository that exists, in typed form.

use crate::ids::{AccountId, RepoId};
use crate::limits::TOPICS_MAX;
use crate::proto::{self, RepoRole, action::Kind};
use crate::tx::ActionKind;
use crate::validate::TxError;
use crate::{names, refs};

/// What an account does about a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepoAction {
    /// Makes another that says where it comes from.
    Fork {
        /// Account or organisation of the fork.
        owner: AccountId,
        /// A checked name.
        name: String,
    },
    /// Gives it another name; the old one leads there.
    Rename {
        /// A checked name.
        name: String,
    },
    /// Offers it, or hands it over where the actor may accept too.
    Transfer {
        /// Account or organisation.
        to: AccountId,
    },
    /// Takes what was offered.
    Accept,
    /// Gives somebody a role.
    SetCollaborator {
        /// Who.
        account: AccountId,
        /// Which; none takes it away.
        role: RepoRole,
    },
    /// Gives a team of the owning organisation a role.
    SetTeamRole {
        /// Its name.
        team: String,
        /// Which; none takes it away.
        role: RepoRole,
    },
    /// Says what it is about.
    SetTopics {
        /// Sorted, each once.
        topics: Vec<String>,
    },
    /// Likes it, or not any more.
    Star {
        /// Whether.
        star: bool,
    },
    /// Protects refs, or not any more.
    SetProtection {
        /// A full ref name, or one ending in a star.
        pattern: String,
        /// How; none: not any more.
        rule: Option<proto::Protection>,
    },
}

impl RepoAction {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Fork { .. } => ActionKind::ForkRepo,
            Self::Rename { .. } => ActionKind::RenameRepo,
            Self::Transfer { .. } => ActionKind::TransferRepo,
            Self::Accept => ActionKind::AcceptRepo,
            Self::SetCollaborator { .. } => ActionKind::SetCollaborator,
            Self::SetTeamRole { .. } => ActionKind::SetTeamRole,
            Self::SetTopics { .. } => ActionKind::SetTopics,
            Self::Star { .. } => ActionKind::StarRepo,
            Self::SetProtection { .. } => ActionKind::SetProtection,
        }
    }

    pub(crate) fn to_proto(&self, repo: RepoId) -> Kind {
        let repo = repo.number();
        match self.clone() {
            Self::Fork { owner, name } => {
                Kind::ForkRepo(proto::ForkRepo { repo, owner: owner.to_vec(), name })
            }
            Self::Rename { name } => Kind::RenameRepo(proto::RenameRepo { repo, name }),
            Self::Transfer { to } => {
                Kind::TransferRepo(proto::TransferRepo { repo, to: to.to_vec() })
            }
            Self::Accept => Kind::AcceptRepo(proto::AcceptRepo { repo }),
            Self::SetCollaborator { account, role } => {
                let (account, role) = (account.to_vec(), role.into());
                Kind::SetCollaborator(proto::SetCollaborator { repo, account, role })
            }
            Self::SetTeamRole { team, role } => {
                Kind::SetTeamRole(proto::SetTeamRole { repo, team, role: role.into() })
            }
            Self::SetTopics { topics } => Kind::SetTopics(proto::SetTopics { repo, topics }),
            Self::Star { star } => Kind::StarRepo(proto::StarRepo { repo, star }),
            Self::SetProtection { pattern, rule } => {
                Kind::SetProtection(proto::SetProtection { repo, pattern, rule })
            }
        }
    }

    /// `None` when the kind is not of repositories that exist.
    pub(crate) fn decode(kind: &Kind) -> Result<Option<(RepoId, Self)>, TxError> {
        let id = |bytes: &[u8]| AccountId::from_slice(bytes);
        let (repo, change) = match kind {
            Kind::ForkRepo(fork) => {
                names::check_repo_name(&fork.name)?;
                (fork.repo, Self::Fork { owner: id(&fork.owner)?, name: fork.name.clone() })
            }
            Kind::RenameRepo(rename) => {
                names::check_repo_name(&rename.name)?;
                (rename.repo, Self::Rename { name: rename.name.clone() })
            }
            Kind::TransferRepo(transfer) => {
                (transfer.repo, Self::Transfer { to: id(&transfer.to)? })
            }
            Kind::AcceptRepo(accept) => (accept.repo, Self::Accept),
            Kind::SetCollaborator(set) => {
                let (account, role) = (id(&set.account)?, decode_role(set.role)?);
                (set.repo, Self::SetCollaborator { account, role })
            }
            Kind::SetTeamRole(set) => {
                names::check_word(&set.team)?;
                let (team, role) = (set.team.clone(), decode_role(set.role)?);
                (set.repo, Self::SetTeamRole { team, role })
            }
            Kind::SetTopics(set) => (set.repo, decode_topics(set)?),
            Kind::StarRepo(star) => (star.repo, Self::Star { star: star.star }),
            Kind::SetProtection(set) => {
                check_pattern(&set.pattern)?;
                decode_role(set.rule.as_ref().map_or(0, |rule| rule.pusher))?;
                let (pattern, rule) = (set.pattern.clone(), set.rule);
                (set.repo, Self::SetProtection { pattern, rule })
            }
            _ => return Ok(None),
        };
        let repo = RepoId::new(repo).ok_or(TxError::Field("a repository id is at least 1"))?;
        Ok(Some((repo, change)))
    }
}

fn decode_role(role: i32) -> Result<RepoRole, TxError> {
    RepoRole::try_from(role).map_err(|_| TxError::Undecodable)
}

fn decode_topics(set: &proto::SetTopics) -> Result<RepoAction, TxError> {
    set.topics.iter().try_for_each(|topic| names::check_word(topic))?;
    if set.topics.len() > TOPICS_MAX || set.topics.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(TxError::Field("at most 20 topics, sorted, each once"));
    }
    Ok(RepoAction::SetTopics { topics: set.topics.clone() })
}

/// A pattern is a ref name, or the beginning of ref names and a star.
fn check_pattern(pattern: &str) -> Result<(), TxError> {
    let name = match pattern.strip_suffix('*') {
        Some(start) => format!("{start}x"),
        None => pattern.to_owned(),
    };
    Ok(refs::check_ref_name(&name)?)
}
