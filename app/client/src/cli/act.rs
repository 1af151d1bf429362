//! What every command that changes something does: sign, send, wait for the proof of what came of
//! it, say so.

use guts_schema::{AccountId, Action};
use serde_json::{Value, json};

use super::Context;
use super::account::own;
use crate::send::Sent;
use crate::{Chain, Error, Signer, State};

/// An account about to act.
pub struct Actor<'a> {
    context: &'a Context,
    /// Whose.
    pub account: AccountId,
    /// Its key.
    pub signer: Signer,
    /// The chain, as far as it is known.
    pub chain: Chain,
    /// The newest state before the act.
    pub state: State,
}

impl<'a> Actor<'a> {
    /// The account of the configuration.
    pub async fn own(context: &'a Context) -> Result<Self, Error> {
        let (account, signer) = (own(context)?, Signer::open(&context.home).await?);
        let mut chain = context.chain().await?;
        let state = chain.state().await?;
        Ok(Self { context, account, signer, chain, state })
    }

    /// Does it, and waits until that is proved.
    pub async fn act(&mut self, what: &'static str, action: Action) -> Result<Sent, Error> {
        let bar = self.context.out.bar(what);
        let sent = self.chain.send(self.account, &[action], &self.signer, &bar).await?;
        drop(bar);
        Ok(sent)
    }

    /// As [`Actor::act`], with another account that signs, too.
    pub async fn act_with(
        &mut self,
        what: &'static str,
        action: Action,
        other: (AccountId, &Signer),
    ) -> Result<Sent, Error> {
        let bar = self.context.out.bar(what);
        let signers = [(self.account, &self.signer), other];
        let sent = self.chain.send_signed(&[action], &signers, &bar).await?;
        drop(bar);
        Ok(sent)
    }
}

impl Sent {
    /// Says that it is done, and where that is proved: in its block, with success as the outcome.
    /// `value` is the result for programs.
    pub(super) fn say(&self, context: &Context, fact: &str, mut value: Value) {
        context.out.fact(&format!("{fact} in block {}", self.height));
        context.out.proved(&self.state);
        value["tx"] = json!(self.hash.to_string());
        value["proved_height"] = json!(self.state.height());
        context.out.result(&value);
    }
}
