//! Actions on stake, in typed form.

use crate::ids::{AccountId, Key, ValidatorAddress};
use crate::limits::{PEER_ID_BYTES_MAX, PPM};
use crate::names::{self, NameError};
use crate::proto::{self, action::Kind};
use crate::sign::{Claim, ProofOf};
use crate::tx::{ActionKind, KeyProof};
use crate::validate::TxError;

/// What an account does with stake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StakingAction {
    /// Makes a validator.
    Bond {
        /// It signs blocks with this key.
        consensus_key: Key,
        /// By that key.
        proof: KeyProof,
        /// Where its node is found.
        peer_id: Vec<u8>,
        /// What people call it.
        name: String,
        /// Share of rewards that the operator keeps, in millionths.
        commission_ppm: u32,
        /// URL of its git gateway; empty when it says none.
        gateway: String,
        /// Smallest units, at least 1.
        amount: u64,
    },
    /// Changes what is set of the actor's validator.
    EditValidator(ValidatorEdit),
    /// Gives stake to a validator.
    Delegate {
        /// Which.
        validator: ValidatorAddress,
        /// Smallest units, at least 1.
        amount: u64,
    },
    /// Takes stake back, after a time in which it still answers for the validator.
    Unbond {
        /// From which.
        validator: ValidatorAddress,
        /// Smallest units, at least 1.
        amount: u64,
    },
    /// Moves stake at once; it still answers for the validator it leaves.
    Redelegate {
        /// From which.
        from: ValidatorAddress,
        /// To which other.
        to: ValidatorAddress,
        /// Smallest units, at least 1.
        amount: u64,
    },
    /// Brings the actor's validator back.
    Unjail,
    /// Pays out what is due from a validator.
    ClaimRewards {
        /// Which.
        validator: ValidatorAddress,
    },
}

/// What an operator changes of its validator: whatever is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidatorEdit {
    /// Where its node is found.
    pub peer_id: Option<Vec<u8>>,
    /// What people call it.
    pub name: Option<String>,
    /// In millionths.
    pub commission_ppm: Option<u32>,
    /// URL of its git gateway; empty when it says none any more.
    pub gateway: Option<String>,
}

impl StakingAction {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Bond { .. } => ActionKind::Bond,
            Self::EditValidator(_) => ActionKind::EditValidator,
            Self::Delegate { .. } => ActionKind::Delegate,
            Self::Unbond { .. } => ActionKind::Unbond,
            Self::Redelegate { .. } => ActionKind::Redelegate,
            Self::Unjail => ActionKind::Unjail,
            Self::ClaimRewards { .. } => ActionKind::ClaimRewards,
        }
    }

    /// What it takes of the actor's balance.
    pub const fn spends(&self) -> u64 {
        match self {
            Self::Bond { amount, .. } | Self::Delegate { amount, .. } => *amount,
            _ => 0,
        }
    }

    pub(crate) fn claim(&self, chain_id: &str, actor: &AccountId) -> Option<Claim> {
        match self {
            Self::Bond { consensus_key, proof, .. } => {
                Some(proof.claim(ProofOf::Bond, chain_id, actor, *consensus_key))
            }
            _ => None,
        }
    }

    pub(crate) fn to_proto(&self) -> Kind {
        match self.clone() {
            Self::Bond { consensus_key, proof, peer_id, name, commission_ppm, gateway, amount } => {
                Kind::Bond(proto::Bond {
                    consensus_key: consensus_key.to_vec(),
                    proof: proof.to_proto(),
                    peer_id,
                    name,
                    commission_ppm,
                    amount,
                    gateway,
                })
            }
            Self::EditValidator(edit) => {
                let ValidatorEdit { peer_id, name, commission_ppm, gateway } = edit;
                Kind::EditValidator(proto::EditValidator { peer_id, name, commission_ppm, gateway })
            }
            Self::Delegate { validator, amount } => {
                Kind::Delegate(proto::Delegate { validator: validator.to_vec(), amount })
            }
            Self::Unbond { validator, amount } => {
                Kind::Unbond(proto::Unbond { validator: validator.to_vec(), amount })
            }
            Self::Redelegate { from, to, amount } => {
                let (from, to) = (from.to_vec(), to.to_vec());
                Kind::Redelegate(proto::Redelegate { from, to, amount })
            }
            Self::Unjail => Kind::Unjail(proto::Unjail {}),
            Self::ClaimRewards { validator } => {
                Kind::ClaimRewards(proto::ClaimRewards { validator: validator.to_vec() })
            }
        }
    }

    /// `None` when the kind is not of stake.
    pub(crate) fn decode(kind: &Kind) -> Result<Option<Self>, TxError> {
        let address = |bytes: &[u8]| ValidatorAddress::from_slice(bytes);
        Ok(Some(match kind {
            Kind::Bond(bond) => {
                check_peer_id(&bond.peer_id)?;
                names::check_validator_name(&bond.name)?;
                check_commission(bond.commission_ppm)?;
                check_gateway(&bond.gateway)?;
                Self::Bond {
                    consensus_key: Key::from_slice(&bond.consensus_key)?,
                    proof: KeyProof::decode(bond.proof.as_ref())?,
                    peer_id: bond.peer_id.clone(),
                    name: bond.name.clone(),
                    commission_ppm: bond.commission_ppm,
                    gateway: bond.gateway.clone(),
                    amount: check_amount(bond.amount)?,
                }
            }
            Kind::EditValidator(edit) => decode_edit(edit)?,
            Kind::Delegate(delegate) => Self::Delegate {
                validator: address(&delegate.validator)?,
                amount: check_amount(delegate.amount)?,
            },
            Kind::Unbond(unbond) => Self::Unbond {
                validator: address(&unbond.validator)?,
                amount: check_amount(unbond.amount)?,
            },
            Kind::Redelegate(redelegate) => {
                let (from, to) = (address(&redelegate.from)?, address(&redelegate.to)?);
                if from == to {
                    return Err(TxError::Field("stake moves to another validator"));
                }
                Self::Redelegate { from, to, amount: check_amount(redelegate.amount)? }
            }
            Kind::Unjail(_) => Self::Unjail,
            Kind::ClaimRewards(claim) => {
                Self::ClaimRewards { validator: address(&claim.validator)? }
            }
            _ => return Ok(None),
        }))
    }
}

fn decode_edit(edit: &proto::EditValidator) -> Result<StakingAction, TxError> {
    let proto::EditValidator { peer_id, name, commission_ppm, gateway } = edit.clone();
    let edit = ValidatorEdit { peer_id, name, commission_ppm, gateway };
    if edit == ValidatorEdit::default() {
        return Err(TxError::Field("an edit changes something"));
    }
    edit.peer_id.as_deref().map_or(Ok(()), check_peer_id)?;
    edit.name.as_deref().map_or(Ok(()), names::check_validator_name)?;
    edit.commission_ppm.map_or(Ok(()), check_commission)?;
    edit.gateway.as_deref().map_or(Ok(()), check_gateway)?;
    Ok(StakingAction::EditValidator(edit))
}

/// None, or one that everybody can ask.
fn check_gateway(url: &str) -> Result<(), NameError> {
    if url.is_empty() { Ok(()) } else { names::check_gateway_url(url) }
}

fn check_amount(amount: u64) -> Result<u64, TxError> {
    if amount == 0 { Err(TxError::Field("an amount of stake is at least 1")) } else { Ok(amount) }
}

fn check_peer_id(peer_id: &[u8]) -> Result<(), TxError> {
    if (1..=PEER_ID_BYTES_MAX).contains(&peer_id.len()) {
        return Ok(());
    }
    Err(TxError::Field("a peer id has 1 to 64 bytes"))
}

fn check_commission(ppm: u32) -> Result<(), TxError> {
    if u64::from(ppm) <= PPM {
        return Ok(());
    }
    Err(TxError::Field("a commission is at most 1000000 millionths"))
}
