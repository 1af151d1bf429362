//! `guts label` and `guts milestone`: what the issues of a repository share.

use clap::Subcommand;
use guts_schema::tx::IssueAction;
use guts_schema::{keys, proto};
use serde_json::json;

use super::super::Context;
use super::super::days;
use super::super::out::time;
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
        /// Which to change; what is not said stays [default: a new one]
        #[arg(long, value_name = "N", default_value_t = 0)]
        number: u64,
        #[command(flatten)]
        due: Due,
        /// It is over
        #[arg(long)]
        closed: bool,
        /// It goes on after all
        #[arg(long, conflicts_with = "closed")]
        open: bool,
    },
}

/// When a milestone is due.
#[derive(Debug, clap::Args)]
pub struct Due {
    /// In how many days it is due
    #[arg(long, value_name = "DAYS")]
    days: Option<u64>,
    /// It has no date any more
    #[arg(long, conflicts_with = "days")]
    no_date: bool,
}

impl Due {
    /// Header time, Unix seconds; 0 for no date. What was before stays if nothing is said.
    fn or(&self, before_s: u64, state: &State) -> u64 {
        match self.days {
            Some(days) => days::from_now(state, days),
            None if self.no_date => 0,
            None => before_s,
        }
    }
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
            let (mut listed, mut rows) = (Vec::new(), Vec::new());
            for label in &tracker.labels {
                let proto::Label { name, color, description } = label;
                let color = format!("{color:06x}");
                rows.push([name.clone(), color.clone(), description.clone()]);
                listed.push(json!({ "name": name, "color": color, "description": description }));
            }
            context.out.table(&rows);
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
            let (mut listed, mut rows) = (Vec::new(), Vec::new());
            for (number, milestone) in (1_u64..).zip(&tracker.milestones) {
                let proto::Milestone { title, due_s, closed } = milestone;
                let over = if *closed { " (closed)" } else { "" };
                let due = match due_s {
                    0 => String::new(),
                    due_s => format!("due {}", time(*due_s)),
                };
                rows.push([number.to_string(), format!("{title}{over}"), due]);
                listed.push(
                    json!({ "number": number, "title": title, "due_s": due_s, "closed": closed }),
                );
            }
            context.out.table(&rows);
            context.out.proved(&state);
            let height = state.height();
            context.out.result(&json!({ "milestones": listed, "proved_height": height }));
            Ok(())
        }
        Milestone::Put { repo, title, number, due, closed, open } => {
            let mut at = At::open(context, repo).await?;
            let state = &at.actor.state;
            let tracker: Option<proto::Tracker> = state.get(&keys::tracker(at.id)).await?;
            let index = number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
            let milestones = tracker.unwrap_or_default().milestones;
            // The chain says so if there is none of that number.
            let before = index.and_then(|index| milestones.get(index)).cloned();
            let before = before.unwrap_or_default();
            let (due_s, closed) = (due.or(before.due_s, state), closed || before.closed && !open);
            let (fact, milestone) = (format!("milestone {title} put"), number);
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
