//! `guts init`, `guts whoami`.

use guts_schema::{AccountId, Action, names, sshsig};

use super::Context;
use super::account::{own, show};
use crate::{Chain, Error, Signer, State};

#[derive(Debug, clap::Args)]
pub struct Init {
    /// The name people know you by; repositories are HANDLE/NAME
    #[arg(long, value_name = "H")]
    handle: Option<String>,
    /// An OpenSSH ed25519 private key, or "agent" for the first one that ssh-agent holds
    /// [default: a new key in GUTS_HOME]
    #[arg(long, value_name = "FILE|agent")]
    key: Option<String>,
}

/// Makes what there is not yet: running it again goes on where it stopped.
pub async fn init(context: &mut Context, args: Init) -> Result<(), Error> {
    if let Some(handle) = &args.handle {
        names::check_handle(handle).map_err(|error| Error::Usage(error.to_string()))?;
    }
    let signer = match (&args.key, &context.home.config.key) {
        (None, Some(_)) => Signer::open(&context.home).await?,
        (flag, _) => Signer::choose(&context.home, flag.as_deref()).await?,
    };
    context.out.fact(&format!("key {}", sshsig::fingerprint(&signer.key())));
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let account = make_account(context, &mut chain, &state, &signer, args.handle.as_deref());
    let (account, state) = account.await?;
    let config = &mut context.home.config;
    config.account = Some(account.to_string());
    config.key = Some(signer.place());
    config.node = Some(context.node.clone());
    config.gateway = Some(context.gateway.clone());
    context.home.save()?;
    context.out.fact(&format!("configuration in {}", context.home.path("config.toml").display()));
    show(context, &state, &account).await
}

/// The account of the key, made if need be, with that handle, claimed if need be.
async fn make_account(
    context: &Context,
    chain: &mut Chain,
    state: &State,
    signer: &Signer,
    handle: Option<&str>,
) -> Result<(AccountId, State), Error> {
    let key = signer.key();
    let known = state.account_of_key(&key).await?;
    let account = known.unwrap_or_else(|| AccountId::of_key(&key));
    let value = state.account(&account).await?.unwrap_or_default();
    let claim = match (handle, value.handle.as_str()) {
        (Some(wanted), "") => {
            check_free(state, wanted).await?;
            Some(wanted)
        }
        (Some(wanted), held) if wanted != held => {
            return Err(Error::Usage(format!("account {account} has the handle {held} already")));
        }
        _ => None,
    };
    let mut actions = Vec::new();
    if known.is_none() {
        actions.push(Action::CreateAccount { actor: account, key });
    }
    let salt: [u8; 32] = rand::random();
    if let Some(handle) = claim {
        let commitment = names::handle_commitment(chain.chain_id(), &account, handle, &salt);
        actions.push(Action::CommitHandle { actor: account, commitment });
    }
    if actions.is_empty() {
        return Ok((account, state.clone()));
    }
    let what = if known.is_none() { "account" } else { "handle" };
    let sent = chain.send(account, &actions, signer, &context.out.bar(what)).await?;
    if known.is_none() {
        context.out.fact(&format!("account {account} made in block {}", sent.height));
    }
    let Some(handle) = claim else { return Ok((account, sent.state)) };
    // The commitment counts from the next block on, so that nobody who saw it can be first.
    let claim = Action::ClaimHandle { actor: account, handle: handle.to_owned(), salt };
    let sent = chain.send(account, &[claim], signer, &context.out.bar("handle")).await?;
    context.out.fact(&format!("handle {handle} claimed in block {}", sent.height));
    Ok((account, sent.state))
}

async fn check_free(state: &State, handle: &str) -> Result<(), Error> {
    match state.account_of_handle(handle).await? {
        None => Ok(()),
        Some(_) => Err(Error::Missing(format!("the handle {handle} is taken: choose another"))),
    }
}

/// Says who the configuration says we are.
pub async fn whoami(context: &Context) -> Result<(), Error> {
    let account = own(context)?;
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    show(context, &state, &account).await
}
