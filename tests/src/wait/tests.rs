//! Tests of the helpers: a helper that does not see a failure hides every other one.

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use super::until;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn what_is_written_wakes() {
    let dir = tempfile::tempdir().unwrap();
    let (file, dirs) = (dir.path().join("log"), [dir.path().to_owned()]);
    let mut looks = 0_u64;
    // Each look makes the event that the next one waits for.
    let began = Instant::now();
    let text = until(&dirs, "a hundred lines", PATIENCE, || {
        looks += 1;
        std::fs::write(&file, "line\n".repeat(usize::try_from(looks).unwrap())).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        (text.lines().count() == 100).then_some(text)
    });
    assert_eq!((looks, text.len()), (100, 500));
    // Without events it would take a second a look.
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

#[test]
fn waiting_in_vain_ends_and_says_for_what() {
    let dir = tempfile::tempdir().unwrap();
    let dirs = [dir.path().to_owned()];
    let patience = Duration::from_millis(10);
    let waited = catch_unwind(|| until(&dirs, "a miracle", patience, || None::<()>));
    let said = *waited.expect_err("in vain").downcast::<String>().unwrap();
    assert_eq!(said, "waited 10ms in vain: a miracle");
}
