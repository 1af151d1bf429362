//! Developers with repositories at gateways of a local network and, beside them, at plain git.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use guts_localnet::network::Validator;
use tokio::process::Command;

use crate::Failure;
use crate::plain::{self, Plain};

/// Somebody who pushes.
pub struct Developer {
    /// A clone with the remotes `origin` and `plain`.
    pub work: PathBuf,
    /// The repository's path below the URL of any gateway.
    pub path: String,
    /// The URL of the repository at plain git.
    pub plain_url: String,
}

/// A place on disk that goes when the run ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's own temporary directory.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Developers ready to push.
pub struct Setting {
    /// One for each validator that was asked for.
    pub developers: Vec<Developer>,
    // Held for as long as pushes go to it.
    _plain: Plain,
    scratch: Scratch,
}

impl Setting {
    /// A directory that goes with the setting.
    pub fn scratch(&self) -> &Path {
        &self.scratch.0
    }
}

/// Runs stock git without this machine's configuration, and returns what it said.
pub async fn git(args: &[&str], dir: &Path) -> Result<String, Failure> {
    let env = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Bench"),
        ("GIT_AUTHOR_EMAIL", "bench@example.com"),
        ("GIT_COMMITTER_NAME", "Bench"),
        ("GIT_COMMITTER_EMAIL", "bench@example.com"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ];
    run(Path::new("git"), args, dir, &env).await
}

async fn run(
    program: &Path,
    args: &[&str],
    dir: &Path,
    env: &[(&str, &str)],
) -> Result<String, Failure> {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).envs(env.iter().copied());
    let name = program.display();
    let output = command.output().await.map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{name} {} failed:\n{said}", args.join(" ")).into())
}

/// Makes a developer for each validator's gateway: account, repository, first push.
pub async fn prepare(validators: &[Validator]) -> Result<Setting, Failure> {
    let run_id = format!("{:08x}", rand::random::<u32>());
    let scratch = Scratch(std::env::temp_dir().join(format!("guts-bench-{run_id}")));
    let bare = scratch.0.join("plain");
    std::fs::create_dir_all(&bare)?;
    let plain = Plain::serve(bare).await?;
    let mut developers = Vec::new();
    for validator in validators {
        let name = format!("bench-{run_id}-{}", validator.index);
        developers.push(developer(validator, &name, &scratch.0, &plain.url).await?);
    }
    Ok(Setting { developers, _plain: plain, scratch })
}

async fn developer(
    validator: &Validator,
    name: &str,
    scratch: &Path,
    plain: &str,
) -> Result<Developer, Failure> {
    eprintln!("• making an account and a repository: {name}/push");
    let guts = std::env::current_exe()?.with_file_name("guts");
    let home = scratch.join(name);
    let work = home.join("push");
    std::fs::create_dir_all(&work)?;
    let guts_home = home.join(".guts").display().to_string();
    let (node, gateway) = (validator.rpc_url(), validator.gateway_url());
    let env = [
        ("GUTS_HOME", guts_home.as_str()),
        ("GUTS_NODE", node.as_str()),
        ("GUTS_GATEWAY", gateway.as_str()),
    ];
    run(&guts, &["init", "--handle", name], &home, &env).await?;
    git(&["init", "-q", "-b", "main"], &work).await?;
    let bare = format!("{name}.git");
    plain::repository(&scratch.join("plain").join(&bare)).await?;
    let plain_url = format!("{plain}/{bare}");
    let developer = Developer { work, path: format!("{name}/push.git"), plain_url };
    developer.commit(0).await?;
    run(&guts, &["repo", "create", "push"], &developer.work, &env).await?;
    git(&["remote", "add", "plain", &developer.plain_url], &developer.work).await?;
    developer.push("origin").await?;
    developer.push("plain").await?;
    Ok(developer)
}

impl Developer {
    /// Commits everything in the working tree, with a counter in it.
    pub async fn commit(&self, number: u64) -> Result<(), Failure> {
        std::fs::write(self.work.join("counter"), format!("{number}\n"))?;
        git(&["add", "."], &self.work).await?;
        git(&["commit", "-q", "-m", &format!("change {number}")], &self.work).await?;
        Ok(())
    }

    /// Pushes the branch and says how long that took.
    pub async fn push(&self, remote: &str) -> Result<Duration, Failure> {
        let begun = Instant::now();
        git(&["push", "-q", remote, "main"], &self.work).await?;
        Ok(begun.elapsed())
    }
}
