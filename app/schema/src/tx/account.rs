//! Actions on who controls an account and what it is called, in typed form.

use crate::ids::{AccountId, Key, RepoId, Signature};
use crate::limits::GUARDIANS_MAX;
use crate::proto::{self, SignatureForm, action::Kind};
use crate::sign::{Claim, ProofOf, proof_message};
use crate::tx::ActionKind;
use crate::validate::TxError;

/// A signature by a key that shall be used, over [`crate::sign::proof_bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyProof {
    /// The signature.
    pub signature: Signature,
    /// How it was made.
    pub form: SignatureForm,
}

impl KeyProof {
    pub(crate) fn decode(proof: Option<&proto::KeyProof>) -> Result<Self, TxError> {
        let proof =
            proof.ok_or(TxError::Field("a key comes with a proof that its holder agrees"))?;
        let form = SignatureForm::try_from(proof.form).map_err(|_| TxError::Undecodable)?;
        Ok(Self { signature: Signature::from_slice(&proof.signature)?, form })
    }

    pub(crate) fn to_proto(self) -> Option<proto::KeyProof> {
        Some(proto::KeyProof { signature: self.signature.to_vec(), form: self.form.into() })
    }

    pub(crate) fn claim(self, of: ProofOf, chain: &str, account: &AccountId, key: Key) -> Claim {
        let message = proof_message(of, chain, account, self.form);
        Claim { key, message, signature: self.signature }
    }
}

/// What an account does about its keys, its handle and its recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountAction {
    /// A key more.
    AddKey {
        /// The key.
        key: Key,
        /// By the key.
        proof: KeyProof,
        /// It pushes to this repository and does nothing else; `None`: everything.
        repo: Option<RepoId>,
        /// Last second of header time at which it is valid; `None`: no end.
        until_s: Option<u64>,
    },
    /// A key less.
    RevokeKey {
        /// The key.
        key: Key,
    },
    /// The handle becomes another account's, which signs too.
    TransferHandle {
        /// An account without a handle.
        to: AccountId,
    },
    /// The handle becomes free.
    ReleaseHandle,
    /// Who may recover the account, and how.
    SetGuardians {
        /// Sorted, each once; none: nobody.
        guardians: Vec<AccountId>,
        /// How many must agree.
        threshold: u32,
        /// Seconds of header time from their agreement to the new key.
        delay_s: u64,
    },
    /// A guardian agrees to a new key of an account.
    ApproveRecovery {
        /// The account that is guarded.
        account: AccountId,
        /// Its new key.
        key: Key,
        /// By the new key.
        proof: KeyProof,
    },
    /// The owner stops a recovery.
    CancelRecovery,
    /// The key that guardians agreed on takes over.
    FinishRecovery {
        /// The account that is guarded.
        account: AccountId,
    },
}

impl AccountAction {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::AddKey { .. } => ActionKind::AddKey,
            Self::RevokeKey { .. } => ActionKind::RevokeKey,
            Self::TransferHandle { .. } => ActionKind::TransferHandle,
            Self::ReleaseHandle => ActionKind::ReleaseHandle,
            Self::SetGuardians { .. } => ActionKind::SetGuardians,
            Self::ApproveRecovery { .. } => ActionKind::ApproveRecovery,
            Self::CancelRecovery => ActionKind::CancelRecovery,
            Self::FinishRecovery { .. } => ActionKind::FinishRecovery,
        }
    }

    pub(crate) fn claim(&self, chain_id: &str, actor: &AccountId) -> Option<Claim> {
        match self {
            Self::AddKey { key, proof, .. } => {
                Some(proof.claim(ProofOf::Key, chain_id, actor, *key))
            }
            Self::ApproveRecovery { account, key, proof } => {
                Some(proof.claim(ProofOf::Key, chain_id, account, *key))
            }
            _ => None,
        }
    }

    pub(crate) fn to_proto(&self) -> Kind {
        match self.clone() {
            Self::AddKey { key, proof, repo, until_s } => Kind::AddKey(proto::AddKey {
                key: key.to_vec(),
                proof: proof.to_proto(),
                repo: repo.map_or(0, RepoId::number),
                until_s: until_s.unwrap_or(0),
            }),
            Self::RevokeKey { key } => Kind::RevokeKey(proto::RevokeKey { key: key.to_vec() }),
            Self::TransferHandle { to } => {
                Kind::TransferHandle(proto::TransferHandle { to: to.to_vec() })
            }
            Self::ReleaseHandle => Kind::ReleaseHandle(proto::ReleaseHandle {}),
            Self::SetGuardians { guardians, threshold, delay_s } => {
                let guardians = guardians.iter().map(AccountId::to_vec).collect();
                Kind::SetGuardians(proto::SetGuardians { guardians, threshold, delay_s })
            }
            Self::ApproveRecovery { account, key, proof } => {
                let (account, key) = (account.to_vec(), key.to_vec());
                let proof = proof.to_proto();
                Kind::ApproveRecovery(proto::ApproveRecovery { account, key, proof })
            }
            Self::CancelRecovery => Kind::CancelRecovery(proto::CancelRecovery {}),
            Self::FinishRecovery { account } => {
                Kind::FinishRecovery(proto::FinishRecovery { account: account.to_vec() })
            }
        }
    }

    /// `None` when the kind is not of accounts.
    pub(crate) fn decode(kind: &Kind) -> Result<Option<Self>, TxError> {
        Ok(Some(match kind {
            Kind::AddKey(add) => Self::AddKey {
                key: Key::from_slice(&add.key)?,
                proof: KeyProof::decode(add.proof.as_ref())?,
                repo: RepoId::new(add.repo),
                until_s: (add.until_s != 0).then_some(add.until_s),
            },
            Kind::RevokeKey(revoke) => Self::RevokeKey { key: Key::from_slice(&revoke.key)? },
            Kind::TransferHandle(transfer) => {
                Self::TransferHandle { to: AccountId::from_slice(&transfer.to)? }
            }
            Kind::ReleaseHandle(_) => Self::ReleaseHandle,
            Kind::SetGuardians(set) => decode_guardians(set)?,
            Kind::ApproveRecovery(approve) => Self::ApproveRecovery {
                account: AccountId::from_slice(&approve.account)?,
                key: Key::from_slice(&approve.key)?,
                proof: KeyProof::decode(approve.proof.as_ref())?,
            },
            Kind::CancelRecovery(_) => Self::CancelRecovery,
            Kind::FinishRecovery(finish) => {
                Self::FinishRecovery { account: AccountId::from_slice(&finish.account)? }
            }
            _ => return Ok(None),
        }))
    }
}

fn decode_guardians(set: &proto::SetGuardians) -> Result<AccountAction, TxError> {
    let guardians = set.guardians.iter().map(|id| AccountId::from_slice(id));
    let guardians = guardians.collect::<Result<Vec<_>, _>>()?;
    if guardians.len() > GUARDIANS_MAX || guardians.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(TxError::Field("at most 16 guardians, sorted, each once"));
    }
    let (threshold, delay_s) = (set.threshold, set.delay_s);
    let none = guardians.is_empty() && threshold == 0;
    if !none && !(1..=guardians.len()).contains(&(threshold as usize)) {
        return Err(TxError::Field("1 to all of the guardians must agree; or there are none"));
    }
    Ok(AccountAction::SetGuardians { guardians, threshold, delay_s })
}
