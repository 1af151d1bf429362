//! The key file.

use super::*;

#[test]
fn a_key_is_made_once_and_read_back_and_nobody_else_may() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::TempDir::new().unwrap();
    let made = Identity::make(home.path()).unwrap();
    assert_eq!(Identity::make(home.path()).unwrap().account, made.account);
    assert_eq!(Identity::load(home.path()).unwrap().secret.public(), made.secret.public());
    let mode = fs::metadata(home.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_whose_parts_do_not_fit_is_refused() {
    let home = tempfile::TempDir::new().unwrap();
    Identity::make(home.path()).unwrap();
    let file = home.path().join(FILE);
    let text = fs::read_to_string(&file).unwrap();
    let mut form: Form = serde_json::from_str(&text).unwrap();
    form.seed = "00".repeat(32);
    fs::write(&file, serde_json::to_vec(&form).unwrap()).unwrap();
    assert!(Identity::load(home.path()).is_err());
    fs::write(&file, "{}").unwrap();
    assert!(Identity::load(home.path()).is_err());
}
