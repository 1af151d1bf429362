//! `guts recovery show | guardians | approve | cancel | finish`: a lost key is replaced by what
//! guardians agree on, after a time in which the owner can object.

use clap::Subcommand;
use guts_schema::sign::ProofOf;
use guts_schema::tx::AccountAction;
use guts_schema::{Action, Key, keys, proto, sshsig};
use serde_json::json;

use super::Context;
use super::account::resolve;
use super::act::Actor;
use super::days::{self, DAY_S};
use super::out::{counted, time};
use crate::signer::expand;
use crate::state::account_id;
use crate::{Error, Signer};

#[derive(Debug, Subcommand)]
pub enum Recovery {
    /// Who guards an account, and what they agreed on so far
    Show {
        /// Handle or account id [default: yours]
        who: Option<String>,
    },
    /// Choose who may recover your account; nobody, to have none
    Guardians {
        /// Handles or account ids
        who: Vec<String>,
        /// How many of them must agree [default: all]
        #[arg(long, value_name = "N")]
        threshold: Option<u32>,
        /// Days from their agreement to the new key
        #[arg(long, value_name = "N", default_value_t = 7)]
        days: u64,
    },
    /// As a guardian, agree to a new key of an account
    Approve {
        /// Handle or account id that is guarded
        who: String,
        /// The new key: a private key file, or a public one whose other half ssh-agent holds
        file: String,
    },
    /// Stop the recovery of your account
    Cancel,
    /// Let the new key take over when the time is up; anybody may
    Finish {
        /// Handle or account id
        who: String,
    },
}

pub async fn run(context: &Context, command: Recovery) -> Result<(), Error> {
    match command {
        Recovery::Show { who } => show(context, who.as_deref()).await,
        Recovery::Guardians { who, threshold, days } => {
            guardians(context, &who, threshold, days).await
        }
        Recovery::Approve { who, file } => approve(context, &who, &file).await,
        Recovery::Cancel => {
            let mut actor = Actor::own(context).await?;
            let action = change(&actor, AccountAction::CancelRecovery);
            let done = actor.act("recovery", action).await?;
            done.say(context, "recovery stopped", json!({}));
            Ok(())
        }
        Recovery::Finish { who } => finish(context, &who).await,
    }
}

fn change(actor: &Actor<'_>, change: AccountAction) -> Action {
    Action::Account { actor: actor.account, change }
}

async fn show(context: &Context, who: Option<&str>) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let account = resolve(context, &state, who).await?;
    let guarded: Option<proto::Guardians> = state.get(&keys::guardians(&account)).await?;
    let recovery: Option<proto::Recovery> = state.get(&keys::recovery(&account)).await?;
    let (guarded, recovery) = (guarded.unwrap_or_default(), recovery.unwrap_or_default());
    let out = &context.out;
    let mut names = Vec::new();
    for guardian in &guarded.accounts {
        names.push(state.name_of(&account_id(guardian)?).await?);
    }
    match names.len() {
        0 => out.line("guardians  none: a lost key cannot be replaced"),
        count => out.line(&format!(
            "guardians  {} of {count}: {}, {} after they agree",
            guarded.threshold,
            names.join(", "),
            counted(guarded.delay_s / DAY_S, "day")
        )),
    }
    let mut approvals = Vec::new();
    for approval in &recovery.approvals {
        let guardian = state.name_of(&account_id(&approval.guardian)?).await?;
        let key = fingerprint(&approval.key);
        out.line(&format!("approved   {key} by {guardian}"));
        approvals.push(json!({ "guardian": guardian, "key": key }));
    }
    let key = (!recovery.key.is_empty()).then(|| fingerprint(&recovery.key));
    if let Some(key) = &key {
        out.line(&format!("agreed     {key} from {} on", time(recovery.due_s)));
    }
    out.proved(&state);
    out.result(&json!({
        "account": account.to_string(),
        "guardians": names,
        "threshold": guarded.threshold,
        "delay_s": guarded.delay_s,
        "approvals": approvals,
        "key": key,
        "due_s": recovery.due_s,
        "proved_height": state.height(),
    }));
    Ok(())
}

fn fingerprint(key: &[u8]) -> String {
    Key::from_slice(key).map_or_else(|_| hex::encode(key), |key| sshsig::fingerprint(&key))
}

async fn guardians(
    context: &Context,
    who: &[String],
    threshold: Option<u32>,
    days: u64,
) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let mut guardians = Vec::new();
    for name in who {
        guardians.push(actor.state.who(name).await?);
    }
    guardians.sort_unstable();
    guardians.dedup();
    let all = u32::try_from(guardians.len()).unwrap_or(u32::MAX);
    let threshold = threshold.unwrap_or(all);
    let delay_s = if guardians.is_empty() { 0 } else { days::seconds(days) };
    let what = match guardians.len() {
        0 => "no guardians any more".to_owned(),
        count => format!("{threshold} of {count} guardians can recover this account"),
    };
    let action = change(&actor, AccountAction::SetGuardians { guardians, threshold, delay_s });
    let done = actor.act("guardians", action).await?;
    done.say(context, &what, json!({ "guardians": who, "threshold": threshold }));
    Ok(())
}

async fn approve(context: &Context, who: &str, file: &str) -> Result<(), Error> {
    let new = Signer::from_path(&expand(file)).await?;
    let mut actor = Actor::own(context).await?;
    let account = actor.state.who(who).await?;
    let proof = new.prove(ProofOf::Key, actor.chain.chain_id(), &account).await?;
    let key = new.key();
    let action = change(&actor, AccountAction::ApproveRecovery { account, key, proof });
    let done = actor.act("recovery", action).await?;
    let shown = sshsig::fingerprint(&key);
    let value = json!({ "account": account.to_string(), "fingerprint": shown });
    done.say(context, &format!("agreed to key {shown} for {who}"), value);
    Ok(())
}

async fn finish(context: &Context, who: &str) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let account = actor.state.who(who).await?;
    let action = change(&actor, AccountAction::FinishRecovery { account });
    let done = actor.act("recovery", action).await?;
    done.say(context, &format!("{who} has its new key"), json!({ "account": account.to_string() }));
    Ok(())
}
