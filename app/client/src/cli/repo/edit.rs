//! `guts repo edit`: what the owner can change later.

use guts_schema::{Action, names};
use serde_json::json;

use super::super::Context;
use super::super::account::own;
use super::{branch_name, describe};
use crate::state::Repo;
use crate::{Error, Signer};

#[derive(Debug, clap::Args)]
pub struct Edit {
    /// OWNER/NAME
    repo: String,
    /// One line about it; "" for none
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Branch that clones check out
    #[arg(long, value_name = "BRANCH")]
    default_branch: Option<String>,
    /// Take no more pushes
    #[arg(long)]
    archive: bool,
    /// Take pushes again
    #[arg(long, conflicts_with = "archive")]
    unarchive: bool,
}

/// What changes: only what was asked for and is not so already.
struct Change {
    description: Option<String>,
    default_branch: Option<String>,
    archived: Option<bool>,
}

impl Change {
    fn of(args: &Edit) -> Result<Self, Error> {
        if let Some(text) = &args.description {
            names::check_description(text).map_err(|error| Error::Usage(error.to_string()))?;
        }
        let default_branch = args.default_branch.as_deref().map(branch_name).transpose()?;
        let archived = (args.archive || args.unarchive).then_some(args.archive);
        let change = Self { description: args.description.clone(), default_branch, archived };
        match change.is_empty() {
            true => Err(Error::Usage(
                "nothing to change: give --description, --default-branch, --archive or \
                 --unarchive"
                    .into(),
            )),
            false => Ok(change),
        }
    }

    fn is_empty(&self) -> bool {
        self.description.is_none() && self.default_branch.is_none() && self.archived.is_none()
    }

    /// Without what the repository has already.
    fn beyond(self, repo: &Repo) -> Self {
        let value = &repo.value;
        Self {
            description: self.description.filter(|text| *text != value.description),
            default_branch: self.default_branch.filter(|name| *name != value.default_branch),
            archived: self.archived.filter(|archived| *archived != value.archived),
        }
    }

    /// A line for each change.
    fn facts(&self) -> Vec<String> {
        let about = self.description.as_ref().map(|text| format!("about it: {text}"));
        let branch = self.default_branch.as_ref().map(|name| format!("clones check out {name}"));
        let archived = self.archived.map(|archived| match archived {
            true => "archived: it takes no pushes".to_owned(),
            false => "out of the archive: it takes pushes".to_owned(),
        });
        [about, branch, archived].into_iter().flatten().collect()
    }
}

/// Changes a repository.
pub async fn edit(context: &Context, args: Edit) -> Result<(), Error> {
    let change = Change::of(&args)?;
    let (account, signer) = (own(context)?, Signer::open(&context.home).await?);
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(&args.repo).await?;
    let change = change.beyond(&repo);
    let out = &context.out;
    if change.is_empty() {
        out.fact(&format!("{} is so already, as proved at height {}", args.repo, state.height()));
        out.result(&result(&repo, None, state.height()));
        return Ok(());
    }
    let facts = change.facts();
    let action = Action::EditRepo {
        actor: account,
        repo: repo.id,
        description: change.description,
        default_branch: change.default_branch,
        archived: change.archived,
    };
    let sent = chain.send(account, &[action], &signer, &out.bar("edit")).await?;
    let state = sent.state;
    let repo = state.repo(&args.repo).await?;
    out.fact(&format!("repository {} edited in block {}", args.repo, sent.height));
    facts.iter().for_each(|fact| out.fact(fact));
    out.proved(&state);
    out.result(&result(&repo, Some(sent.hash.to_string()), state.height()));
    Ok(())
}

fn result(repo: &Repo, tx: Option<String>, height: u64) -> serde_json::Value {
    let mut value = describe(repo);
    value["tx"] = json!(tx);
    value["proved_height"] = json!(height);
    value
}
