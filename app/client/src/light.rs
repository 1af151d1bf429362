//! Following headers: pure, on the verifier of `tendermint-light-client-verifier`.
//!
//! A header is believed when more than two thirds of its own validators signed it and it is linked
//! to what was believed before: the next validators named there (the very next header), or more
//! than a third of their power among the signers (a later one).

use std::time::Duration;

use guts_genesis::{GenesisDoc, PublicKey};
use guts_schema::limits::LIGHT_TRUST_DEFAULT_S;
use guts_schema::{keys, proto, values};
use serde::{Deserialize, Serialize};
use tendermint::block::Header;
use tendermint::block::signed_header::SignedHeader;
use tendermint::validator::{Info, Set};
use tendermint::{Hash, Time, chain};
use tendermint_light_client_verifier::options::Options;
use tendermint_light_client_verifier::types::{
    TrustThreshold, TrustedBlockState, UntrustedBlockState,
};
use tendermint_light_client_verifier::{ProdVerifier, Verdict, Verifier};

/// What is taken for granted about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long what was believed may be the base of believing more.
    pub trust_period: Duration,
    /// How far a header's time may be ahead of the clock here.
    pub clock_drift: Duration,
}

/// The rules of this client where a chain has no stricter one: see [`Trusted::rules`].
pub const RULES: Rules = Rules {
    trust_period: Duration::from_secs(14 * 24 * 3600),
    clock_drift: Duration::from_secs(30),
};

/// What is believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trusted {
    /// The chain.
    pub chain_id: chain::Id,
    /// Height of the header; the one before the first block for the genesis.
    pub height: u64,
    /// Its time.
    pub time: Time,
    /// Who signs the next header.
    pub next_validators: Vec<Info>,
    /// The header; `None` for the genesis.
    pub header: Option<Header>,
    /// The chain's parameter of that name, as the genesis has it or as it was proved last: for so
    /// many seconds those who signed cannot have taken their stake out.
    #[serde(default = "light_trust_default")]
    pub light_trust_s: u64,
}

fn light_trust_default() -> u64 {
    LIGHT_TRUST_DEFAULT_S
}

/// A header that is to be believed, with all that it takes.
#[derive(Clone, Debug)]
pub struct Block {
    /// The header and its commit.
    pub signed_header: SignedHeader,
    /// Who had to sign it.
    pub validators: Set,
    /// Who has to sign the next.
    pub next_validators: Set,
}

/// What comes of a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Believed from now on.
    Trusted(Box<Trusted>),
    /// Too few of those believed signed it: one in between is needed.
    TooFar,
    /// What was believed is too old to be the base of believing more.
    Expired,
    /// Wrong, and why.
    Wrong(String),
}

/// How long the chain of a genesis says that its headers may be trusted, in seconds: among its
/// parameters, or where it goes on from another state, in that.
fn light_trust_of(app_state: &str) -> Option<u64> {
    let app_state: serde_json::Value = serde_json::from_str(app_state).ok()?;
    let Some(entries) = app_state["entries"].as_array() else {
        return app_state["params"]["light_trust_s"].as_u64();
    };
    let key = hex::encode(keys::params());
    let entry = entries.iter().find(|entry| entry["key"].as_str() == Some(&key))?;
    let value = hex::decode(entry["value"].as_str()?).ok()?;
    let params: proto::Params = values::decode(&value).ok()?;
    Some(params.light_trust_s)
}

impl Trusted {
    /// The validators of a genesis, as if a header before the first had named them.
    pub fn genesis(doc: &GenesisDoc) -> Result<Self, String> {
        let chain_id = doc.chain_id.as_str().parse();
        let time = Time::parse_from_rfc3339(&doc.genesis_time.to_string());
        // The first block has the time of the genesis, and time must rise.
        let time = time.ok().and_then(|time| time.checked_sub(Duration::from_nanos(1)));
        let light_trust_s = light_trust_of(&doc.app_state);
        let next_validators =
            doc.validators.iter().map(|v| info(&v.key, v.power.get())).collect::<Option<_>>();
        Ok(Self {
            chain_id: chain_id.map_err(|_| "the chain id of the genesis is malformed")?,
            height: doc.initial_height.get().saturating_sub(1),
            time: time.ok_or("the time of the genesis is out of range")?,
            next_validators: next_validators.ok_or("a validator of the genesis is no ed25519")?,
            header: None,
            light_trust_s: light_trust_s.unwrap_or(LIGHT_TRUST_DEFAULT_S),
        })
    }

    /// The rules for believing more: the chain's own trust period, unless it is longer than this
    /// client's.
    pub fn rules(&self) -> Rules {
        let own = Duration::from_secs(self.light_trust_s);
        Rules { trust_period: own.min(RULES.trust_period), ..RULES }
    }

    /// True when this is too old to be the base of believing more: who signed then may have taken
    /// their stake out since, and lose nothing by signing another history.
    pub fn is_expired(&self, rules: &Rules, now: Time) -> bool {
        self.time.checked_add(rules.trust_period).is_none_or(|end| end <= now)
    }

    /// Checks a later header.
    pub fn check(&self, block: &Block, rules: &Rules, now: Time) -> Outcome {
        if self.is_expired(rules, now) {
            return Outcome::Expired;
        }
        let next_validators = Set::without_proposer(self.next_validators.clone());
        let next_validators_hash = next_validators.hash();
        if self.header.as_ref().is_some_and(|h| h.next_validators_hash != next_validators_hash) {
            return Outcome::Wrong("the validators remembered are not those of the header".into());
        }
        let Ok(height) = self.height.try_into() else {
            return Outcome::Wrong("a height out of range".into());
        };
        let trusted = TrustedBlockState {
            chain_id: &self.chain_id,
            header_time: self.time,
            height,
            next_validators: &next_validators,
            next_validators_hash,
        };
        let untrusted = block.untrusted();
        let options = Options {
            trust_threshold: TrustThreshold::ONE_THIRD,
            trusting_period: rules.trust_period,
            clock_drift: rules.clock_drift,
        };
        match ProdVerifier::default().verify_update_header(untrusted, trusted, &options, now) {
            Verdict::Success => Outcome::Trusted(Box::new(block.trusted(self.light_trust_s))),
            Verdict::NotEnoughTrust(_) => Outcome::TooFar,
            Verdict::Invalid(why) => Outcome::Wrong(why.to_string()),
        }
    }
}

impl Block {
    /// Its height.
    pub fn height(&self) -> u64 {
        self.signed_header.header.height.value()
    }

    fn untrusted(&self) -> UntrustedBlockState<'_> {
        UntrustedBlockState {
            signed_header: &self.signed_header,
            validators: &self.validators,
            next_validators: Some(&self.next_validators),
        }
    }

    /// Checks what a header says of itself: its validators are those it names, and more than two
    /// thirds of them signed it. That they are this chain's, somebody else must say.
    pub fn check_alone(&self) -> Result<(), String> {
        let verifier = ProdVerifier::default();
        let untrusted = self.untrusted();
        for verdict in
            [verifier.verify_validator_sets(&untrusted), verifier.verify_commit(&untrusted)]
        {
            match verdict {
                Verdict::Success => {}
                Verdict::NotEnoughTrust(why) => return Err(why.to_string()),
                Verdict::Invalid(why) => return Err(why.to_string()),
            }
        }
        Ok(())
    }

    /// It as what is believed, of a chain with that parameter.
    pub fn trusted(&self, light_trust_s: u64) -> Trusted {
        let header = self.signed_header.header.clone();
        Trusted {
            chain_id: header.chain_id.clone(),
            height: header.height.value(),
            time: header.time,
            next_validators: self.next_validators.validators().clone(),
            header: Some(header),
            light_trust_s,
        }
    }
}

/// True when `earlier` is the header that `later` names as the one before it.
pub fn is_linked(earlier: &Header, later: &Header) -> bool {
    let named = later.last_block_id.map(|id| id.hash);
    earlier.chain_id == later.chain_id
        && earlier.time < later.time
        && earlier.height.increment() == later.height
        && named == Some(earlier.hash())
        && named != Some(Hash::None)
}

fn info(key: &PublicKey, power: u64) -> Option<Info> {
    let key = tendermint::PublicKey::from_raw_ed25519(key.as_bytes())?;
    Some(Info::new(key, power.try_into().ok()?))
}

#[cfg(test)]
mod tests;
