//! `guts account show | send`, `guts key list`, and what `guts whoami` shows.

use clap::Subcommand;
use guts_schema::{AccountId, Action, Key, keys, proto, sshsig};
use serde_json::{Value, json};

use super::Context;
use crate::{Error, Signer, State};

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

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Every key that is or was valid for an account
    List {
        /// Handle or account id [default: yours]
        who: Option<String>,
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

/// `guts key`.
pub async fn run_keys(context: &Context, Keys::List { who }: Keys) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let account = resolve(context, &state, who.as_deref()).await?;
    let value = existing(&state, &account).await?;
    let listed = list_keys(context, &state, &value).await?;
    context.out.proved(&state);
    context.out.result(&json!({
        "account": account.to_string(),
        "keys": listed,
        "proved_height": state.height(),
    }));
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
async fn resolve(context: &Context, state: &State, who: Option<&str>) -> Result<AccountId, Error> {
    match who {
        Some(who) => state.who(who).await,
        None => own(context),
    }
}

async fn existing(state: &State, account: &AccountId) -> Result<proto::Account, Error> {
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
async fn list_keys(
    context: &Context,
    state: &State,
    account: &proto::Account,
) -> Result<Vec<Value>, Error> {
    let mut listed = Vec::new();
    for key in &account.keys {
        let key = Key::from_slice(key).map_err(|e| Error::Proof(e.to_string()))?;
        let record: Option<proto::KeyRecord> = state.get(&keys::key(&key)).await?;
        let record = record.unwrap_or_default();
        let until = match record.until_height {
            0 => String::new(),
            height => format!(" until height {height}"),
        };
        let (from, shown) = (record.from_height, sshsig::fingerprint(&key));
        context.out.line(&format!("key      {shown} from height {from}{until}"));
        listed.push(json!({
            "key": sshsig::key_to_text(&key),
            "fingerprint": shown,
            "from_height": from,
            "until_height": record.until_height,
        }));
    }
    Ok(listed)
}

async fn send(context: &Context, who: &str, amount: u64) -> Result<(), Error> {
    if amount == 0 {
        return Err(Error::Usage("the amount is at least 1".into()));
    }
    let (account, signer) = (own(context)?, Signer::open(&context.home).await?);
    let mut chain = context.chain().await?;
    let to = chain.state().await?.who(who).await?;
    let action = Action::Transfer { actor: account, to, amount };
    let sent = chain.send(account, &[action], &signer, &context.out.bar("transfer")).await?;
    let state = chain.state_of(sent.height).await?;
    let left = existing(&state, &account).await?.balance;
    context.out.fact(&format!("{amount} sent to {who} in block {}", sent.height));
    context.out.line(&format!("balance  {left}"));
    context.out.proved(&state);
    context.out.result(&json!({
        "from": account.to_string(),
        "to": to.to_string(),
        "amount": amount.to_string(),
        "balance": left.to_string(),
        "tx": sent.hash.to_string(),
        "proved_height": state.height(),
    }));
    Ok(())
}
