//! `guts gov propose | deposit | vote | list | show`: what the network decides.

mod read;

use clap::{Subcommand, ValueEnum};
use guts_schema::proto::propose::Content;
use guts_schema::tx::GovernanceAction;
use guts_schema::{Action, keys, proto};
use serde_json::{Map, Value, json};

use super::act::Actor;
use super::{Context, text};
use crate::Error;

#[derive(Debug, Subcommand)]
pub enum Gov {
    /// Propose something
    #[command(subcommand)]
    Propose(Propose),
    /// Lay something down for a proposal: with enough of it, its vote opens
    Deposit {
        /// Number of the proposal
        proposal: u64,
        /// Smallest units; they come back unless the proposal is vetoed
        amount: u64,
    },
    /// Vote with your stake, or vote otherwise
    Vote {
        /// Number of the proposal
        proposal: u64,
        /// How
        #[arg(value_enum)]
        option: Choice,
    },
    /// Proposals that are not decided or not carried out yet
    List {
        /// The others, too
        #[arg(long)]
        all: bool,
    },
    /// One proposal and how it stands; while it is voted on, what the votes come to so far
    Show {
        /// Its number
        proposal: u64,
        /// Who voted how, too
        #[arg(long)]
        votes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Propose {
    /// A text that is agreed to, and nothing else
    Text(About),
    /// Other parameters of the chain, once the time lock is over
    Params {
        #[command(flatten)]
        about: About,
        #[command(flatten)]
        changes: Changes,
    },
    /// Other parameters at once: voted on for a shorter time, and by more of the stake
    Emergency {
        #[command(flatten)]
        about: About,
        #[command(flatten)]
        changes: Changes,
    },
    /// Other rules from a height on: a guts-app that does not know them stops there
    Upgrade {
        #[command(flatten)]
        about: About,
        /// From which height on
        #[arg(long)]
        height: u64,
        /// Their version
        #[arg(long, value_name = "VERSION")]
        rules: u64,
    },
    /// A payment out of the treasury
    Spend {
        #[command(flatten)]
        about: About,
        /// Handle or account id
        #[arg(long, value_name = "WHO")]
        to: String,
        /// Smallest units
        #[arg(long)]
        amount: u64,
    },
}

#[derive(Debug, clap::Args)]
pub struct About {
    /// One line
    title: String,
    /// Why, - to read it from stdin [default: what you write in your editor]
    #[arg(long)]
    text: Option<String>,
    /// Smallest units to lay down [default: as many as open the vote]
    #[arg(long, value_name = "AMOUNT")]
    deposit: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub struct Changes {
    /// A parameter as genesis has it, such as epoch_s=7200; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting, required = true)]
    set: Vec<(String, Value)>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Choice {
    Yes,
    No,
    /// No, and it should never have been asked: what was laid down for it is burnt
    Veto,
    /// Counted as having voted, for neither
    Abstain,
}

impl From<Choice> for proto::VoteOption {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Yes => Self::Yes,
            Choice::No => Self::No,
            Choice::Veto => Self::Veto,
            Choice::Abstain => Self::Abstain,
        }
    }
}

/// `NAME=VALUE`, the value in JSON.
fn setting(text: &str) -> Result<(String, Value), String> {
    let wrong = || format!("{text} is no NAME=VALUE with a value in JSON, such as epoch_s=7200");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value = serde_json::from_str(value).map_err(|_| wrong())?;
    if name.is_empty() { Err(wrong()) } else { Ok((name.to_owned(), value)) }
}

impl Changes {
    /// The JSON object that a proposal carries.
    fn object(self) -> Result<String, Error> {
        let mut object = Map::new();
        for (name, value) in self.set {
            if object.contains_key(&name) {
                return Err(Error::Usage(format!("parameter {name} is set twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object).to_string())
    }
}

pub async fn run(context: &Context, command: Gov) -> Result<(), Error> {
    match command {
        Gov::Propose(what) => propose(context, what).await,
        Gov::Deposit { proposal, amount } => {
            let fact = format!("{amount} laid down for proposal {proposal}");
            let change = GovernanceAction::Deposit { proposal, amount };
            let value = json!({ "proposal": proposal, "amount": amount.to_string() });
            act(context, proposal, &fact, change, value).await
        }
        Gov::Vote { proposal, option } => {
            let option = option.into();
            let name = read::option_name(option);
            let fact = format!("voted {name} on proposal {proposal}");
            let change = GovernanceAction::Vote { proposal, option };
            act(context, proposal, &fact, change, json!({ "proposal": proposal, "option": name }))
                .await
        }
        Gov::List { all } => read::list(context, all).await,
        Gov::Show { proposal, votes } => read::show(context, proposal, votes).await,
    }
}

/// Does something about a proposal, and says how that stands then.
async fn act(
    context: &Context,
    number: u64,
    fact: &str,
    change: GovernanceAction,
    mut value: Value,
) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let action = Action::Governance { actor: actor.account, change };
    let done = actor.act("proposal", action).await?;
    let proposal = read::existing(&done.state, number).await?;
    context.out.line(&format!("proposal {number} {}", read::standing(&proposal)));
    value["status"] = json!(read::status_name(proposal.status()));
    done.say(context, fact, value);
    Ok(())
}

async fn propose(context: &Context, what: Propose) -> Result<(), Error> {
    let (about, content, to) = match what {
        Propose::Text(about) => (about, None, None),
        Propose::Params { about, changes } => {
            (about, Some(Content::Params(changes.object()?)), None)
        }
        Propose::Emergency { about, changes } => {
            (about, Some(Content::Emergency(changes.object()?)), None)
        }
        Propose::Upgrade { about, height, rules } => {
            let upgrade = proto::Upgrade { height, version: rules };
            (about, Some(Content::Upgrade(upgrade)), None)
        }
        Propose::Spend { about, to, amount } => {
            let spend = proto::Spend { amount, ..Default::default() };
            (about, Some(Content::Spend(spend)), Some(to))
        }
    };
    let mut actor = Actor::own(context).await?;
    let content = match (content, to) {
        (Some(Content::Spend(spend)), Some(to)) => {
            let to = actor.state.who(&to).await?.to_vec();
            Some(Content::Spend(proto::Spend { to, ..spend }))
        }
        (content, _) => content,
    };
    let About { title, text, deposit } = about;
    let text = text::given_or_written(context, text, "")?;
    let deposit = match deposit {
        Some(deposit) => deposit,
        None => {
            let params: Option<proto::Params> = actor.state.get(&keys::params()).await?;
            params.unwrap_or_default().gov_deposit_min.max(1)
        }
    };
    let what = proto::Propose { title: title.clone(), text, deposit, content };
    let change = GovernanceAction::Propose(what);
    let action = Action::Governance { actor: actor.account, change };
    let done = actor.act("proposal", action).await?;
    let (number, proposal) = read::newest(&done.state, &actor.account, &title).await?;
    context.out.line(&format!("proposal {number} {}", read::standing(&proposal)));
    let value = json!({
        "proposal": number,
        "title": title,
        "deposit": deposit.to_string(),
        "status": read::status_name(proposal.status()),
    });
    done.say(context, &format!("proposal {number} made"), value);
    Ok(())
}

#[cfg(test)]
mod tests;
