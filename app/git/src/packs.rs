//! Packs of pending pushes, by content hash.
//!
//! Each is a directory `<home>/packs/<sha256>` that is a git object directory of its own (`pack/`
//! with one pack and its index), so that a check can use it as an alternate of the repository,
//! and so that moving it into the repository is two hard links. Everything here is dropped when
//! its push is over: afterwards the objects live in the repository. A pack that is here, or
//! installed, outlives a power cut: git synced its files, and we the directories.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::GitError;
use crate::types::{PackHash, PackInfo};

/// The packs this node holds for pending pushes.
#[derive(Debug, Clone)]
pub struct PackStore {
    root: PathBuf,
}

/// A directory that becomes a stored pack, or goes away when dropped.
#[derive(Debug)]
pub(crate) struct Draft {
    dir: PathBuf,
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Draft {
    /// Where the pack is written first, before its trailer names it.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.dir.join("incoming.pack")
    }

    fn packs(&self) -> PathBuf {
        self.dir.join("pack")
    }
}

impl PackStore {
    /// Opens `<home>/packs`, dropping what an earlier run left half written.
    pub fn open(home: &Path) -> Result<Self, GitError> {
        let home = std::path::absolute(home).map_err(GitError::file("finding", home))?;
        let root = home.join("packs");
        fs::create_dir_all(&root).map_err(GitError::file("making", &root))?;
        for entry in fs::read_dir(&root).map_err(GitError::file("listing", &root))?.flatten() {
            if entry.file_name().to_string_lossy().ends_with(".new") {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(Self { root })
    }

    /// The object directory of a stored pack.
    pub fn objects(&self, hash: &PackHash) -> PathBuf {
        self.root.join(hash.to_string())
    }

    /// Whether the pack is here, complete with its index.
    pub fn has(&self, hash: &PackHash) -> bool {
        self.objects(hash).exists()
    }

    /// Every pack here.
    pub fn all(&self) -> Result<Vec<PackHash>, GitError> {
        let listed = fs::read_dir(&self.root).map_err(GitError::file("listing", &self.root))?;
        let names = listed.flatten().map(|entry| entry.file_name());
        Ok(names.filter_map(|name| name.to_str().and_then(|name| name.parse().ok())).collect())
    }

    /// Forgets a pack.
    pub fn drop_pack(&self, hash: &PackHash) {
        let _ = fs::remove_dir_all(self.objects(hash));
    }

    /// The pack's file, to be served to another gateway.
    pub fn open_pack(&self, hash: &PackHash) -> Option<File> {
        File::open(find(&self.objects(hash).join("pack"), "pack")?).ok()
    }

    /// The length of a stored pack, in bytes.
    pub(crate) fn size(&self, hash: &PackHash) -> Option<u64> {
        Some(self.open_pack(hash)?.metadata().ok()?.len())
    }

    pub(crate) fn draft(&self) -> Result<Draft, GitError> {
        let dir = self.root.join(format!("{:016x}.new", rand::random::<u64>()));
        let packs = dir.join("pack");
        fs::create_dir_all(&packs).map_err(GitError::file("making", &packs))?;
        Ok(Draft { dir })
    }

    /// Takes over the pack of a quarantine (hard links; the quarantine is left alone). `None`
    /// when the quarantine has no pack: a push of refs to objects that are here already.
    ///
    /// Blocks on reading the pack once, for its hash.
    pub fn adopt(&self, quarantine: &Path) -> Result<Option<PackInfo>, GitError> {
        let Some(pack) = find(&quarantine.join("pack"), "pack") else { return Ok(None) };
        let info = hash_file(&pack)?;
        let draft = self.draft()?;
        let stem = pack.file_stem().unwrap_or_default();
        for extension in ["pack", "idx"] {
            let from = pack.with_extension(extension);
            let to = draft.packs().join(stem).with_extension(extension);
            fs::hard_link(&from, to).map_err(GitError::file("linking", from))?;
        }
        self.keep(&draft, &info.hash)?;
        Ok(Some(info))
    }

    /// Gives a draft whose `incoming.pack` was indexed its place. `trailer` is the pack's own
    /// checksum, which names its files as git does.
    pub(crate) fn keep_incoming(
        &self,
        draft: &Draft,
        hash: &PackHash,
        trailer: &str,
    ) -> Result<(), GitError> {
        for extension in ["pack", "idx"] {
            let from = draft.incoming().with_extension(extension);
            let to = draft.packs().join(format!("pack-{trailer}.{extension}"));
            fs::rename(&from, to).map_err(GitError::file("renaming", from))?;
        }
        self.keep(draft, hash)
    }

    fn keep(&self, draft: &Draft, hash: &PackHash) -> Result<(), GitError> {
        let place = self.objects(hash);
        sync_dir(&draft.packs())?;
        match fs::rename(&draft.dir, &place) {
            Ok(()) => sync_dir(&self.root),
            Err(_) if place.exists() => Ok(()),
            Err(error) => Err(GitError::file("renaming to", place)(error)),
        }
    }

    /// Links a stored pack into a repository, so that its objects are there for good. The pack
    /// first and its index last: git finds a pack by its index.
    pub fn install(&self, hash: &PackHash, repository: &Path) -> Result<(), GitError> {
        let missing = || GitError::Pack { hash: hash.to_string(), why: "it is not here".into() };
        let pack = find(&self.objects(hash).join("pack"), "pack").ok_or_else(missing)?;
        let stem = pack.file_stem().unwrap_or_default();
        let folder = repository.join("objects/pack");
        let place = folder.join(stem);
        for extension in ["pack", "idx"] {
            let to = place.with_extension(extension);
            match fs::hard_link(pack.with_extension(extension), &to) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(GitError::file("linking", to)(error)),
            }
        }
        sync_dir(&folder)
    }
}

/// Brings the names of a directory's files to the disk.
fn sync_dir(dir: &Path) -> Result<(), GitError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(GitError::file("syncing", dir))
}

/// The file of a directory with that extension, if there is one.
fn find(dir: &Path, extension: &str) -> Option<PathBuf> {
    let mut paths = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    paths.find(|path| path.extension().is_some_and(|found| found == extension))
}

fn hash_file(path: &Path) -> Result<PackInfo, GitError> {
    let mut file = File::open(path).map_err(GitError::file("opening", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size: u64 = 0;
    loop {
        let n = file.read(&mut buffer).map_err(GitError::file("reading", path))?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        size = size.saturating_add(n as u64);
    }
    Ok(PackInfo { hash: PackHash::new(hasher.finalize().into()), size })
}

#[cfg(test)]
mod tests;
