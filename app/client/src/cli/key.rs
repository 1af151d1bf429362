//! `guts key list | add | revoke`.

use clap::Subcommand;
use guts_schema::sign::ProofOf;
use guts_schema::tx::AccountAction;
use guts_schema::{Action, Key, sshsig};
use serde_json::json;

use super::Context;
use super::account::{existing, list_keys, resolve};
use super::act::Actor;
use super::days;
use crate::signer::expand;
use crate::{Error, Signer};

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Every key that is or was valid for an account
    List {
        /// Handle or account id [default: yours]
        who: Option<String>,
    },
    /// Let another key act for your account
    Add {
        /// An OpenSSH ed25519 private key, or a public one whose other half ssh-agent holds
        file: String,
        /// Only for pushes to this repository, OWNER/NAME
        #[arg(long, value_name = "REPO")]
        repo: Option<String>,
        /// Only for so many days
        #[arg(long, value_name = "N")]
        days: Option<u64>,
    },
    /// Take a key from your account, for ever
    Revoke {
        /// Its fingerprint, as 'guts key list' shows it, or the file of its public half
        key: String,
    },
}

pub async fn run(context: &Context, command: Keys) -> Result<(), Error> {
    match command {
        Keys::List { who } => list(context, who.as_deref()).await,
        Keys::Add { file, repo, days } => add(context, &file, repo.as_deref(), days).await,
        Keys::Revoke { key } => revoke(context, &key).await,
    }
}

async fn list(context: &Context, who: Option<&str>) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let account = resolve(context, &state, who).await?;
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

async fn add(
    context: &Context,
    file: &str,
    repo: Option<&str>,
    days: Option<u64>,
) -> Result<(), Error> {
    let new = Signer::from_path(&expand(file)).await?;
    let mut actor = Actor::own(context).await?;
    let repo_id = match repo {
        Some(path) => Some(actor.state.repo(path).await?.id),
        None => None,
    };
    let until_s = days.map(|days| days::from_now(&actor.state, days));
    let proof = new.prove(ProofOf::Key, actor.chain.chain_id(), &actor.account).await?;
    let key = new.key();
    let change = AccountAction::AddKey { key, proof, repo: repo_id, until_s };
    let action = Action::Account { actor: actor.account, change };
    let done = actor.act("key", action).await?;
    let shown = sshsig::fingerprint(&key);
    let what = repo.map(|path| format!(" for pushes to {path} alone")).unwrap_or_default();
    let value = json!({
        "fingerprint": shown,
        "key": sshsig::key_to_text(&key),
        "repo": repo,
        "until_time_s": until_s,
    });
    done.say(context, &format!("key {shown} added{what}"), value);
    Ok(())
}

async fn revoke(context: &Context, named: &str) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let value = existing(&actor.state, &actor.account).await?;
    let from_file = std::fs::read_to_string(expand(named)).ok();
    let from_file = from_file.and_then(|text| sshsig::key_from_text(&text).ok());
    let is_it = |key: &Key| Some(*key) == from_file || sshsig::fingerprint(key) == named;
    let key = value.keys.iter().filter_map(|key| Key::from_slice(key).ok()).find(is_it);
    let key = key.ok_or_else(|| {
        Error::Missing(format!("{named} is no key of yours: 'guts key list' shows them"))
    })?;
    if key == actor.signer.key() {
        return Err(Error::Usage(
            "that is the key you sign with: add another, choose it with 'guts init --key', then \
             revoke this one"
                .into(),
        ));
    }
    let change = AccountAction::RevokeKey { key };
    let action = Action::Account { actor: actor.account, change };
    let done = actor.act("key", action).await?;
    let shown = sshsig::fingerprint(&key);
    done.say(context, &format!("key {shown} revoked"), json!({ "fingerprint": shown }));
    Ok(())
}
