//! Parameters in genesis, their defaults and bounds.

use guts_schema::limits::{LIGHT_TRUST_DEFAULT_S, PPM, PUSH_WINDOW_MAX_S, VALIDATORS_MAX};
use guts_schema::{ActionKind, keys, proto};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
    /// Owners pay for bytes only, inside their repositories.
    #[serde(default)]
    pub owner: bool,
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
    /// Share of fees that is burnt, in millionths; validators and delegators get the rest.
    fee_burn_ppm = 0;
    /// Smallest units made at the end of an epoch, for validators and delegators.
    issuance_per_epoch = 0;
    /// How long an epoch lasts, in seconds of header time.
    epoch_s = 3600;
    /// How long stake answers for a validator it left, in seconds of header time.
    unbonding_s = 24 * 3600;
    /// How old a header may be that a light client trusts, in seconds.
    light_trust_s = LIGHT_TRUST_DEFAULT_S;
    /// Smallest units of stake that make a power of 1.
    power_unit = 1_000_000;
    /// Validators that the set does not fall below.
    validators_min = 1;
    /// Validators in the set.
    validators_max = 100;
    /// Stake that a validator needs, in smallest units.
    validator_stake_min = 1_000_000;
    /// Blocks with transactions that are counted for each validator.
    missed_window = 10_000;
    /// How many of them a validator may miss.
    missed_max = 5_000;
    /// How long a jailed validator stays away at least, in seconds of header time.
    jail_s = 600;
    /// Stake taken for two signatures at one height, in millionths.
    slash_double_sign_ppm = 50_000;
    /// Stake taken for missing too much, in millionths.
    slash_downtime_ppm = 100;
    /// Bound on the change of a commission in a day, in millionths.
    commission_step_ppm = 10_000;
    /// Validators with enough stake, in the set or not; those with most of it.
    candidates_max = 1000;
    /// Members and invitations of an organisation.
    org_members_max = 500;
    /// Teams of an organisation.
    org_teams_max = 50;
    /// Collaborators, team roles and protected patterns of a repository, each.
    repo_rules_max = 100;
    /// What the faucet gives an account in an epoch, in smallest units; 0: it is shut.
    faucet_amount = 10_000;
    /// What it gives in an epoch in all; at most a thousandth of the bonded stake in any case.
    faucet_epoch_max = 100_000_000;
    /// Deposit that opens a vote, in smallest units.
    gov_deposit_min = 1_000_000;
    /// How long deposits are taken, in seconds of header time.
    gov_deposit_s = 24 * 3600;
    /// How long votes are taken, in seconds of header time.
    gov_voting_s = 24 * 3600;
    /// The same in an emergency.
    gov_emergency_voting_s = 3600;
    /// How long an accepted proposal waits, in seconds of header time; none in an emergency.
    gov_timelock_s = 24 * 3600;
    /// Share of the set's stake that must vote, in millionths.
    gov_quorum_ppm = 334_000;
    /// Share of yes among yes, no and veto that must be passed, in millionths.
    gov_threshold_ppm = 500_000;
    /// In an emergency: share of all stake that yes must exceed, in millionths.
    gov_emergency_threshold_ppm = 667_000;
    /// Share of veto among all votes that must be passed to veto, in millionths.
    gov_veto_ppm = 334_000;
    /// Proposals that are voted on or wait to be carried out, and those that wait for deposits,
    /// each.
    gov_open_max = 50;
    /// How long the engine takes evidence, in seconds: what the genesis document says, whatever
    /// stands here; 0: it says nothing.
    evidence_age_s = 0;
    /// Unbondings and redelegations under way; more only if each is of `validator_stake_min`. Half
    /// of these places are for accounts that have none under way.
    unbondings_max = 20_000;
}

/// All stake there can be, in units of this, is no more than the power a set may have in all
/// (CometBFT: an eighth of the largest 64-bit integer).
const POWER_UNIT_MIN: u64 = 16;
/// Bounds what is kept of a validator that misses every other block.
const MISSED_WINDOW_MAX: u64 = 100_000;
/// Bounds of durations: a year.
const LASTS_MAX_S: u64 = 365 * 24 * 3600;
/// Bounds of what governance itself costs, so that no decision is the last: deposit and fee in
/// smallest units, expected hashes, each of an action and of a byte of transaction.
const GOV_DEPOSIT_MAX: u64 = 1_000_000_000_000;
const GOV_FEE_MAX: u64 = 100_000_000;
const GOV_WORK_MAX: u64 = 1 << 32;
const BYTE_FEE_MAX: u64 = 10_000;
const BYTE_WORK_MAX: u64 = 1 << 20;
/// Said where nothing is changed, or what no change of parameters may.
const NAME_PARAMETERS: &str = "name parameters; app_version changes by upgrades alone";
/// What the price of all other kinds is called.
const OTHER: &str = "other";

fn price_of(kind: &str, work: u64, fee: u64, stake: bool) -> Price {
    Price { kind: kind.to_owned(), work, fee, stake, owner: false }
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
        // Some seconds of one core.
        price(ActionKind::DrawFaucet, 1 << 20, 1000, false),
    ]
}

fn price_value(price: &Price) -> Option<proto::KindPrice> {
    let kind = match price.kind.as_str() {
        OTHER => 0,
        name => ActionKind::from_name(name)?.number(),
    };
    let Price { work, fee, stake, owner, .. } = *price;
    Some(proto::KindPrice { kind, work, fee, stake, owner })
}

fn named_price(price: &proto::KindPrice) -> Option<Price> {
    let name = match price.kind {
        0 => OTHER,
        number => ActionKind::from_number(number)?.name(),
    };
    Some(Price { owner: price.owner, ..price_of(name, price.work, price.fee, price.stake) })
}

/// Candidates that parameters may allow. An election looks at all of them, and so does whoever
/// would be one where there is no room.
pub(crate) const CANDIDATES_MAX: u64 = 10_000;
/// Collaborators, teams and protections of a repository, each, that parameters may allow.
pub(crate) const REPO_RULES_MAX: u64 = 1000;

impl Genesis {
    /// Nothing lasts too long, and nothing that a block walks over grows too large.
    fn check_bounds(&self) -> Result<(), String> {
        let most = [
            ("handle_commit_s", self.handle_commit_s, LASTS_MAX_S),
            ("push_window_s", self.push_window_s, PUSH_WINDOW_MAX_S),
            ("recovery_delay_min_s", self.recovery_delay_min_s, LASTS_MAX_S),
            ("epoch_s", self.epoch_s, LASTS_MAX_S),
            ("unbonding_s", self.unbonding_s, LASTS_MAX_S),
            ("jail_s", self.jail_s, LASTS_MAX_S),
            ("gov_deposit_s", self.gov_deposit_s, LASTS_MAX_S),
            ("gov_voting_s", self.gov_voting_s, LASTS_MAX_S),
            ("gov_emergency_voting_s", self.gov_emergency_voting_s, LASTS_MAX_S),
            ("gov_timelock_s", self.gov_timelock_s, LASTS_MAX_S),
            ("gov_deposit_min", self.gov_deposit_min, GOV_DEPOSIT_MAX),
            ("work_per_byte", self.work_per_byte, BYTE_WORK_MAX),
            ("fee_per_byte", self.fee_per_byte, BYTE_FEE_MAX),
            // A vote that nobody can win, or that none can be enough for, is no vote.
            ("gov_quorum_ppm", self.gov_quorum_ppm, PPM - 1),
            ("gov_threshold_ppm", self.gov_threshold_ppm, PPM - 1),
            ("gov_emergency_threshold_ppm", self.gov_emergency_threshold_ppm, PPM - 1),
            ("gov_veto_ppm", self.gov_veto_ppm, PPM - 1),
            // Nobody could be elected, or have a say.
            ("power_unit", self.power_unit, GOV_DEPOSIT_MAX),
            ("validator_stake_min", self.validator_stake_min, GOV_DEPOSIT_MAX),
            ("pending_pushes_max", self.pending_pushes_max, 4096),
            ("refs_per_repo_max", self.refs_per_repo_max, 1_000_000),
            ("keys_per_account_max", self.keys_per_account_max, 1000),
            ("candidates_max", self.candidates_max, CANDIDATES_MAX),
            ("org_members_max", self.org_members_max, 10_000),
            ("org_teams_max", self.org_teams_max, 1000),
            ("repo_rules_max", self.repo_rules_max, REPO_RULES_MAX),
            ("gov_open_max", self.gov_open_max, 200),
            ("unbondings_max", self.unbondings_max, 100_000),
        ];
        for (name, value, max) in most {
            if value > max {
                return Err(format!("{name} is {max} at most"));
            }
        }
        for kind in [ActionKind::Propose, ActionKind::Deposit, ActionKind::Vote] {
            let listed = self.prices.iter().find(|price| price.kind == kind.name());
            let price = listed.unwrap_or(&self.other_price);
            if price.work > GOV_WORK_MAX || price.fee > GOV_FEE_MAX {
                let text = format!("work {GOV_WORK_MAX} and fee {GOV_FEE_MAX} at most");
                return Err(format!("{} costs {text}", kind.name()));
            }
        }
        Ok(())
    }

    fn check_staking(&self) -> Result<(), String> {
        let wrong = |text: &str| Err(text.to_owned());
        let millionths = [
            self.fee_burn_ppm,
            self.slash_double_sign_ppm,
            self.slash_downtime_ppm,
            self.commission_step_ppm,
        ];
        if millionths.iter().any(|ppm| *ppm > PPM) {
            return wrong("shares in millionths are at most 1000000");
        }
        if self.gov_voting_s == 0 || self.gov_emergency_voting_s == 0 || self.gov_open_max == 0 {
            return wrong("gov_voting_s, gov_emergency_voting_s and gov_open_max must be above 0");
        }
        if self.epoch_s == 0 || self.jail_s == 0 {
            return wrong("epoch_s and jail_s must be above 0");
        }
        if self.epoch_s > self.unbonding_s {
            return wrong(
                "epoch_s must not be above unbonding_s: power counts until an epoch ends",
            );
        }
        if self.evidence_age_s != 0 && self.unbonding_s > self.evidence_age_s {
            let (lasts_s, age_s) = (self.unbonding_s, self.evidence_age_s);
            let text = format!("unbonding_s is {lasts_s}, evidence is taken for {age_s} s only");
            return wrong(&format!("{text}: lower the one or raise max_age_duration"));
        }
        if self.light_trust_s >= self.unbonding_s {
            return wrong("light_trust_s must be below unbonding_s, or old validators could lie");
        }
        if self.power_unit < POWER_UNIT_MIN {
            return wrong("power_unit must be 16 or more, or powers add up to too much");
        }
        if self.validators_min == 0
            || self.validators_min > self.validators_max
            || self.validators_max > VALIDATORS_MAX as u64
        {
            return wrong("1 <= validators_min <= validators_max <= 128");
        }
        if self.candidates_max <= self.validators_max {
            return wrong("candidates_max must be above validators_max, or nobody could come in");
        }
        if self.missed_window > MISSED_WINDOW_MAX || self.missed_max >= self.missed_window {
            return wrong("missed_max < missed_window <= 100000");
        }
        Ok(())
    }

    /// Whether a chain can live with these.
    ///
    /// # Errors
    /// The rule that says no.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |text: &str| Err(text.to_owned());
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
        self.check_bounds()?;
        self.check_staking()?;
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

    /// These with changes: values in JSON, as in a genesis document, by the parameters' names. How
    /// long evidence is taken is judged as `self` has it.
    ///
    /// # Errors
    /// For people: what cannot be changed like that, or is no parameter's value, or the rule that
    /// the result breaks.
    pub fn with(&self, changes: Map<String, Value>) -> Result<Self, String> {
        let read = |error: serde_json::Error| error.to_string();
        if changes.contains_key("app_version") {
            return Err(NAME_PARAMETERS.into());
        }
        if changes.contains_key("evidence_age_s") {
            return Err("evidence_age_s is what the genesis document says".into());
        }
        let Value::Object(mut all) = serde_json::to_value(self).map_err(read)? else {
            return Err("no object".into());
        };
        all.extend(changes);
        let changed: Self = serde_json::from_value(Value::Object(all)).map_err(read)?;
        changed.check()?;
        Ok(changed)
    }
}

/// Parameters with what a JSON object in the form of genesis changes; the error is for people.
pub(crate) fn changed(params: &proto::Params, json: &str) -> Result<proto::Params, String> {
    let changes: Map<String, Value> = serde_json::from_str(json).map_err(|e| e.to_string())?;
    if changes.is_empty() {
        return Err(NAME_PARAMETERS.into());
    }
    Ok(Genesis::from_proto(params).with(changes)?.to_proto())
}

fn refused(rule: String) -> Broken {
    Broken::Genesis(format!("params: {rule}"))
}

pub(super) fn init(run: &mut Run<'_>, origin: &Origin<'_>) -> Result<(), Broken> {
    let age_s = origin.evidence_age_s;
    let params = Genesis { evidence_age_s: age_s, ..origin.state.params.clone() };
    params.check().map_err(refused)?;
    state::put(run, &params.to_proto())
}

/// Audits the parameters in force.
pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let missing = || Broken::Contradiction("no chain parameters".into());
    let params: proto::Params = whole.get(&keys::params())?.ok_or_else(missing)?;
    let wrong = |rule| Broken::Contradiction(format!("params: {rule}"));
    Genesis::from_proto(&params).check().map_err(wrong)
}

/// Checks the parameters of a state to go on from, against what the genesis document says.
pub(crate) fn check_whole(whole: &Whole, evidence_age_s: u64) -> Result<(), Broken> {
    let missing = || Broken::Genesis("entries: no chain parameters".into());
    let params: proto::Params = whole.get(&keys::params())?.ok_or_else(missing)?;
    if params.evidence_age_s != evidence_age_s {
        let text = "entries: max_age_duration is not what it was: evidence_age_s says otherwise";
        return Err(Broken::Genesis(text.into()));
    }
    Genesis::from_proto(&params).check().map_err(refused)
}

pub(super) fn export(whole: &Whole, into: &mut AppState) -> Result<(), Broken> {
    let missing = || Broken::Contradiction("no chain parameters".into());
    let params: proto::Params = whole.get(&keys::params())?.ok_or_else(missing)?;
    into.params = Genesis::from_proto(&params);
    Ok(())
}
