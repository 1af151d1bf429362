//! `guts issue`: what a repository's people want, and say about it.

mod read;
pub mod tracker;

use clap::{Subcommand, ValueEnum};
use guts_schema::tx::{IssueAction, ThreadAction};
use guts_schema::{Action, RepoId, proto};
use serde_json::json;

use super::act::Actor;
use super::{Context, text};
use crate::Error;
use crate::send::Sent;

#[derive(Debug, Subcommand)]
pub enum Issue {
    /// Open one
    Open {
        /// OWNER/NAME
        repo: String,
        /// One line
        title: String,
        /// The first comment, - to read it from stdin [default: none]
        #[arg(long)]
        text: Option<String>,
        /// Write the first comment in your editor
        #[arg(long, conflicts_with = "text")]
        edit: bool,
    },
    /// Those that are open
    List {
        /// OWNER/NAME
        repo: String,
        /// The closed ones, too
        #[arg(long)]
        all: bool,
    },
    /// One issue and what was said
    Show {
        /// OWNER/NAME
        repo: String,
        /// Its number
        number: u64,
    },
    /// What was said before it was edited, oldest first
    History {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// Of which comment; 0 opened the issue
        #[arg(long, value_name = "N", default_value_t = 0)]
        comment: u64,
    },
    /// Say something
    Comment {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// What, - to read it from stdin [default: what you write in your editor]
        text: Option<String>,
    },
    /// Say it otherwise; what was said stays in the history
    Edit {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// What, - to read it from stdin [default: what you make of it in your editor]
        text: Option<String>,
        /// Which comment; 0 opened the issue
        #[arg(long, value_name = "N", default_value_t = 0)]
        comment: u64,
    },
    /// Give it another title
    Retitle {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// One line
        title: String,
    },
    /// Nod, or shake your head
    React {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// How
        #[arg(value_enum)]
        reaction: Reaction,
        /// To which comment; 0 opened the issue
        #[arg(long, value_name = "N", default_value_t = 0)]
        comment: u64,
        /// Take it back
        #[arg(long)]
        off: bool,
    },
    /// Close it
    Close {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// Why
        #[arg(long, value_enum, default_value = "done")]
        reason: Reason,
    },
    /// Open it again
    Reopen {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
    },
    /// Say which labels it has
    Label {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// All of them
        labels: Vec<String>,
    },
    /// Say who looks after it
    Assign {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// Handles or account ids of all of them
        who: Vec<String>,
    },
    /// Say for which milestone it is wanted
    Plan {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// Number of the milestone; 0 for none
        milestone: u64,
    },
    /// Show it before all others
    Pin {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// Not any more
        #[arg(long)]
        off: bool,
    },
    /// Let only those speak who have a role in the repository
    Lock {
        /// OWNER/NAME
        repo: String,
        /// Number of the issue
        number: u64,
        /// Not any more
        #[arg(long)]
        off: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Reason {
    Done,
    NotPlanned,
    Duplicate,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Reaction {
    Up,
    Down,
    Laugh,
    Hooray,
    Confused,
    Heart,
    Rocket,
    Eyes,
}

impl From<Reason> for proto::CloseReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Done => Self::Done,
            Reason::NotPlanned => Self::NotPlanned,
            Reason::Duplicate => Self::Duplicate,
        }
    }
}

impl From<Reaction> for proto::Reaction {
    fn from(reaction: Reaction) -> Self {
        match reaction {
            Reaction::Up => Self::Up,
            Reaction::Down => Self::Down,
            Reaction::Laugh => Self::Laugh,
            Reaction::Hooray => Self::Hooray,
            Reaction::Confused => Self::Confused,
            Reaction::Heart => Self::Heart,
            Reaction::Rocket => Self::Rocket,
            Reaction::Eyes => Self::Eyes,
        }
    }
}

/// Somebody about to do something in a repository.
struct At<'a> {
    context: &'a Context,
    actor: Actor<'a>,
    id: RepoId,
    repo: String,
}

impl<'a> At<'a> {
    async fn open(context: &'a Context, repo: String) -> Result<Self, Error> {
        let actor = Actor::own(context).await?;
        let id = actor.state.repo(&repo).await?.id;
        Ok(Self { context, actor, id, repo })
    }

    async fn act(&mut self, action: Action) -> Result<Sent, Error> {
        self.actor.act("issue", action).await
    }

    /// Changes an issue, or what issues share.
    async fn issue(&mut self, fact: &str, change: IssueAction) -> Result<(), Error> {
        let action = Action::Issue { actor: self.actor.account, repo: self.id, change };
        self.act(action).await?.say(self.context, fact, json!({ "repo": self.repo }));
        Ok(())
    }

    /// Changes a thread.
    async fn thread(&mut self, number: u64, fact: &str, change: ThreadAction) -> Result<(), Error> {
        let action = Action::Thread { actor: self.actor.account, repo: self.id, number, change };
        let value = json!({ "repo": self.repo, "number": number });
        self.act(action).await?.say(self.context, fact, value);
        Ok(())
    }
}

pub async fn run(context: &Context, command: Issue) -> Result<(), Error> {
    match command {
        Issue::List { repo, all } => read::list(context, &repo, all).await,
        Issue::Show { repo, number } => read::show(context, &repo, number).await,
        Issue::History { repo, number, comment } => {
            read::history(context, &repo, number, comment).await
        }
        Issue::Open { repo, title, text, edit } => {
            let text = match text {
                Some(text) => text::given(text)?,
                None if edit => text::written(context, "")?,
                None => String::new(),
            };
            open(context, repo, title, text).await
        }
        Issue::Comment { repo, number, text } => {
            let text = text::given_or_written(context, text, "")?;
            let fact = format!("said in {repo}#{number}");
            let change = ThreadAction::Comment { text };
            At::open(context, repo).await?.thread(number, &fact, change).await
        }
        Issue::Edit { repo, number, text, comment } => {
            let fact = format!("comment {comment} of {repo}#{number} edited");
            let mut at = At::open(context, repo).await?;
            let text = match text {
                Some(text) => text::given(text)?,
                None => {
                    let former = read::said(&at.actor.state, &at.repo, (at.id, number, comment));
                    text::written(context, &former.await?)?
                }
            };
            at.thread(number, &fact, ThreadAction::Edit { comment, text }).await
        }
        Issue::React { repo, number, reaction, comment, off } => {
            let not = if off { "taken back" } else { "given" };
            let fact = format!("reaction to {repo}#{number} {not}");
            let change = ThreadAction::React { comment, reaction: reaction.into(), on: !off };
            At::open(context, repo).await?.thread(number, &fact, change).await
        }
        Issue::Lock { repo, number, off } => {
            let fact = format!("{repo}#{number} is {}", if off { "unlocked" } else { "locked" });
            let change = ThreadAction::Lock { locked: !off };
            At::open(context, repo).await?.thread(number, &fact, change).await
        }
        other => change(context, other).await,
    }
}

async fn open(context: &Context, repo: String, title: String, text: String) -> Result<(), Error> {
    let mut at = At::open(context, repo).await?;
    let change = IssueAction::Open { title: title.clone(), text };
    let action = Action::Issue { actor: at.actor.account, repo: at.id, change };
    let done = at.act(action).await?;
    let number = read::newest(&done.state, at.id, &at.actor.account, &title).await?;
    let value = json!({ "repo": at.repo, "number": number, "title": title });
    done.say(context, &format!("{}#{number} opened", at.repo), value);
    Ok(())
}

async fn change(context: &Context, command: Issue) -> Result<(), Error> {
    let (repo, done, number, change) = match command {
        Issue::Retitle { repo, number, title } => {
            (repo, "retitled", number, IssueAction::Retitle { number, title })
        }
        Issue::Close { repo, number, reason } => {
            let reason = reason.into();
            (repo, "closed", number, IssueAction::Close { number, reason })
        }
        Issue::Reopen { repo, number } => {
            (repo, "reopened", number, IssueAction::Reopen { number })
        }
        Issue::Label { repo, number, mut labels } => {
            labels.sort_unstable();
            labels.dedup();
            (repo, "labelled", number, IssueAction::Label { number, labels })
        }
        Issue::Assign { repo, number, who } => return assign(context, repo, number, &who).await,
        Issue::Plan { repo, number, milestone } => {
            (repo, "planned", number, IssueAction::Plan { number, milestone })
        }
        Issue::Pin { repo, number, off } => {
            let done = if off { "unpinned" } else { "pinned" };
            (repo, done, number, IssueAction::Pin { number, pinned: !off })
        }
        _ => return Err(Error::Usage("that is no change of an issue".into())),
    };
    let fact = format!("{repo}#{number} {done}");
    At::open(context, repo).await?.issue(&fact, change).await
}

async fn assign(context: &Context, repo: String, number: u64, who: &[String]) -> Result<(), Error> {
    let mut at = At::open(context, repo).await?;
    let mut accounts = Vec::new();
    for name in who {
        accounts.push(at.actor.state.who(name).await?);
    }
    accounts.sort_unstable();
    accounts.dedup();
    let fact = format!("{}#{number} assigned", at.repo);
    at.issue(&fact, IssueAction::Assign { number, accounts }).await
}
