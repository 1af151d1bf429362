//! The bare repositories under one directory, by repository id, made when first asked for.
//!
//! A repository's refs are a cache of the chain's state: [`Repositories::move_refs`] is their only
//! writer. `HEAD` follows the default branch. The file `guts-height` says which height the refs
//! are of, for operators; nothing reads it back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::child::{FSCK_IGNORED, Git, Limits};
use crate::error::GitError;
use crate::http::NO_WAIT;
use crate::reach::Peer;
use crate::types::{ObjectFormat, Oid, RefUpdate, RepoId};

/// How long the look-up of a gateway's name may take.
const LOOKUP_WITHIN: Duration = Duration::from_secs(20);

/// The longest that a fetch from another gateway may take: a gigabyte at some megabytes a second.
const FETCH_WALL: Duration = Duration::from_secs(900);

/// Bytes a second below which, for so many seconds, a gateway is too slow to be waited for. It says
/// little while it counts what it has to send.
const FETCH_BYTES_PER_S: &str = "16384";
const FETCH_SLOW_S: &str = "60";

/// All bare repositories of this node, and the git that serves them.
#[derive(Debug, Clone)]
pub struct Repositories {
    shared: Arc<Shared>,
}

/// Tells the object format of a repository that is about to be made, or why it cannot.
pub type FormatOf = Box<dyn Fn(RepoId) -> Result<ObjectFormat, String> + Send + Sync>;

struct Shared {
    root: PathBuf,
    git: Git,
    format_of: FormatOf,
    /// Who says which gateways behind TLS are the right ones; none: as this system has it.
    authorities: Option<PathBuf>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("root", &self.root).field("git", &self.git).finish()
    }
}

/// What a repository's configuration file says. Everything else is given to each child, so that a
/// newer program's settings reach old repositories.
fn config(format: ObjectFormat) -> String {
    let (version, extensions) = match format {
        ObjectFormat::Sha1 => (0, ""),
        ObjectFormat::Sha256 => (1, "[extensions]\n\tobjectformat = sha256\n"),
    };
    format!(
        "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = true\n{extensions}"
    )
}

impl Repositories {
    /// Opens `<home>/repos`, making it, the empty home of git children and our hooks.
    ///
    /// `hook` is the program the hooks start, as `<hook> hook pre-receive|proc-receive`. What
    /// git children of a run that was killed left behind is removed: quarantines, and locks that
    /// would keep refs from ever moving again. `format_of` is asked when a repository is made.
    ///
    /// Gateways behind TLS are believed as `SSL_CERT_FILE` says where it is set, else as git was
    /// built to.
    pub fn open(
        home: &Path,
        hook: &Path,
        limits: Limits,
        format_of: FormatOf,
    ) -> Result<Self, GitError> {
        let authorities = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        Self::believing(authorities, home, hook, limits, format_of)
    }

    pub(crate) fn believing(
        authorities: Option<PathBuf>,
        home: &Path,
        hook: &Path,
        limits: Limits,
        format_of: FormatOf,
    ) -> Result<Self, GitError> {
        let absolute =
            |path: &Path| std::path::absolute(path).map_err(GitError::file("finding", path));
        let authorities = authorities.map(|file| absolute(&file)).transpose()?;
        // Children have a directory of their own: paths given to them must not depend on ours.
        let home = &absolute(home)?;
        let root = home.join("repos");
        let empty = home.join("git-home");
        let hooks = home.join("git-hooks");
        for dir in [&root, &empty, &hooks] {
            fs::create_dir_all(dir).map_err(GitError::file("making", dir))?;
        }
        for name in ["pre-receive", "proc-receive"] {
            write_hook(&hooks.join(name), hook, name)?;
        }
        for repo in fs::read_dir(&root).map_err(GitError::file("listing", &root))?.flatten() {
            drop_leftovers(&repo.path());
        }
        let git = Git::new(empty, hooks, limits);
        Ok(Self { shared: Arc::new(Shared { root, git, format_of, authorities }) })
    }

    /// Where the repository is, whether or not it was made yet.
    pub fn path(&self, repo: RepoId) -> PathBuf {
        self.shared.root.join(format!("{repo}.git"))
    }

    pub(crate) fn git(&self) -> &Git {
        &self.shared.git
    }

    /// The repository's directory, made if it is not there. Blocks on the disk for a moment, the
    /// first time only.
    pub fn ensure(&self, repo: RepoId) -> Result<PathBuf, GitError> {
        let path = self.path(repo);
        if path.join("HEAD").exists() {
            return Ok(path);
        }
        let format = (self.shared.format_of)(repo).map_err(|why| GitError::Format(repo, why))?;
        let draft = self.shared.root.join(format!("{repo}.{:016x}.new", rand::random::<u64>()));
        for dir in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
            let dir = draft.join(dir);
            fs::create_dir_all(&dir).map_err(GitError::file("making", dir))?;
        }
        let write = |name: &str, text: &str| {
            let file = draft.join(name);
            fs::write(&file, text).map_err(GitError::file("writing", file))
        };
        write("config", &config(format))?;
        write("HEAD", "ref: refs/heads/main\n")?;
        match fs::rename(&draft, &path) {
            Ok(()) => Ok(path),
            // Another request made it first.
            Err(_) if path.join("HEAD").exists() => {
                let _ = fs::remove_dir_all(&draft);
                Ok(path)
            }
            Err(error) => Err(GitError::file("renaming to", path)(error)),
        }
    }

    /// Points `HEAD` at `branch`, a full name such as `refs/heads/main`.
    pub fn set_head(&self, repo: RepoId, branch: &str) -> Result<(), GitError> {
        let dir = self.ensure(repo)?;
        let text = format!("ref: {branch}\n");
        let file = dir.join("HEAD");
        if fs::read_to_string(&file).is_ok_and(|now| now == text) {
            return Ok(());
        }
        replace(&file, text.as_bytes())
    }

    /// The refs the repository has now.
    pub async fn refs(&self, repo: RepoId) -> Result<BTreeMap<String, Oid>, GitError> {
        let dir = self.ensure(repo)?;
        let args = ["for-each-ref", "--format=%(objectname) %(refname)"];
        let listed = self.git().command(&dir, &args).success(b"").await?;
        let mut refs = BTreeMap::new();
        for line in String::from_utf8_lossy(&listed).lines() {
            let parsed =
                line.split_once(' ').and_then(|(oid, name)| Some((oid.parse().ok()?, name)));
            let (oid, name) = parsed.ok_or(GitError::Protocol("a line of for-each-ref"))?;
            refs.insert(name.to_owned(), oid);
        }
        Ok(refs)
    }

    /// Moves refs as committed at `height`, with one git process. The `old` of an update is not
    /// looked at: the state decided already.
    pub async fn move_refs(
        &self,
        repo: RepoId,
        height: u64,
        updates: &[RefUpdate],
    ) -> Result<(), GitError> {
        if updates.is_empty() {
            return Ok(());
        }
        let dir = self.ensure(repo)?;
        let input = update_ref_input(updates);
        self.git()
            .command(&dir, &["update-ref", "--no-deref", "-z", "--stdin"])
            .success(&input)
            .await?;
        replace(&dir.join("guts-height"), format!("{height}\n").as_bytes())
    }

    /// Makes the refs equal `wanted` as far as the objects are here; returns the names of those
    /// whose object is missing, which stay as they were.
    pub async fn rebuild_refs(
        &self,
        repo: RepoId,
        height: u64,
        wanted: &BTreeMap<String, Oid>,
    ) -> Result<Vec<String>, GitError> {
        let have = self.refs(repo).await?;
        let changed: Vec<_> =
            wanted.iter().filter(|(name, oid)| have.get(*name) != Some(oid)).collect();
        let tips: Vec<Oid> = changed.iter().map(|(_, oid)| **oid).collect();
        let kinds = self.kinds(repo, &tips, None).await?;
        let mut missing = Vec::new();
        let mut updates = Vec::new();
        for ((name, oid), kind) in changed.into_iter().zip(kinds) {
            match kind {
                Some(_) => updates.push(RefUpdate {
                    name: name.clone(),
                    old: have.get(name).copied(),
                    new: Some(*oid),
                }),
                None => missing.push(name.clone()),
            }
        }
        for (name, old) in &have {
            if !wanted.contains_key(name) {
                updates.push(RefUpdate { name: name.clone(), old: Some(*old), new: None });
            }
        }
        self.move_refs(repo, height, &updates).await?;
        Ok(missing)
    }

    /// The kind of each object (`commit`, `tag`, `tree`, `blob`), or none where it is missing.
    pub(crate) async fn kinds(
        &self,
        repo: RepoId,
        oids: &[Oid],
        objects: Option<&Path>,
    ) -> Result<Vec<Option<String>>, GitError> {
        if oids.is_empty() {
            return Ok(Vec::new());
        }
        let dir = self.ensure(repo)?;
        let mut input = String::new();
        for oid in oids {
            input.push_str(&oid.to_string());
            input.push('\n');
        }
        let mut git = self.git().command(&dir, &["cat-file", "--batch-check=%(objecttype)"]);
        if let Some(objects) = objects {
            git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects);
        }
        let answer = git.success(input.as_bytes()).await?;
        let text = String::from_utf8_lossy(&answer);
        let kinds: Vec<_> = text
            .lines()
            .map(|line| (!line.ends_with(" missing")).then(|| line.to_owned()))
            .collect();
        if kinds.len() != oids.len() {
            return Err(GitError::Protocol("cat-file did not answer for each object"));
        }
        Ok(kinds)
    }

    /// Fetches objects from another gateway, where the repository is at `path`, by stock `git
    /// fetch` of known tips: into the object store only, no ref moves. What arrives is checked like
    /// a push. Nobody is asked where [`Peer`] says not, and a gateway that sends too little for a
    /// minute, or is not done after a quarter of an hour, is left.
    pub async fn fetch(
        &self,
        repo: RepoId,
        gateway: &Peer,
        path: &str,
        tips: &[Oid],
    ) -> Result<(), GitError> {
        let slow = || GitError::Gateway {
            gateway: gateway.url.clone(),
            why: "its name takes too long to be looked up".into(),
        };
        let pin = tokio::time::timeout(LOOKUP_WITHIN, gateway.pin()).await;
        let pin = pin.map_err(|_| slow())??;
        if pin.is_some() && !self.git().pins_names().await? {
            let why = "git 2.37 or newer is needed to fetch from a name: it is looked up before";
            return Err(GitError::Gateway { gateway: gateway.url.clone(), why: why.into() });
        }
        self.fetch_at(repo, gateway, pin.as_deref(), (path, tips)).await
    }

    /// The same, where what git must know of the gateway's name is known.
    pub(crate) async fn fetch_at(
        &self,
        repo: RepoId,
        gateway: &Peer,
        pin: Option<&str>,
        (path, tips): (&str, &[Oid]),
    ) -> Result<(), GitError> {
        let dir = self.ensure(repo)?;
        let url = &format!("{}/{path}", gateway.base());
        // As many as there are: a command line takes so many and no more.
        let tips: String = tips.iter().map(|tip| format!("{tip}\n")).collect();
        let args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin", url];
        let mut git = self.git().command(&dir, &args);
        git.wall(FETCH_WALL);
        if let Some(file) = &self.shared.authorities {
            git.setting("http.sslCAInfo", file.as_os_str());
        }
        let header = format!("Prefer: {NO_WAIT}");
        for (key, value) in [
            ("http.extraHeader", header.as_str()),
            ("protocol.http.allow", "always"),
            ("protocol.https.allow", "always"),
            // Older versions refuse tips that are not advertised.
            ("protocol.version", "2"),
            ("http.followRedirects", "false"),
            ("http.lowSpeedLimit", FETCH_BYTES_PER_S),
            ("http.lowSpeedTime", FETCH_SLOW_S),
            ("fetch.fsckObjects", "true"),
            ("fetch.unpackLimit", "1"),
        ] {
            git.setting(key, value.as_ref());
        }
        if let Some(pin) = pin {
            git.setting("http.curloptResolve", pin.as_ref());
        }
        for rule in FSCK_IGNORED {
            git.setting(&format!("fetch.fsck.{rule}"), "ignore".as_ref());
        }
        git.success(tips.as_bytes()).await.map(|_| ())
    }

    /// Every repository directory there is, by id.
    pub fn all(&self) -> Result<Vec<RepoId>, GitError> {
        let root = &self.shared.root;
        let mut ids = Vec::new();
        for entry in fs::read_dir(root).map_err(GitError::file("listing", root))? {
            let name = entry.map_err(GitError::file("listing", root))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".git"));
            if let Some(id) = id.and_then(|id| id.parse().ok()) {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

/// The commands for `git update-ref -z --stdin`: one transaction, or two where a deleted name
/// stands in the way of a new one (`a` and `a/b`), which git refuses to do in one.
fn update_ref_input(updates: &[RefUpdate]) -> Vec<u8> {
    let (deletes, moves): (Vec<_>, Vec<_>) =
        updates.iter().partition(|update| update.new.is_none());
    let in_the_way = deletes.iter().any(|gone| {
        moves.iter().any(|new| is_parent(&gone.name, &new.name) || is_parent(&new.name, &gone.name))
    });
    let mut input = b"start\0".to_vec();
    for update in &deletes {
        input.extend_from_slice(format!("delete {}\0\0", update.name).as_bytes());
    }
    if in_the_way {
        input.extend_from_slice(b"prepare\0commit\0start\0");
    }
    for update in &moves {
        if let Some(new) = update.new {
            input.extend_from_slice(format!("update {}\0{new}\0\0", update.name).as_bytes());
        }
    }
    input.extend_from_slice(b"prepare\0commit\0");
    input
}

/// Whether `name` is a directory on the way to `other`.
fn is_parent(name: &str, other: &str) -> bool {
    other.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
}

/// Removes the quarantines and locks of a repository that no process works in yet. What cannot be
/// removed is as harmless, or as harmful, as it was.
fn drop_leftovers(repo: &Path) {
    if repo.extension().is_some_and(|extension| extension == "new") {
        let _ = fs::remove_dir_all(repo);
        return;
    }
    for entry in entries(&repo.join("objects")) {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("tmp_objdir-")) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    for entry in entries(repo) {
        drop_lock(&entry.path());
    }
    let mut folders = vec![repo.join("refs")];
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => drop_lock(&entry.path()),
            }
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

/// No ref is called like that: git keeps the ending for its locks.
fn drop_lock(path: &Path) {
    if path.extension().is_some_and(|extension| extension == "lock") {
        let _ = fs::remove_file(path);
    }
}

/// Writes a whole small file so that readers see the old or the new one.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> Result<(), GitError> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{:016x}.new", rand::random::<u64>()));
    let draft = PathBuf::from(draft);
    fs::write(&draft, bytes).map_err(GitError::file("writing", &draft))?;
    fs::rename(&draft, file).map_err(GitError::file("replacing", file))
}

fn write_hook(file: &Path, program: &Path, name: &str) -> Result<(), GitError> {
    use std::os::unix::fs::PermissionsExt;
    let program = quoted(program.as_os_str()).map_err(GitError::file("naming", program))?;
    let script = format!("#!/bin/sh\nexec {program} hook {name}\n");
    if fs::read(file).is_ok_and(|now| now == script.as_bytes()) {
        return Ok(());
    }
    replace(file, script.as_bytes())?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .map_err(GitError::file("making executable", file))
}

/// A path as one word of a shell script.
fn quoted(path: &OsStr) -> io::Result<String> {
    let text = path.to_str().ok_or_else(|| io::Error::other("a path that is not UTF-8"))?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests;
