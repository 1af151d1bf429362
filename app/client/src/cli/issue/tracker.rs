//! `guts label` and `guts milestone`: what the issues of a repository share.

use clap::Subcommand;
use guts_schema::tx::IssueAction;
use guts_schema::{keys, proto};
use serde_json::json;

use super::super::Context;
use super::At;
use crate::{Error, State};

#[derive(Debug, Subcommand)]
pub enum Label {
    /// Labels of a repository
    List {
        /// OWNER/NAME
        repo: String,
    },
    /// Make a label, or change it
    Put {
        /// OWNER/NAME
        repo: String,
        /// Its name
        name: String,
        /// RRGGBB, in hexadecimal
        #[arg(long, value_parser = color, default_value = "808080")]
        color: u32,
        /// One line about it
        #[arg(long, default_value = "")]
        description: String,
    },
    /// End a label; issues that have it keep its name
    Drop {
        /// OWNER/NAME
        repo: String,
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Milestone {
    /// Milestones of a repository
    List {
        /// OWNER/NAME
        repo: String,
    },
    /// Make a milestone, or change one
    Put {
        /// OWNER/NAME
        repo: String,
        /// One line
        title: String,
        /// Which to change [default: a new one]
        #[arg(long, value_name = "N", default_value_t = 0)]
        number: u64,
        /// In how many days it is due [default: no date]
        #[arg(long, value_name = "DAYS")]
        days: Option<u64>,
        /// It is over
        #[arg(long)]
        closed: bool,
    },
}

fn color(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text} is no color: six hexadecimal digits");
    if text.len() != 6 {
        return Err(wrong());
    }
    u32::from_str_radix(text, 16).map_err(|_| wrong())
}

/// `guts label`.
pub async fn run_label(context: &Context, command: Label) -> Result<(), Error> {
    match command {
        Label::List { repo } => {
            let (state, tracker) = tracker(context, &repo).await?;
            let mut listed = Vec::new();
            for label in &tracker.labels {
                let proto::Label { name, color, description } = label;
                let line = format!("{name}  {color:06x}  {description}");
                context.out.line(line.trim_end());
                let color = format!("{color:06x}");
                listed.push(json!({ "name": name, "color": color, "description": description }));
            }
            context.out.proved(&state);
            let height = state.height();
            context.out.result(&json!({ "labels": listed, "proved_height": height }));
            Ok(())
        }
        Label::Put { repo, name, color, description } => {
            let fact = format!("label {name} put");
            let change = IssueAction::PutLabel { name, color, description };
            At::open(context, repo).await?.issue(&fact, change).await
        }
        Label::Drop { repo, name } => {
            let fact = format!("label {name} dropped");
            At::open(context, repo).await?.issue(&fact, IssueAction::DropLabel { name }).await
        }
    }
}

/// `guts milestone`.
pub async fn run_milestone(context: &Context, command: Milestone) -> Result<(), Error> {
    match command {
        Milestone::List { repo } => {
            let (state, tracker) = tracker(context, &repo).await?;
            let mut listed = Vec::new();
            for (number, milestone) in (1_u64..).zip(&tracker.milestones) {
                let proto::Milestone { title, due_s, closed } = milestone;
                let over = if *closed { " (closed)" } else { "" };
                context.out.line(&format!("{number}  {title}{over}"));
                listed.push(
                    json!({ "number": number, "title": title, "due_s": due_s, "closed": closed }),
                );
            }
            context.out.proved(&state);
            let height = state.height();
            context.out.result(&json!({ "milestones": listed, "proved_height": height }));
            Ok(())
        }
        Milestone::Put { repo, title, number, days, closed } => {
            let mut at = At::open(context, repo).await?;
            let now = u64::try_from(at.actor.state.time().unix_timestamp()).unwrap_or(0);
            let due = |days: u64| now.saturating_add(days.saturating_mul(24 * 3600));
            let (fact, due_s) = (format!("milestone {title} put"), days.map_or(0, due));
            let milestone = number;
            at.issue(&fact, IssueAction::PutMilestone { milestone, title, due_s, closed }).await
        }
    }
}

async fn tracker(context: &Context, path: &str) -> Result<(State, proto::Tracker), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(path).await?;
    let tracker: Option<proto::Tracker> = state.get(&keys::tracker(repo.id)).await?;
    Ok((state, tracker.unwrap_or_default()))
}
