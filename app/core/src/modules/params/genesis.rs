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

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $default:expr;)*) => {
        /// Parameters at genesis. The default is that of a test network: work and fees are taken.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Genesis {
            /// Whether proof of work pays.
            pub accept_work: bool,
            /// Whether fees pay.
            pub accept_fee: bool,
            /// A price for each kind.
            pub prices: Vec<Price>,
            /// The price of the kinds that are not named there; its own name is `other`.
            pub other_price: Price,
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Default for Genesis {
            fn default() -> Self {
                Self {
                    accept_work: true,
                    accept_fee: true,
                    prices: default_prices(),
                    other_price: price_of(OTHER, 1 << 15, 50, false),
                    $($name: $default,)*
                }
            }
        }

        impl Genesis {
            pub(super) fn to_proto(&self) -> proto::Params {
                proto::Params {
                    accept_work: self.accept_work,
                    accept_fee: self.accept_fee,
                    prices: self.prices.iter().filter_map(price_value).collect(),
                    other_price: price_value(&self.other_price),
                    $($name: self.$name,)*
                }
            }

            pub(super) fn from_proto(params: &proto::Params) -> Self {
                let other = params.other_price.as_ref().and_then(named_price);
                Self {
                    accept_work: params.accept_work,
                    accept_fee: params.accept_fee,
                    prices: params.prices.iter().filter_map(named_price).collect(),
                    other_price: other.unwrap_or_else(|| price_of(OTHER, 0, 0, false)),
                    $($name: params.$name,)*
                }
            }
        }
    };
}

numbers! {
    /// Expected hashes for each byte of transaction.
    work_per_byte = 16;
    /// Smallest units for each byte of transaction.
    fee_per_byte = 0;
    /// How long a commitment to a handle can be claimed, in seconds of header time.
    handle_commit_s = 3600;
    /// How long a push certificate is fresh, in seconds of header time.
    push_window_s = 6 * 3600;
    /// How long validators have to attest a push, in seconds of header time.
    push_deadline_s = 120;
    /// Pushes in flight, in all.
    pending_pushes_max = 256;
    /// Pushes in flight of one account.
    pending_pushes_per_account_max = 16;
    /// Bytes of packs in flight, in all.
    pending_bytes_max = 4 << 30;
    /// Bytes of packs in flight of one account.
    pending_bytes_per_account_max = 2 << 30;
    /// Bytes of one pack.
    pack_bytes_max = 1 << 30;
    /// Repositories of one account.
    repos_per_account_max = 1000;
    /// Refs of one repository.
    refs_per_repo_max = 10_000;
    /// Version of these rules.
    app_version = 1;
    /// Keys that one account ever has.
    keys_per_account_max = 100;
    /// Least delay of a recovery, in seconds of header time: the owner can stop it meanwhile.
    recovery_delay_min_s = 24 * 3600;
}

/// What the price of all other kinds is called.
const OTHER: &str = "other";

fn price_of(kind: &str, work: u64, fee: u64, stake: bool) -> Price {
    Price { kind: kind.to_owned(), work, fee, stake }
}

fn default_prices() -> Vec<Price> {
    let price = |kind: ActionKind, work, fee, stake| price_of(kind.name(), work, fee, stake);
    // A second or so of one core for an account or a name, less for daily work. Pushes are paid
    // by the gateway, a validator's by its stake.
    vec![
        price(ActionKind::CreateAccount, 1 << 18, 1000, false),
        price(ActionKind::CommitHandle, 1 << 17, 500, false),
        price(ActionKind::ClaimHandle, 1 << 17, 500, false),
        price(ActionKind::Transfer, 1 << 14, 10, false),
        price(ActionKind::CreateRepo, 1 << 17, 500, false),
        price(ActionKind::EditRepo, 1 << 15, 50, false),
        price(ActionKind::PushRefs, 1 << 15, 50, true),
    ]
}

fn price_value(price: &Price) -> Option<proto::KindPrice> {
    let kind = match price.kind.as_str() {
        OTHER => 0,
        name => ActionKind::from_name(name)?.number(),
    };
    let Price { work, fee, stake, .. } = *price;
    Some(proto::KindPrice { kind, work, fee, stake })
}

fn named_price(price: &proto::KindPrice) -> Option<Price> {
    let name = match price.kind {
        0 => OTHER,
        number => ActionKind::from_number(number)?.name(),
    };
    Some(price_of(name, price.work, price.fee, price.stake))
}

impl Genesis {
    fn check(&self) -> Result<(), Broken> {
        let wrong = |text: &str| Err(Broken::Genesis(format!("params: {text}")));
        let mut kinds: Vec<u32> = Vec::new();
        for price in &self.prices {
            let Some(kind) = ActionKind::from_name(&price.kind) else {
                return wrong(&format!("prices name \"{}\", which is no action", price.kind));
            };
            if kinds.last().is_some_and(|last| *last >= kind.number()) {
                return wrong("prices name each kind once, in order of their numbers");
            }
            kinds.push(kind.number());
        }
        if self.other_price.kind != OTHER {
            return wrong("the kind of other_price is \"other\"");
        }
        if self.keys_per_account_max == 0 {
            return wrong("keys_per_account_max must be above 0");
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
