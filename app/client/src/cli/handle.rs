//! `guts handle show | transfer | release`. Claiming one is a part of `guts init`.

use clap::Subcommand;
use guts_schema::tx::AccountAction;
use guts_schema::{Action, keys, proto};
use serde_json::json;

use super::Context;
use super::account::existing;
use super::act::Actor;
use crate::signer::expand;
use crate::state::account_id;
use crate::{Error, Signer};

#[derive(Debug, Subcommand)]
pub enum Handle {
    /// Whose a handle is
    Show {
        /// The handle
        handle: String,
    },
    /// Give your handle to another account that agrees
    Transfer {
        /// A private key of that account: it signs, too
        #[arg(long, value_name = "FILE")]
        to_key: String,
    },
    /// Give your handle up; anybody may claim it then
    Release,
}

pub async fn run(context: &Context, command: Handle) -> Result<(), Error> {
    match command {
        Handle::Show { handle } => show(context, &handle).await,
        Handle::Transfer { to_key } => transfer(context, &to_key).await,
        Handle::Release => release(context).await,
    }
}

async fn show(context: &Context, handle: &str) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let record: Option<proto::HandleRecord> = state.get(&keys::handle(handle)).await?;
    let Some(record) = record else {
        return Err(Error::Missing(format!(
            "nobody has the handle {handle}: 'guts init --handle {handle}' claims it"
        )));
    };
    let account = account_id(&record.account)?;
    context.out.line(&format!("handle   {handle}"));
    context.out.line(&format!("account  {account}"));
    context.out.line(&format!("claimed  in block {}", record.claimed_height));
    context.out.proved(&state);
    context.out.result(&json!({
        "handle": handle,
        "account": account.to_string(),
        "claimed_height": record.claimed_height,
        "proved_height": state.height(),
    }));
    Ok(())
}

/// The handle of the account that acts.
async fn held(actor: &Actor<'_>) -> Result<String, Error> {
    let handle = existing(&actor.state, &actor.account).await?.handle;
    match handle.is_empty() {
        true => Err(Error::Missing("you have no handle".into())),
        false => Ok(handle),
    }
}

async fn transfer(context: &Context, to_key: &str) -> Result<(), Error> {
    let other = Signer::from_path(&expand(to_key)).await?;
    let mut actor = Actor::own(context).await?;
    let handle = held(&actor).await?;
    let to = actor.state.account_of_key(&other.key()).await?;
    let to = to.ok_or_else(|| Error::Missing(format!("the key in {to_key} has no account")))?;
    let change = AccountAction::TransferHandle { to };
    let action = Action::Account { actor: actor.account, change };
    let done = actor.act_with("handle", action, (to, &other)).await?;
    let value = json!({ "handle": handle, "account": to.to_string() });
    done.say(context, &format!("handle {handle} given to {to}"), value);
    Ok(())
}

async fn release(context: &Context) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let handle = held(&actor).await?;
    let change = AccountAction::ReleaseHandle;
    let done = actor.act("handle", Action::Account { actor: actor.account, change }).await?;
    done.say(context, &format!("handle {handle} released"), json!({ "handle": handle }));
    Ok(())
}
