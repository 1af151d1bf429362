//! Repositories in genesis.

use guts_schema::{names, proto, refs};
use serde::{Deserialize, Serialize};

use super::{execute, invariants};
use crate::fault::Broken;
use crate::genesis::AppState;
use crate::modules::{Origin, account};
use crate::run::Run;
use crate::whole::Whole;

/// A repository that exists from the start, without refs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisRepo {
    /// Handle of an account of genesis.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// One line.
    #[serde(default)]
    pub description: String,
    /// Full name of a branch.
    #[serde(default = "main_branch")]
    pub default_branch: String,
    /// `sha1` or `sha256`.
    #[serde(default)]
    pub object_format: Format,
}

fn main_branch() -> String {
    "refs/heads/main".to_owned()
}

/// Format of object ids, as git names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// 20 bytes.
    #[default]
    Sha1,
    /// 32 bytes.
    Sha256,
}

/// This module's part of genesis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Genesis {
    /// The repositories, in order of their ids.
    pub repos: Vec<GenesisRepo>,
}

pub(super) fn init(run: &mut Run<'_>, origin: &Origin<'_>) -> Result<(), Broken> {
    for entry in &origin.state.repo.repos {
        let wrong =
            |text: String| Broken::Genesis(format!("repo {}/{}: {text}", entry.owner, entry.name));
        names::check_repo_name(&entry.name).map_err(|error| wrong(error.to_string()))?;
        names::check_description(&entry.description).map_err(|error| wrong(error.to_string()))?;
        refs::check_branch(&entry.default_branch).map_err(|error| wrong(error.to_string()))?;
        let owner = account::handle_owner(&run.state, &entry.owner)?;
        let owner = owner.ok_or_else(|| wrong("the owner is no account of genesis".into()))?;
        let object_format = match entry.object_format {
            Format::Sha1 => proto::ObjectFormat::Sha1,
            Format::Sha256 => proto::ObjectFormat::Sha256,
        };
        let repo = proto::Repo {
            owner: owner.to_vec(),
            name: entry.name.clone(),
            description: entry.description.clone(),
            default_branch: entry.default_branch.clone(),
            object_format: object_format.into(),
            ..Default::default()
        };
        execute::create(run, &owner, repo).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(())
}

pub(super) fn export(whole: &Whole, into: &mut AppState) -> Result<(), Broken> {
    for (_, repo) in whole.below::<proto::Repo>(invariants::REPO_TAG)? {
        let owner = guts_schema::keys::account(&super::owner(&repo)?);
        let owner: Option<proto::Account> = whole.get(&owner)?;
        let object_format = match repo.object_format() {
            proto::ObjectFormat::Sha1 => Format::Sha1,
            proto::ObjectFormat::Sha256 => Format::Sha256,
        };
        into.repo.repos.push(GenesisRepo {
            owner: owner.unwrap_or_default().handle,
            name: repo.name,
            description: repo.description,
            default_branch: repo.default_branch,
            object_format,
        });
    }
    Ok(())
}
