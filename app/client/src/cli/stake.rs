//! `guts stake show | delegate | unbond | redelegate | claim | bond | edit | unjail`.

mod show;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use guts_genesis::{PublicKey, key_file};
use guts_schema::ids::ValidatorAddress;
use guts_schema::sign::{ProofOf, SecretKey, proof_message};
use guts_schema::tx::{KeyProof, StakingAction, ValidatorEdit};
use guts_schema::{Action, Key, names, proto};
use serde_json::json;

use super::Context;
use super::act::Actor;
use super::validators::find;
use crate::Error;

#[derive(Debug, Subcommand)]
pub enum Stake {
    /// What an account has given to validators
    Show {
        /// Handle or account id [default: yours]
        who: Option<String>,
    },
    /// Give stake to a validator
    Delegate {
        /// Name or address, as 'guts validators list' shows them
        validator: String,
        /// Smallest units
        amount: u64,
    },
    /// Take stake back; it is locked for a while and answers for the validator until then
    Unbond {
        /// Name or address of the validator
        validator: String,
        /// Smallest units
        amount: u64,
    },
    /// Move stake to another validator at once
    Redelegate {
        /// Name or address of the validator it leaves
        from: String,
        /// Name or address of the validator it goes to
        to: String,
        /// Smallest units
        amount: u64,
    },
    /// Have your rewards from a validator paid out
    Claim {
        /// Name or address of the validator
        validator: String,
    },
    /// Become a validator
    Bond(Bond),
    /// Change what is said of your validator
    Edit {
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Share of rewards that you keep, in percent, such as 7.5
        #[arg(long, value_name = "PERCENT", value_parser = millionths)]
        commission: Option<u32>,
        /// Home of the engine, when it has a new node key
        #[arg(long, value_name = "DIR")]
        engine_home: Option<PathBuf>,
        /// URL at which others reach its git gateway; "" when it has none any more
        #[arg(long, value_name = "URL", value_parser = gateway_or_none)]
        gateway: Option<String>,
    },
    /// Bring your validator back when its time in jail is over
    Unjail,
}

#[derive(Debug, clap::Args)]
pub struct Bond {
    /// Smallest units of stake
    amount: u64,
    /// What people call it
    #[arg(long)]
    name: String,
    /// Share of rewards that you keep, in percent, such as 7.5
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = millionths)]
    commission: u32,
    /// Home of the guts-engine that signs blocks: its keys are in config/
    #[arg(long, value_name = "DIR", default_value = ".guts-engine")]
    engine_home: PathBuf,
    /// URL at which others reach its git gateway, to fetch what was pushed there
    #[arg(long, value_name = "URL", value_parser = gateway)]
    gateway: Option<String>,
}

pub async fn run(context: &Context, command: Stake) -> Result<(), Error> {
    match command {
        Stake::Show { who } => show::show(context, who.as_deref()).await,
        Stake::Delegate { validator, amount } => {
            let what = format!("{amount} delegated to {validator}");
            on(context, &validator, &what, |validator| StakingAction::Delegate {
                validator,
                amount,
            })
            .await
        }
        Stake::Unbond { validator, amount } => {
            let what = format!("{amount} on its way back from {validator}");
            on(context, &validator, &what, |validator| StakingAction::Unbond { validator, amount })
                .await
        }
        Stake::Claim { validator } => {
            let what = format!("rewards from {validator} paid out");
            on(context, &validator, &what, |validator| StakingAction::ClaimRewards { validator })
                .await
        }
        Stake::Redelegate { from, to, amount } => redelegate(context, &from, &to, amount).await,
        Stake::Bond(args) => bond(context, args).await,
        Stake::Edit { name, commission, engine_home, gateway } => {
            let peer_id = engine_home.as_deref().map(peer_id).transpose()?;
            if [&name, &gateway].iter().all(|it| it.is_none())
                && commission.is_none()
                && peer_id.is_none()
            {
                let what =
                    "nothing to change: give --name, --commission, --gateway or --engine-home";
                return Err(Error::Usage(what.into()));
            }
            let edit = StakingAction::EditValidator(ValidatorEdit {
                peer_id,
                name,
                commission_ppm: commission,
                gateway,
            });
            act(context, "validator edited", edit).await
        }
        Stake::Unjail => act(context, "validator out of jail", StakingAction::Unjail).await,
    }
}

/// Percent with up to four digits behind the point, as millionths.
fn millionths(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text} is no percentage from 0 to 100, such as 7.5");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 4 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let part: u32 = format!("{part:0<4}").parse().map_err(|_| wrong())?;
    let ppm = whole.checked_mul(10_000).and_then(|ppm| ppm.checked_add(part));
    ppm.filter(|ppm| *ppm <= 1_000_000).ok_or_else(wrong)
}

fn gateway(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    names::check_gateway_url(url).map_err(|error| error.to_string())?;
    Ok(url.to_owned())
}

fn gateway_or_none(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { gateway(text) }
}

/// Does something with one validator.
async fn on(
    context: &Context,
    validator: &str,
    what: &str,
    change: impl FnOnce(ValidatorAddress) -> StakingAction,
) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let address = find(&actor.state, Some(&actor.account), validator).await?;
    let action = Action::Staking { actor: actor.account, change: change(address) };
    let done = actor.act("stake", action).await?;
    done.say(context, what, json!({ "validator": address.to_string() }));
    Ok(())
}

async fn act(context: &Context, what: &str, change: StakingAction) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let action = Action::Staking { actor: actor.account, change };
    let done = actor.act("stake", action).await?;
    done.say(context, what, json!({}));
    Ok(())
}

async fn redelegate(context: &Context, from: &str, to: &str, amount: u64) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let left = find(&actor.state, Some(&actor.account), from).await?;
    let joined = find(&actor.state, Some(&actor.account), to).await?;
    let change = StakingAction::Redelegate { from: left, to: joined, amount };
    let done = actor.act("stake", Action::Staking { actor: actor.account, change }).await?;
    let value = json!({ "from": left.to_string(), "to": joined.to_string() });
    done.say(context, &format!("{amount} moved from {from} to {to}"), value);
    Ok(())
}

async fn bond(context: &Context, args: Bond) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let secret = consensus_key(&args.engine_home)?;
    let form = proto::SignatureForm::Plain;
    let message = proof_message(ProofOf::Bond, actor.chain.chain_id(), &actor.account, form);
    let consensus_key = secret.public();
    let change = StakingAction::Bond {
        consensus_key,
        proof: KeyProof { signature: secret.sign(&message), form },
        peer_id: peer_id(&args.engine_home)?,
        name: args.name.clone(),
        commission_ppm: args.commission,
        gateway: args.gateway.unwrap_or_default(),
        amount: args.amount,
    };
    let done = actor.act("stake", Action::Staking { actor: actor.account, change }).await?;
    let address = ValidatorAddress::of_key(&consensus_key);
    let what = format!("validator {} bonded as {address} with {}", args.name, args.amount);
    done.say(context, &what, json!({ "validator": address.to_string(), "name": args.name }));
    context.out.line("It joins the set when the epoch ends, if its stake is among the largest.");
    Ok(())
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
}

fn consensus_key(engine_home: &Path) -> Result<SecretKey, Error> {
    let path = engine_home.join("config/priv_validator_key.json");
    let wrong = |why: String| Error::Usage(format!("{}: {why}", path.display()));
    let key = key_file::parse_validator_key(&read(&path)?).map_err(|e| wrong(e.to_string()))?;
    let secret = SecretKey::from_seed(key.seed());
    match key.public_key().as_bytes() == secret.public().as_bytes() {
        true => Ok(secret),
        false => Err(wrong("validators here have ed25519 keys".into())),
    }
}

/// The libp2p peer id of an engine: the identity multihash of its public key's protobuf.
fn peer_id(engine_home: &Path) -> Result<Vec<u8>, Error> {
    const ED25519: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    let path = engine_home.join("config/node_key.json");
    let wrong = |why: String| Error::Usage(format!("{}: {why}", path.display()));
    let key = key_file::parse_node_key(&read(&path)?).map_err(|e| wrong(e.to_string()))?;
    let public: PublicKey = key.public_key();
    let public = Key::from_slice(public.as_bytes());
    let public = public.map_err(|_| wrong("node keys are ed25519 keys".into()))?;
    Ok([&ED25519[..], public.as_bytes()].concat())
}

#[cfg(test)]
mod tests;
