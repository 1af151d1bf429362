//! Typed transactions: made from the protobuf messages by [`crate::validate()`], and back.
//!
//! **Who pays.** The payer is an account that signs; its nonce is spent in order. Payment is a
//! fee, proof of work, or stake (a bonded validator's account, for the kinds that the parameters
//! exempt). A kind whose price is 0 needs none. The first transaction of an account is paid by
//! work of the account it makes, with nonce 0.
//!
//! **Pushes.** The actor of `PushRefs` is the signer of its certificate, so the action names none;
//! the payer is the gateway: an account of its own, which for a validator is its operator's and
//! pays by stake. A gateway without stake pays by work or fee. Quotas are charged to the pusher, by
//! each gateway for itself.

use prost::Message;
use sha2::{Digest, Sha256};

use crate::certificate::Certificate;
use crate::ids::{AccountId, Hash, Key, PushId, RepoId, Signature};
use crate::limits::SALT_BYTES;
use crate::proto::{self, ObjectFormat, SignatureForm, action::Kind, tx_body};
use crate::sign::{self, Claim, SecretKey};

mod account;
mod governance;
mod issue;
mod kind;
mod org;
mod repo;
mod staking;
mod thread;

pub use account::{AccountAction, KeyProof};
pub use governance::GovernanceAction;
pub use issue::IssueAction;
pub use kind::ActionKind;
pub use org::OrgAction;
pub use repo::RepoAction;
pub use staking::{StakingAction, ValidatorEdit};
pub use thread::ThreadAction;

/// A transaction whose form is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tx {
    /// SHA-256 of the bytes: the hash under which RPC knows it.
    pub hash: Hash,
    /// Length of the bytes.
    pub size: u64,
    /// Who pays, and whose nonce is spent.
    pub payer: AccountId,
    /// The payer's nonce.
    pub nonce: u64,
    /// Last second of header time at which it may be included; `None`: no end.
    pub valid_until_s: Option<u64>,
    /// How it is paid.
    pub payment: Payment,
    /// What it does: all or nothing, in this order.
    pub actions: Vec<Action>,
    /// Who signed.
    pub auth: Vec<Signer>,
}

impl Tx {
    /// The pushes among its actions.
    pub fn pushes(&self) -> impl Iterator<Item = &PushRefs> {
        self.actions.iter().filter_map(|action| match action {
            Action::PushRefs(push) => Some(&**push),
            _ => None,
        })
    }
}

/// How a transaction is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// Not at all: enough where the price is 0.
    None,
    /// This much of the payer's balance.
    Fee(u64),
    /// By proof of work.
    Work {
        /// Number of the anchor.
        anchor_number: u64,
        /// The recorded hash that must have that number.
        anchor: Hash,
        /// Leading zero bits reached.
        bits: u32,
    },
    /// By being a bonded validator's account.
    Stake,
}

/// An account that signed, and with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The account; that the key is valid for it, only state knows.
    pub account: AccountId,
    /// The key.
    pub key: Key,
}

/// One change, and who makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The actor becomes an account, controlled by `key`.
    CreateAccount {
        /// The account that `key` makes.
        actor: AccountId,
        /// Its first key.
        key: Key,
    },
    /// First half of claiming a handle.
    CommitHandle {
        /// Who will claim.
        actor: AccountId,
        /// [`crate::names::handle_commitment`].
        commitment: Hash,
    },
    /// Second half.
    ClaimHandle {
        /// Who claims.
        actor: AccountId,
        /// A checked handle.
        handle: String,
        /// What hid it.
        salt: [u8; SALT_BYTES],
    },
    /// Moves balance.
    Transfer {
        /// From whom.
        actor: AccountId,
        /// To whom.
        to: AccountId,
        /// Smallest units, at least 1.
        amount: u64,
    },
    /// Makes a repository of the actor's.
    CreateRepo {
        /// The owner.
        actor: AccountId,
        /// A checked name.
        name: String,
        /// One line.
        description: String,
        /// Full name of a branch.
        default_branch: String,
        /// Of all its objects.
        object_format: ObjectFormat,
    },
    /// Changes what is set.
    EditRepo {
        /// Who edits.
        actor: AccountId,
        /// Which.
        repo: RepoId,
        /// One line.
        description: Option<String>,
        /// Full name of a branch.
        default_branch: Option<String>,
        /// No pushes while archived.
        archived: Option<bool>,
    },
    /// Orders a push.
    PushRefs(Box<PushRefs>),
    /// Changes who controls an account, or what it is called.
    Account {
        /// Who acts.
        actor: AccountId,
        /// What it does.
        change: AccountAction,
    },
    /// Stake.
    Staking {
        /// Who acts.
        actor: AccountId,
        /// What it does.
        change: StakingAction,
    },
    /// An organisation.
    Org {
        /// Who acts.
        actor: AccountId,
        /// What it does.
        change: OrgAction,
    },
    /// A thread that exists.
    Thread {
        /// Who acts.
        actor: AccountId,
        /// In which repository.
        repo: RepoId,
        /// Number of the thread.
        number: u64,
        /// What it does.
        change: ThreadAction,
    },
    /// An issue, or what issues of a repository share.
    Issue {
        /// Who acts.
        actor: AccountId,
        /// In which repository.
        repo: RepoId,
        /// What it does.
        change: IssueAction,
    },
    /// What the network decides.
    Governance {
        /// Who acts.
        actor: AccountId,
        /// What it does.
        change: GovernanceAction,
    },
    /// Takes what the faucet gives.
    DrawFaucet {
        /// Who gets it.
        actor: AccountId,
    },
    /// A repository that exists.
    Repo {
        /// Who acts.
        actor: AccountId,
        /// Which repository.
        repo: RepoId,
        /// What it does.
        change: RepoAction,
    },
}

/// A push to be ordered. Its actor is the account of the certificate's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRefs {
    /// Signed by the pusher.
    pub certificate: Certificate,
    /// The pack and its length in bytes; `None` when no object is new.
    pub pack: Option<(Hash, u64)>,
    /// Who operates the validator whose gateway the payer is, where that is somebody else:
    /// validators look there first for the pack. Only the payer's own pushes are later when it is
    /// wrong.
    pub operator: Option<AccountId>,
}

impl Action {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::CreateAccount { .. } => ActionKind::CreateAccount,
            Self::CommitHandle { .. } => ActionKind::CommitHandle,
            Self::ClaimHandle { .. } => ActionKind::ClaimHandle,
            Self::Transfer { .. } => ActionKind::Transfer,
            Self::CreateRepo { .. } => ActionKind::CreateRepo,
            Self::EditRepo { .. } => ActionKind::EditRepo,
            Self::PushRefs(_) => ActionKind::PushRefs,
            Self::Account { change, .. } => change.kind(),
            Self::Staking { change, .. } => change.kind(),
            Self::Org { change, .. } => change.kind(),
            Self::Repo { change, .. } => change.kind(),
            Self::Thread { change, .. } => change.kind(),
            Self::Issue { change, .. } => change.kind(),
            Self::Governance { change, .. } => change.kind(),
            Self::DrawFaucet { .. } => ActionKind::DrawFaucet,
        }
    }

    /// Who acts; `None` for a push, whose actor is the account of the certificate's key.
    pub const fn actor(&self) -> Option<&AccountId> {
        match self {
            Self::CreateAccount { actor, .. }
            | Self::CommitHandle { actor, .. }
            | Self::ClaimHandle { actor, .. }
            | Self::Transfer { actor, .. }
            | Self::CreateRepo { actor, .. }
            | Self::EditRepo { actor, .. }
            | Self::Account { actor, .. }
            | Self::Staking { actor, .. }
            | Self::Org { actor, .. }
            | Self::Thread { actor, .. }
            | Self::Issue { actor, .. }
            | Self::Governance { actor, .. }
            | Self::DrawFaucet { actor }
            | Self::Repo { actor, .. } => Some(actor),
            Self::PushRefs(_) => None,
        }
    }

    /// The repository that exists and that it is about; none for a push, which is not the payer's.
    pub const fn repo(&self) -> Option<RepoId> {
        match self {
            Self::EditRepo { repo, .. }
            | Self::Repo { repo, .. }
            | Self::Thread { repo, .. }
            | Self::Issue { repo, .. } => Some(*repo),
            _ => None,
        }
    }

    /// Another account that must sign, because the action does something to it.
    pub const fn co_signer(&self) -> Option<&AccountId> {
        match self {
            Self::Account { change: AccountAction::TransferHandle { to }, .. } => Some(to),
            _ => None,
        }
    }

    /// The proof that the action carries, and what its signature must cover.
    pub fn claim(&self, chain_id: &str) -> Option<Claim> {
        match self {
            Self::PushRefs(push) => Some(push.certificate.claim()),
            Self::Account { actor, change } => change.claim(chain_id, actor),
            Self::Staking { actor, change } => change.claim(chain_id, actor),
            _ => None,
        }
    }

    /// As a protobuf message.
    pub fn to_proto(&self) -> proto::Action {
        let kind = match self.clone() {
            Self::CreateAccount { key, .. } => {
                Kind::CreateAccount(proto::CreateAccount { key: key.to_vec() })
            }
            Self::CommitHandle { commitment, .. } => {
                Kind::CommitHandle(proto::CommitHandle { commitment: commitment.to_vec() })
            }
            Self::ClaimHandle { handle, salt, .. } => {
                Kind::ClaimHandle(proto::ClaimHandle { handle, salt: salt.to_vec() })
            }
            Self::Transfer { to, amount, .. } => {
                Kind::Transfer(proto::Transfer { to: to.to_vec(), amount })
            }
            Self::CreateRepo { name, description, default_branch, object_format, .. } => {
                Kind::CreateRepo(proto::CreateRepo {
                    name,
                    description,
                    default_branch,
                    object_format: object_format.into(),
                })
            }
            Self::EditRepo { repo, description, default_branch, archived, .. } => {
                let repo = repo.number();
                Kind::EditRepo(proto::EditRepo { repo, description, default_branch, archived })
            }
            Self::PushRefs(push) => Kind::PushRefs(push.to_proto()),
            Self::Account { change, .. } => change.to_proto(),
            Self::Staking { change, .. } => change.to_proto(),
            Self::Org { change, .. } => change.to_proto(),
            Self::Repo { repo, change, .. } => change.to_proto(repo),
            Self::Thread { repo, number, change, .. } => change.to_proto(repo, number),
            Self::Issue { repo, change, .. } => change.to_proto(repo),
            Self::Governance { change, .. } => change.to_proto(),
            Self::DrawFaucet { .. } => Kind::DrawFaucet(proto::DrawFaucet {}),
        };
        let actor = self.actor().map(AccountId::to_vec).unwrap_or_default();
        proto::Action { actor, kind: Some(kind) }
    }
}

impl PushRefs {
    /// The push, when `payer` brings it. Somebody else who brings the same certificate makes
    /// another push of it, whatever pack they say it has: so nobody can spoil this one.
    pub fn id(&self, payer: &AccountId) -> PushId {
        let mut digest = Sha256::new()
            .chain_update(b"guts.v1.push\0")
            .chain_update(self.certificate.hash().as_bytes())
            .chain_update(payer.as_bytes());
        if let Some((hash, size)) = &self.pack {
            digest = digest.chain_update(hash.as_bytes()).chain_update(size.to_be_bytes());
        }
        PushId::new(digest.finalize().into())
    }

    fn to_proto(&self) -> proto::PushRefs {
        let (pack_hash, pack_size) = match self.pack {
            Some((hash, size)) => (hash.to_vec(), size),
            None => (Vec::new(), 0),
        };
        let certificate = self.certificate.bytes.clone();
        let operator = self.operator.map(|operator| operator.to_vec()).unwrap_or_default();
        proto::PushRefs { certificate, pack_hash, pack_size, operator }
    }
}

/// A transaction in the making: everything but the signatures.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    body: proto::TxBody,
    auth: Vec<proto::Auth>,
}

impl Draft {
    /// A transaction that pays nothing yet.
    pub fn new(chain_id: &str, payer: AccountId, nonce: u64, actions: &[Action]) -> Self {
        let body = proto::TxBody {
            chain_id: chain_id.to_owned(),
            payer: payer.to_vec(),
            nonce,
            valid_until: 0,
            actions: actions.iter().map(Action::to_proto).collect(),
            payment: None,
        };
        Self { body, auth: Vec::new() }
    }

    /// Not to be included after that second of header time.
    pub fn valid_until_s(mut self, time_s: u64) -> Self {
        self.body.valid_until = time_s;
        self
    }

    /// Paid by a fee.
    pub fn fee(mut self, amount: u64) -> Self {
        self.body.payment = Some(tx_body::Payment::Fee(proto::Fee { amount }));
        self
    }

    /// Paid by work on [`crate::work::Puzzle`].
    pub fn work(mut self, anchor_number: u64, anchor: Hash, solution: u64) -> Self {
        let work = proto::Work { anchor_number, anchor: anchor.to_vec(), solution };
        self.body.payment = Some(tx_body::Payment::Work(work));
        self
    }

    /// Paid by stake.
    pub fn stake(mut self) -> Self {
        self.body.payment = Some(tx_body::Payment::Stake(proto::Stake {}));
        self
    }

    /// What a signature of that form must cover.
    pub fn message(&self, form: SignatureForm) -> Vec<u8> {
        sign::tx_message(&self.body, form)
    }

    /// What an SSHSIG signer (ssh-keygen, an agent's wrapper) is given as data.
    pub fn sign_bytes(&self) -> Vec<u8> {
        sign::tx_bytes(&self.body)
    }

    /// Adds a signature made elsewhere.
    pub fn signature(
        mut self,
        account: AccountId,
        key: Key,
        form: SignatureForm,
        signature: Signature,
    ) -> Self {
        self.auth.push(proto::Auth {
            account: account.to_vec(),
            key: key.to_vec(),
            signature: signature.to_vec(),
            form: form.into(),
        });
        self
    }

    /// Signs plainly with a key at hand.
    pub fn sign(self, account: AccountId, secret: &SecretKey) -> Self {
        let signature = secret.sign(&self.message(SignatureForm::Plain));
        self.signature(account, secret.public(), SignatureForm::Plain, signature)
    }

    /// Length of the transaction once `signatures` are in it; what a price per byte is for.
    /// Payment and signatures already added are counted as they are.
    pub fn size_with(&self, signatures: usize) -> u64 {
        // account 22, key 34, signature 66, form 2, tag and length 2
        const AUTH_BYTES: usize = 126;
        let more = signatures.saturating_sub(self.auth.len()) * AUTH_BYTES;
        (self.to_proto().encoded_len() + more) as u64
    }

    /// The bytes to send.
    pub fn encode(&self) -> Vec<u8> {
        self.to_proto().encode_to_vec()
    }

    fn to_proto(&self) -> proto::Tx {
        proto::Tx { body: Some(self.body.clone()), auth: self.auth.clone() }
    }
}

#[cfg(test)]
mod tests;
