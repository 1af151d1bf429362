//! What a killed run left behind is gone when the next one opens.
use super::*;

const REPO: RepoId = RepoId::new(3).expect("above 0");

fn open(home: &Path) -> Repositories {
    let format_of = Box::new(|_| Ok(ObjectFormat::Sha1));
    Repositories::open(home, Path::new("/bin/false"), Limits::default(), format_of).expect("opened")
}

#[tokio::test]
async fn quarantines_and_locks_of_a_killed_run_are_removed() {
    let home = tempfile::tempdir().expect("a directory");
    let dir = open(home.path()).ensure(REPO).expect("made");
    let quarantine = dir.join("objects/tmp_objdir-incoming-Ab12Cd/pack");
    fs::create_dir_all(&quarantine).expect("made");
    fs::write(quarantine.join("tmp_pack_x"), "half").expect("written");
    fs::create_dir_all(dir.join("refs/heads/topic")).expect("made");
    for lock in ["packed-refs.lock", "HEAD.lock", "refs/heads/topic/one.lock"] {
        fs::write(dir.join(lock), "").expect("written");
    }
    let draft = home.path().join("repos/4.0123.new");
    fs::create_dir_all(&draft).expect("made");

    let repositories = open(home.path());
    assert!(!dir.join("objects/tmp_objdir-incoming-Ab12Cd").exists());
    assert!(!dir.join("packed-refs.lock").exists() && !dir.join("HEAD.lock").exists());
    assert!(!dir.join("refs/heads/topic/one.lock").exists() && !draft.exists());
    // The repository itself is as it was.
    assert!(repositories.refs(REPO).await.expect("read").is_empty());
    assert_eq!(repositories.all().expect("listed"), [REPO]);
}
