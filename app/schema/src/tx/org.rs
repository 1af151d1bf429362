//! Actions on organisations, in typed form.

use crate::ids::AccountId;
use crate::limits::{SALT_BYTES, TEAM_MEMBERS_MAX};
use crate::names;
use crate::proto::{self, OrgRole, action::Kind};
use crate::tx::ActionKind;
use crate::validate::TxError;

/// What an account does about an organisation, which is an account without keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrgAction {
    /// Makes one, whose only owner is the actor.
    Create {
        /// A checked handle that the actor committed to.
        handle: String,
        /// What hid it.
        salt: [u8; SALT_BYTES],
    },
    /// Offers membership.
    Invite {
        /// The organisation; here and below.
        org: AccountId,
        /// To whom.
        account: AccountId,
        /// As what.
        role: OrgRole,
    },
    /// Becomes a member.
    Accept {
        /// Where the actor is invited.
        org: AccountId,
    },
    /// Takes an invitation back, or declines it.
    DropInvite {
        /// Where.
        org: AccountId,
        /// Who was invited.
        account: AccountId,
    },
    /// Gives a member another role.
    SetRole {
        /// Where.
        org: AccountId,
        /// The member.
        account: AccountId,
        /// The role.
        role: OrgRole,
    },
    /// Ends a membership.
    Remove {
        /// Where.
        org: AccountId,
        /// The member.
        account: AccountId,
    },
    /// Makes a team, or gives it other members.
    PutTeam {
        /// Where.
        org: AccountId,
        /// Its name.
        team: String,
        /// Sorted, each once.
        members: Vec<AccountId>,
    },
    /// Ends a team.
    DropTeam {
        /// Where.
        org: AccountId,
        /// Its name.
        team: String,
    },
    /// Moves balance of the organisation.
    Transfer {
        /// From which.
        org: AccountId,
        /// To whom.
        to: AccountId,
        /// Smallest units, at least 1.
        amount: u64,
    },
}

impl OrgAction {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Create { .. } => ActionKind::CreateOrg,
            Self::Invite { .. } => ActionKind::InviteMember,
            Self::Accept { .. } => ActionKind::AcceptInvite,
            Self::DropInvite { .. } => ActionKind::DropInvite,
            Self::SetRole { .. } => ActionKind::SetMemberRole,
            Self::Remove { .. } => ActionKind::RemoveMember,
            Self::PutTeam { .. } => ActionKind::PutTeam,
            Self::DropTeam { .. } => ActionKind::DropTeam,
            Self::Transfer { .. } => ActionKind::OrgTransfer,
        }
    }

    /// The organisation it is about; none yet when it makes one.
    pub const fn org(&self) -> Option<&AccountId> {
        match self {
            Self::Create { .. } => None,
            Self::Invite { org, .. }
            | Self::Accept { org }
            | Self::DropInvite { org, .. }
            | Self::SetRole { org, .. }
            | Self::Remove { org, .. }
            | Self::PutTeam { org, .. }
            | Self::DropTeam { org, .. }
            | Self::Transfer { org, .. } => Some(org),
        }
    }

    pub(crate) fn to_proto(&self) -> Kind {
        let org = self.org().map(AccountId::to_vec).unwrap_or_default();
        match self.clone() {
            Self::Create { handle, salt } => {
                Kind::CreateOrg(proto::CreateOrg { handle, salt: salt.to_vec() })
            }
            Self::Invite { account, role, .. } => {
                let (account, role) = (account.to_vec(), role.into());
                Kind::InviteMember(proto::InviteMember { org, account, role })
            }
            Self::Accept { .. } => Kind::AcceptInvite(proto::AcceptInvite { org }),
            Self::DropInvite { account, .. } => {
                Kind::DropInvite(proto::DropInvite { org, account: account.to_vec() })
            }
            Self::SetRole { account, role, .. } => {
                let (account, role) = (account.to_vec(), role.into());
                Kind::SetMemberRole(proto::SetMemberRole { org, account, role })
            }
            Self::Remove { account, .. } => {
                Kind::RemoveMember(proto::RemoveMember { org, account: account.to_vec() })
            }
            Self::PutTeam { team, members, .. } => {
                let members = members.iter().map(AccountId::to_vec).collect();
                Kind::PutTeam(proto::PutTeam { org, team, members })
            }
            Self::DropTeam { team, .. } => Kind::DropTeam(proto::DropTeam { org, team }),
            Self::Transfer { to, amount, .. } => {
                Kind::OrgTransfer(proto::OrgTransfer { org, to: to.to_vec(), amount })
            }
        }
    }

    /// `None` when the kind is not of organisations.
    pub(crate) fn decode(kind: &Kind) -> Result<Option<Self>, TxError> {
        let id = |bytes: &[u8]| AccountId::from_slice(bytes);
        let role = |role: i32| OrgRole::try_from(role).map_err(|_| TxError::Undecodable);
        Ok(Some(match kind {
            Kind::CreateOrg(create) => {
                names::check_handle(&create.handle)?;
                let salt = create.salt.as_slice().try_into();
                let salt = salt.map_err(|_| TxError::Field("a salt has 32 bytes"))?;
                Self::Create { handle: create.handle.clone(), salt }
            }
            Kind::InviteMember(invite) => Self::Invite {
                org: id(&invite.org)?,
                account: id(&invite.account)?,
                role: role(invite.role)?,
            },
            Kind::AcceptInvite(accept) => Self::Accept { org: id(&accept.org)? },
            Kind::DropInvite(drop) => {
                Self::DropInvite { org: id(&drop.org)?, account: id(&drop.account)? }
            }
            Kind::SetMemberRole(set) => Self::SetRole {
                org: id(&set.org)?,
                account: id(&set.account)?,
                role: role(set.role)?,
            },
            Kind::RemoveMember(remove) => {
                Self::Remove { org: id(&remove.org)?, account: id(&remove.account)? }
            }
            Kind::PutTeam(put) => decode_team(put)?,
            Kind::DropTeam(drop) => {
                names::check_word(&drop.team)?;
                Self::DropTeam { org: id(&drop.org)?, team: drop.team.clone() }
            }
            Kind::OrgTransfer(transfer) => {
                if transfer.amount == 0 {
                    return Err(TxError::Field("a transfer moves at least 1"));
                }
                let (org, to) = (id(&transfer.org)?, id(&transfer.to)?);
                Self::Transfer { org, to, amount: transfer.amount }
            }
            _ => return Ok(None),
        }))
    }
}

fn decode_team(put: &proto::PutTeam) -> Result<OrgAction, TxError> {
    names::check_word(&put.team)?;
    let members = put.members.iter().map(|id| AccountId::from_slice(id));
    let members = members.collect::<Result<Vec<_>, _>>()?;
    if members.len() > TEAM_MEMBERS_MAX || members.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(TxError::Field("at most 256 members, sorted, each once"));
    }
    Ok(OrgAction::PutTeam {
        org: AccountId::from_slice(&put.org)?,
        team: put.team.clone(),
        members,
    })
}
