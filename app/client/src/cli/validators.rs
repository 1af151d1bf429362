//! `guts validators list`.

use clap::Subcommand;
use guts_schema::{keys, proto};
use serde_json::json;

use super::Context;
use crate::Error;
use crate::state::account_id;

#[derive(Debug, Subcommand)]
pub enum Validators {
    /// Who signs blocks, with what power and for whom
    List,
}

pub async fn run(context: &Context, Validators::List: Validators) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let set: Option<proto::Validators> = state.get(&keys::validators()).await?;
    let mut validators = set.unwrap_or_default().validators;
    validators.sort_by_key(|validator| std::cmp::Reverse(validator.power));
    let total: u64 = validators.iter().map(|validator| validator.power).sum();
    let out = &context.out;
    let mut listed = Vec::new();
    for validator in &validators {
        let operator = match validator.account.is_empty() {
            true => None,
            false => Some(account_id(&validator.account)?),
        };
        let mut name = String::from("nobody");
        if let Some(account) = &operator {
            let handle = state.account(account).await?.unwrap_or_default().handle;
            name = if handle.is_empty() { account.to_string() } else { handle };
        }
        let address = hex::encode(&validator.address);
        let power = validator.power;
        out.line(&format!("{address}  power {power} ({})  of {name}", share(power, total)));
        listed.push(json!({
            "address": address,
            "consensus_key": hex::encode(&validator.consensus_key),
            "power": power,
            "account": operator.map(|account| account.to_string()),
            "operator": name,
        }));
    }
    let count = validators.len();
    out.fact(&format!(
        "proved at height {}: {count} validators, and no other, of power {total}",
        state.height()
    ));
    out.result(&json!({
        "validators": listed,
        "power": total,
        "proved_height": state.height(),
    }));
    Ok(())
}

/// Part of a whole in percent, with a digit behind the point.
fn share(part: u64, whole: u64) -> String {
    let permille = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests;
