//! `guts account show | send`, `guts faucet draw`, and what `guts whoami` shows.

use clap::Subcommand;
use guts_schema::{AccountId, Action, Key, keys, proto, sshsig};
use serde_json::{Value, json};

use super::Context;
use super::act::Actor;
use super::out::time;
use crate::{Error, State};

#[derive(Debug, Subcommand)]
pub enum Faucet {
    /// Take what it gives to an account in an epoch, for proof of work
    Draw,
}

#[derive(Debug, Subcommand)]
pub enum Account {
    /// An account: its handle, balance, keys and repositories
    Show {
        /// Handle or account id [default: yours]
        who: Option<String>,
    },
    /// Send part of your balance to another account
    Send {
        /// Handle or account id
        who: String,
        /// Smallest units
        amount: u64,
    },
}

pub async fn run(context: &Context, command: Account) -> Result<(), Error> {
    match command {
        Account::Show { who } => {
            let mut chain = context.chain().await?;
            let state = chain.state().await?;
            let account = resolve(context, &state, who.as_deref()).await?;
            show(context, &state, &account).await
        }
        Account::Send { who, amount } => send(context, &who, amount).await,
    }
}

/// `guts faucet`.
pub async fn draw(context: &Context, Faucet::Draw: Faucet) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let before = existing(&actor.state, &actor.account).await?.balance;
    let action = Action::DrawFaucet { actor: actor.account };
    let done = actor.act("faucet", action).await?;
    let balance = existing(&done.state, &actor.account).await?.balance;
    context.out.line(&format!("balance  {balance}, before {before}"));
    let value = json!({ "balance": balance.to_string(), "before": before.to_string() });
    done.say(context, "drawn from the faucet", value);
    Ok(())
}

/// The account of the configuration.
pub fn own(context: &Context) -> Result<AccountId, Error> {
    let text = context.home.config.account.as_deref();
    let text = text.ok_or_else(|| Error::Missing("no account yet: run 'guts init'".into()))?;
    text.parse().map_err(|error| Error::Home {
        path: context.home.path("config.toml").display().to_string(),
        why: format!("account: {error}"),
    })
}

/// The account that was named, or one's own.
pub async fn resolve(
    context: &Context,
    state: &State,
    who: Option<&str>,
) -> Result<AccountId, Error> {
    match who {
        Some(who) => state.who(who).await,
        None => own(context),
    }
}

/// An account that is on the chain.
pub async fn existing(state: &State, account: &AccountId) -> Result<proto::Account, Error> {
    let missing = || {
        Error::Missing(format!("account {account} is not on this chain: run 'guts init' for it"))
    };
    state.account(account).await?.ok_or_else(missing)
}

/// Shows an account, and gives it as the command's result.
pub async fn show(context: &Context, state: &State, account: &AccountId) -> Result<(), Error> {
    let out = &context.out;
    let value = existing(state, account).await?;
    let handle = if value.handle.is_empty() { "none yet" } else { &value.handle };
    out.line(&format!("account  {account}"));
    out.line(&format!("handle   {handle}"));
    out.line(&format!("balance  {}", value.balance));
    out.line(&format!("repos    {}", value.repos));
    let listed = list_keys(context, state, &value).await?;
    out.proved(state);
    out.result(&json!({
        "account": account.to_string(),
        "handle": value.handle,
        "balance": value.balance.to_string(),
        "repos": value.repos,
        "nonce": value.nonce,
        "keys": listed,
        "proved_height": state.height(),
    }));
    Ok(())
}

/// A line for each key of an account.
pub async fn list_keys(
    context: &Context,
    state: &State,
    account: &proto::Account,
) -> Result<Vec<Value>, Error> {
    let mut listed = Vec::new();
    for key in &account.keys {
        let key = Key::from_slice(key).map_err(|e| Error::Proof(e.to_string()))?;
        let record: Option<proto::KeyRecord> = state.get(&keys::key(&key)).await?;
        let record = record.unwrap_or_default();
        let mut until = match record.until_height {
            0 => String::new(),
            height => format!(" until height {height}"),
        };
        if record.repo != 0 {
            until += &format!(", for pushes to repository {} alone", record.repo);
        }
        if record.until_time_s != 0 {
            until += &format!(", until {}", time(record.until_time_s));
        }
        let (from, shown) = (record.from_height, sshsig::fingerprint(&key));
        context.out.line(&format!("key      {shown} from height {from}{until}"));
        listed.push(json!({
            "key": sshsig::key_to_text(&key),
            "fingerprint": shown,
            "from_height": from,
            "until_height": record.until_height,
            "repo": record.repo,
            "until_time_s": record.until_time_s,
        }));
    }
    Ok(listed)
}

async fn send(context: &Context, who: &str, amount: u64) -> Result<(), Error> {
    if amount == 0 {
        return Err(Error::Usage("the amount is at least 1".into()));
    }
    let mut actor = Actor::own(context).await?;
    let to = actor.state.who(who).await?;
    let action = Action::Transfer { actor: actor.account, to, amount };
    let done = actor.act("transfer", action).await?;
    let left = existing(&done.state, &actor.account).await?.balance;
    context.out.line(&format!("balance  {left}"));
    let value = json!({
        "from": actor.account.to_string(),
        "to": to.to_string(),
        "amount": amount.to_string(),
        "balance": left.to_string(),
    });
    done.say(context, &format!("{amount} sent to {who}"), value);
    Ok(())
}
