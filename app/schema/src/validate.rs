//! Every check of a transaction that needs no state. [`Verified`] is made here and nowhere else,
//! and the state machine takes nothing else.
//!
//! A block that holds a transaction refused here is refused: its proposer is at fault.

use std::ops::Deref;

use prost::Message;

use crate::certificate::{Certificate, CertificateError};
use crate::codes::Code;
use crate::ids::{AccountId, Hash, IdError, Key, RepoId, Signature};
use crate::limits::{ACTIONS_MAX, AUTH_MAX, TX_BYTES_MAX};
use crate::names::{self, NameError};
use crate::proto::{self, ObjectFormat, SignatureForm, action::Kind, tx_body};
use crate::refs::{self, RefNameError};
use crate::sign::{self, Claim, Points};
use crate::tx::{
    AccountAction, Action, GovernanceAction, IssueAction, OrgAction, Payment, PushRefs, RepoAction,
    Signer, StakingAction, ThreadAction, Tx,
};
use crate::work::Puzzle;

/// What of a chain a stateless check needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRules {
    /// The only chain whose transactions are taken.
    pub chain_id: String,
    /// Bytes of a transaction; at most [`TX_BYTES_MAX`].
    pub tx_bytes_max: usize,
}

impl ChainRules {
    /// The rules of a chain with the limits of this crate.
    pub fn new(chain_id: &str) -> Self {
        Self { chain_id: chain_id.to_owned(), tx_bytes_max: TX_BYTES_MAX }
    }
}

/// A value that passed every stateless check, signatures included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Why a transaction is no transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxError {
    /// Too many bytes.
    #[error("a transaction has at most {max} bytes, not {found}")]
    Oversize {
        /// The limit.
        max: usize,
        /// Its length.
        found: usize,
    },
    /// What only a proposer may put in a block, at its start.
    #[error("attestations are put in by the proposer, not sent")]
    PseudoTx,
    /// Not protobuf of `guts.v1.Tx`.
    #[error("not a transaction of Guts")]
    Undecodable,
    /// Protobuf, but not in its one canonical encoding.
    #[error("the transaction is not in canonical encoding")]
    NotCanonical,
    /// For another chain.
    #[error("the transaction is for chain \"{found}\", this is \"{expected}\"")]
    WrongChain {
        /// This chain.
        expected: String,
        /// The chain it names.
        found: String,
    },
    /// None, or too many.
    #[error("a transaction has 1 to {ACTIONS_MAX} actions")]
    Actions,
    /// None, too many, or one account twice.
    #[error("a transaction has 1 to {AUTH_MAX} signatures, one an account")]
    Auth,
    /// The payer did not sign.
    #[error("the payer {0} did not sign")]
    PayerUnsigned(AccountId),
    /// An actor did not sign.
    #[error("the actor {0} did not sign")]
    ActorUnsigned(AccountId),
    /// A push that names an actor.
    #[error("a push names no actor: the signer of its certificate acts")]
    PushActor,
    /// A signature is wrong.
    #[error("the signature by key {0} is wrong")]
    Signature(Key),
    /// The account is not the one that the key makes.
    #[error("account {0} is not the one that this key makes")]
    AccountOfKey(AccountId),
    /// An amount or a list is empty.
    #[error("{0}")]
    Field(&'static str),
    /// A malformed identifier.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A bad name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A bad ref name.
    #[error(transparent)]
    RefName(#[from] RefNameError),
    /// A bad certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl TxError {
    /// The stable code that CheckTx answers.
    pub const fn code(&self) -> Code {
        match self {
            Self::Oversize { .. } => Code::TxOversize,
            Self::PseudoTx => Code::TxPseudo,
            Self::Undecodable | Self::NotCanonical | Self::Id(_) => Code::TxUndecodable,
            Self::WrongChain { .. } => Code::TxWrongChain,
            Self::Signature(_) => Code::TxSignature,
            Self::Actions
            | Self::Auth
            | Self::PayerUnsigned(_)
            | Self::ActorUnsigned(_)
            | Self::PushActor
            | Self::AccountOfKey(_)
            | Self::Field(_) => Code::TxMalformed,
            Self::Name(_) | Self::RefName(_) => Code::TxName,
            Self::Certificate(_) => Code::TxCertificate,
        }
    }
}

/// Checks one transaction.
pub fn validate(bytes: &[u8], rules: &ChainRules) -> Result<Verified<Tx>, TxError> {
    let decoded = decode(bytes, rules)?;
    match decoded.claims.iter().find(|claim| !claim.is_valid()) {
        Some(claim) => Err(TxError::Signature(claim.key)),
        None => Ok(Verified(decoded.tx)),
    }
}

/// Checks many: the answers are those of [`validate`], the signatures are checked together, with
/// the points of their keys as `points` knows them. Call it on parts of a block in as many threads
/// as there are cores.
pub fn validate_batch(
    txs: &[&[u8]],
    rules: &ChainRules,
    points: &dyn Points,
) -> Vec<Result<Verified<Tx>, TxError>> {
    let mut claims = Vec::new();
    let decoded: Vec<_> = txs
        .iter()
        .map(|bytes| {
            decode(bytes, rules).map(|decoded| {
                let count = decoded.claims.len();
                claims.extend(decoded.claims);
                (decoded.tx, count)
            })
        })
        .collect();
    let valid = sign::check_all(&claims, points);
    let mut checked = claims.iter().zip(valid);
    let mut finish = |tx, count| {
        let mut wrong = None;
        for (claim, valid) in checked.by_ref().take(count) {
            if !valid && wrong.is_none() {
                wrong = Some(TxError::Signature(claim.key));
            }
        }
        wrong.map_or(Ok(Verified(tx)), Err)
    };
    decoded.into_iter().map(|one| one.and_then(|(tx, count)| finish(tx, count))).collect()
}

struct Decoded {
    tx: Tx,
    claims: Vec<Claim>,
}

fn decode(bytes: &[u8], rules: &ChainRules) -> Result<Decoded, TxError> {
    let max = rules.tx_bytes_max.min(TX_BYTES_MAX);
    if bytes.len() > max {
        return Err(TxError::Oversize { max, found: bytes.len() });
    }
    if crate::attest::is_pseudo_tx(bytes) {
        return Err(TxError::PseudoTx);
    }
    let message = proto::Tx::decode(bytes).map_err(|_| TxError::Undecodable)?;
    if message.encode_to_vec() != bytes {
        return Err(TxError::NotCanonical);
    }
    let body = message.body.ok_or(TxError::Undecodable)?;
    if body.chain_id != rules.chain_id {
        return Err(TxError::WrongChain { expected: rules.chain_id.clone(), found: body.chain_id });
    }
    let (auth, mut claims) = decode_auth(&body, &message.auth)?;
    let payer = AccountId::from_slice(&body.payer)?;
    if !auth.iter().any(|signer| signer.account == payer) {
        return Err(TxError::PayerUnsigned(payer));
    }
    let actions = decode_actions(&body, &auth, &mut claims)?;
    let tx = Tx {
        hash: Hash::of(bytes),
        size: bytes.len() as u64,
        payer,
        nonce: body.nonce,
        valid_until_s: (body.valid_until != 0).then_some(body.valid_until),
        payment: decode_payment(&body, &payer)?,
        actions,
        auth,
    };
    Ok(Decoded { tx, claims })
}

fn decode_auth(
    body: &proto::TxBody,
    auth: &[proto::Auth],
) -> Result<(Vec<Signer>, Vec<Claim>), TxError> {
    if !(1..=AUTH_MAX).contains(&auth.len()) {
        return Err(TxError::Auth);
    }
    let mut signers: Vec<Signer> = Vec::new();
    let mut claims = Vec::new();
    for entry in auth {
        let account = AccountId::from_slice(&entry.account)?;
        let key = Key::from_slice(&entry.key)?;
        let signature = Signature::from_slice(&entry.signature)?;
        let form = SignatureForm::try_from(entry.form).map_err(|_| TxError::Undecodable)?;
        if signers.iter().any(|signer| signer.account == account) {
            return Err(TxError::Auth);
        }
        signers.push(Signer { account, key });
        claims.push(Claim { key, message: sign::tx_message(body, form), signature });
    }
    Ok((signers, claims))
}

fn decode_payment(body: &proto::TxBody, payer: &AccountId) -> Result<Payment, TxError> {
    Ok(match &body.payment {
        None => Payment::None,
        Some(tx_body::Payment::Stake(_)) => Payment::Stake,
        Some(tx_body::Payment::Fee(fee)) => match fee.amount {
            0 => return Err(TxError::Field("a fee is at least 1; leave it out to pay none")),
            amount => Payment::Fee(amount),
        },
        Some(tx_body::Payment::Work(work)) => {
            let anchor = Hash::from_slice(&work.anchor)?;
            let puzzle = Puzzle::new(&body.chain_id, payer, body.nonce, &anchor);
            let bits = puzzle.bits(work.solution);
            Payment::Work { anchor_number: work.anchor_number, anchor, bits }
        }
    })
}

fn decode_actions(
    body: &proto::TxBody,
    auth: &[Signer],
    claims: &mut Vec<Claim>,
) -> Result<Vec<Action>, TxError> {
    if !(1..=ACTIONS_MAX).contains(&body.actions.len()) {
        return Err(TxError::Actions);
    }
    let mut actions = Vec::with_capacity(body.actions.len());
    for message in &body.actions {
        let action = match message.kind.as_ref().ok_or(TxError::Undecodable)? {
            Kind::PushRefs(push) if message.actor.is_empty() => decode_push(push)?,
            Kind::PushRefs(_) => return Err(TxError::PushActor),
            kind => {
                let actor = AccountId::from_slice(&message.actor)?;
                let signer = auth.iter().find(|signer| signer.account == actor);
                let signer = signer.ok_or(TxError::ActorUnsigned(actor))?;
                decode_action(kind, signer)?
            }
        };
        claims.extend(action.claim(&body.chain_id));
        if let Some(other) = action.co_signer().filter(|other| !signs(auth, other)) {
            return Err(TxError::ActorUnsigned(*other));
        }
        if let Action::PushRefs(push) = &action {
            // One certificate a transaction: its events and its outcome are those of one push.
            if body.actions.len() > 1 {
                return Err(TxError::Field("a push is alone in its transaction"));
            }
            check_certificate_chain(&push.certificate, &body.chain_id)?;
        }
        actions.push(action);
    }
    Ok(actions)
}

fn signs(auth: &[Signer], account: &AccountId) -> bool {
    auth.iter().any(|signer| signer.account == *account)
}

fn check_certificate_chain(certificate: &Certificate, chain_id: &str) -> Result<(), TxError> {
    let found = certificate.nonce.chain_id.clone();
    if found == chain_id {
        Ok(())
    } else {
        Err(TxError::WrongChain { expected: chain_id.to_owned(), found })
    }
}

fn decode_push(push: &proto::PushRefs) -> Result<Action, TxError> {
    let certificate = Certificate::parse(&push.certificate)?;
    let pack = match (push.pack_hash.is_empty(), push.pack_size) {
        (true, 0) => None,
        (false, size @ 1..) => Some((Hash::from_slice(&push.pack_hash)?, size)),
        _ => return Err(TxError::Field("a pack has a hash and a size, or there is none")),
    };
    let operator = match push.operator.as_slice() {
        [] => None,
        operator => Some(AccountId::from_slice(operator)?),
    };
    Ok(Action::PushRefs(Box::new(PushRefs { certificate, pack, operator })))
}

fn decode_action(kind: &Kind, signer: &Signer) -> Result<Action, TxError> {
    let actor = signer.account;
    Ok(match kind {
        Kind::CreateAccount(create) => {
            let key = Key::from_slice(&create.key)?;
            if AccountId::of_key(&key) != actor || signer.key != key {
                return Err(TxError::AccountOfKey(actor));
            }
            Action::CreateAccount { actor, key }
        }
        Kind::CommitHandle(commit) => {
            Action::CommitHandle { actor, commitment: Hash::from_slice(&commit.commitment)? }
        }
        Kind::ClaimHandle(claim) => {
            names::check_handle(&claim.handle)?;
            let salt = claim.salt.as_slice().try_into();
            let salt = salt.map_err(|_| TxError::Field("a salt has 32 bytes"))?;
            Action::ClaimHandle { actor, handle: claim.handle.clone(), salt }
        }
        Kind::Transfer(transfer) => {
            if transfer.amount == 0 {
                return Err(TxError::Field("a transfer moves at least 1"));
            }
            let to = AccountId::from_slice(&transfer.to)?;
            Action::Transfer { actor, to, amount: transfer.amount }
        }
        Kind::CreateRepo(create) => decode_create_repo(create, actor)?,
        Kind::EditRepo(edit) => decode_edit_repo(edit, actor)?,
        Kind::PushRefs(_) => return Err(TxError::PushActor),
        Kind::DrawFaucet(_) => Action::DrawFaucet { actor },
        other => decode_change(other, actor)?,
    })
}

/// The kinds that modules type for themselves.
fn decode_change(kind: &Kind, actor: AccountId) -> Result<Action, TxError> {
    if let Some(change) = AccountAction::decode(kind)? {
        return Ok(Action::Account { actor, change });
    }
    if let Some(change) = StakingAction::decode(kind)? {
        return Ok(Action::Staking { actor, change });
    }
    if let Some(change) = OrgAction::decode(kind)? {
        return Ok(Action::Org { actor, change });
    }
    if let Some((repo, change)) = RepoAction::decode(kind)? {
        return Ok(Action::Repo { actor, repo, change });
    }
    if let Some(change) = GovernanceAction::decode(kind)? {
        return Ok(Action::Governance { actor, change });
    }
    if let Some((repo, number, change)) = ThreadAction::decode(kind)? {
        return Ok(Action::Thread { actor, repo, number, change });
    }
    if let Some((repo, change)) = IssueAction::decode(kind)? {
        return Ok(Action::Issue { actor, repo, change });
    }
    Err(TxError::Undecodable)
}

fn decode_create_repo(create: &proto::CreateRepo, actor: AccountId) -> Result<Action, TxError> {
    names::check_repo_name(&create.name)?;
    names::check_description(&create.description)?;
    refs::check_branch(&create.default_branch)?;
    let object_format = ObjectFormat::try_from(create.object_format);
    Ok(Action::CreateRepo {
        actor,
        name: create.name.clone(),
        description: create.description.clone(),
        default_branch: create.default_branch.clone(),
        object_format: object_format.map_err(|_| TxError::Undecodable)?,
    })
}

fn decode_edit_repo(edit: &proto::EditRepo, actor: AccountId) -> Result<Action, TxError> {
    let repo = RepoId::new(edit.repo).ok_or(TxError::Field("a repository id is at least 1"))?;
    if let Some(description) = &edit.description {
        names::check_description(description)?;
    }
    if let Some(branch) = &edit.default_branch {
        refs::check_branch(branch)?;
    }
    if edit.description.is_none() && edit.default_branch.is_none() && edit.archived.is_none() {
        return Err(TxError::Field("an edit changes something"));
    }
    Ok(Action::EditRepo {
        actor,
        repo,
        description: edit.description.clone(),
        default_branch: edit.default_branch.clone(),
        archived: edit.archived,
    })
}

#[cfg(test)]
mod tests;
