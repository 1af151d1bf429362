//! Parameters in genesis, their defaults and bounds.

use guts_schema::{ActionKind, keys, proto};
use serde::{Deserialize, Serialize};

use super::state;
use crate::fault::Broken;
use crate::genesis::AppState;
use crate::modules::Origin;
use crate::run::Run;
use crate::whole::Whole;

/// The price of one kind of action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Name of the kind, such as `create_repo`.
    pub kind: String,
    /// Expected hashes of proof of work.
    pub work: u64,
    /// Smallest units.
    pub fee: u64,
    /// Free to bonded validators' accounts.
    #[serde(default)]
    pub stake: bool,
}

/// Parameters at genesis. The default is that of a test network: work and fees are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Genesis {
    /// Whether proof of work pays.
    pub accept_work: bool,
    /// Whether fees pay.
    pub accept_fee: bool,
    /// A price for each kind; kinds not named here are free but for their bytes.
    pub prices: Vec<Price>,
    /// Expected hashes for each byte of transaction.
    pub work_per_byte: u64,
    /// Smallest units for each byte of transaction.
    pub fee_per_byte: u64,
    /// How long a commitment to a handle can be claimed, in seconds of header time.
    pub handle_commit_s: u64,
    /// How long a push certificate is fresh, in seconds of header time.
    pub push_window_s: u64,
    /// How long validators have to attest a push, in seconds of header time.
    pub push_deadline_s: u64,
    /// Pushes in flight, in all.
    pub pending_pushes_max: u64,
    /// Pushes in flight of one account.
    pub pending_pushes_per_account_max: u64,
    /// Bytes of packs in flight, in all.
    pub pending_bytes_max: u64,
    /// Bytes of packs in flight of one account.
    pub pending_bytes_per_account_max: u64,
    /// Bytes of one pack.
    pub pack_bytes_max: u64,
    /// Repositories of one account.
    pub repos_per_account_max: u64,
    /// Refs of one repository.
    pub refs_per_repo_max: u64,
    /// Version of these rules.
    pub app_version: u64,
}

impl Default for Genesis {
    fn default() -> Self {
        let price = |kind: ActionKind, work: u64, fee: u64, stake: bool| Price {
            kind: kind.name().to_owned(),
            work,
            fee,
            stake,
        };
        Self {
            accept_work: true,
            accept_fee: true,
            // A second or so of one core for an account or a name, less for daily work. Pushes are
            // paid by the gateway, a validator's by its stake.
            prices: vec![
                price(ActionKind::CreateAccount, 1 << 18, 1000, false),
                price(ActionKind::CommitHandle, 1 << 17, 500, false),
                price(ActionKind::ClaimHandle, 1 << 17, 500, false),
                price(ActionKind::Transfer, 1 << 14, 10, false),
                price(ActionKind::CreateRepo, 1 << 17, 500, false),
                price(ActionKind::EditRepo, 1 << 15, 50, false),
                price(ActionKind::PushRefs, 1 << 15, 50, true),
            ],
            work_per_byte: 16,
            fee_per_byte: 0,
            handle_commit_s: 3600,
            push_window_s: 6 * 3600,
            push_deadline_s: 120,
            pending_pushes_max: 256,
            pending_pushes_per_account_max: 16,
            pending_bytes_max: 4 << 30,
            pending_bytes_per_account_max: 2 << 30,
            pack_bytes_max: 1 << 30,
            repos_per_account_max: 1000,
            refs_per_repo_max: 10_000,
            app_version: 1,
        }
    }
}

impl Genesis {
    fn check(&self) -> Result<(), Broken> {
        let wrong = |text: &str| Err(Broken::Genesis(format!("params: {text}")));
        let mut kinds: Vec<u32> = Vec::new();
        for price in &self.prices {
            let kind = ActionKind::ALL.into_iter().find(|kind| kind.name() == price.kind);
            let Some(kind) = kind else {
                return wrong(&format!("prices name \"{}\", which is no action", price.kind));
            };
            if kinds.last().is_some_and(|last| *last >= kind.number()) {
                return wrong("prices name each kind once, in order of their numbers");
            }
            kinds.push(kind.number());
        }
        if !self.accept_work && !self.accept_fee {
            return wrong("accept_work or accept_fee: one at least, or nobody can pay");
        }
        if self.push_window_s <= self.push_deadline_s {
            return wrong("push_window_s must be above push_deadline_s");
        }
        if self.push_deadline_s == 0 || self.handle_commit_s == 0 {
            return wrong("push_deadline_s and handle_commit_s must be above 0");
        }
        if self.pending_pushes_per_account_max == 0
            || self.pending_pushes_max < self.pending_pushes_per_account_max
            || self.pending_bytes_max < self.pending_bytes_per_account_max
            || self.pending_bytes_per_account_max < self.pack_bytes_max
        {
            return wrong("bounds of pushes in flight: account <= all, and one pack must fit");
        }
        Ok(())
    }

    fn to_proto(&self) -> proto::Params {
        let prices = self
            .prices
            .iter()
            .filter_map(|price| {
                let kind = ActionKind::ALL.into_iter().find(|kind| kind.name() == price.kind)?;
                let (work, fee, stake) = (price.work, price.fee, price.stake);
                Some(proto::KindPrice { kind: kind.number(), work, fee, stake })
            })
            .collect();
        proto::Params {
            accept_work: self.accept_work,
            accept_fee: self.accept_fee,
            prices,
            work_per_byte: self.work_per_byte,
            fee_per_byte: self.fee_per_byte,
            handle_commit_s: self.handle_commit_s,
            push_window_s: self.push_window_s,
            push_deadline_s: self.push_deadline_s,
            pending_pushes_max: self.pending_pushes_max,
            pending_pushes_per_account_max: self.pending_pushes_per_account_max,
            pending_bytes_max: self.pending_bytes_max,
            pending_bytes_per_account_max: self.pending_bytes_per_account_max,
            pack_bytes_max: self.pack_bytes_max,
            repos_per_account_max: self.repos_per_account_max,
            refs_per_repo_max: self.refs_per_repo_max,
            app_version: self.app_version,
        }
    }

    fn from_proto(params: &proto::Params) -> Self {
        let name = |number: u32| {
            ActionKind::ALL.into_iter().find(|kind| kind.number() == number).map(ActionKind::name)
        };
        let prices = params
            .prices
            .iter()
            .filter_map(|price| {
                let kind = name(price.kind)?.to_owned();
                Some(Price { kind, work: price.work, fee: price.fee, stake: price.stake })
            })
            .collect();
        Self {
            accept_work: params.accept_work,
            accept_fee: params.accept_fee,
            prices,
            work_per_byte: params.work_per_byte,
            fee_per_byte: params.fee_per_byte,
            handle_commit_s: params.handle_commit_s,
            push_window_s: params.push_window_s,
            push_deadline_s: params.push_deadline_s,
            pending_pushes_max: params.pending_pushes_max,
            pending_pushes_per_account_max: params.pending_pushes_per_account_max,
            pending_bytes_max: params.pending_bytes_max,
            pending_bytes_per_account_max: params.pending_bytes_per_account_max,
            pack_bytes_max: params.pack_bytes_max,
            repos_per_account_max: params.repos_per_account_max,
            refs_per_repo_max: params.refs_per_repo_max,
            app_version: params.app_version,
        }
    }
}

pub(super) fn init(run: &mut Run<'_>, origin: &Origin<'_>) -> Result<(), Broken> {
    let params = &origin.state.params;
    params.check()?;
    state::put(run, &params.to_proto())
}

pub(super) fn export(whole: &Whole, into: &mut AppState) -> Result<(), Broken> {
    let missing = || Broken::Contradiction("no chain parameters".into());
    let params: proto::Params = whole.get(&keys::params())?.ok_or_else(missing)?;
    into.params = Genesis::from_proto(&params);
    Ok(())
}
