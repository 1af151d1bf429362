//! What a fresh machine is found to lack.

use std::fs;
use std::path::Path;

use guts_tests::root;
use guts_tests::run::run;

/// Whether `localnet/prepare.sh` finds libclang below a directory.
fn has_libclang(below: &Path) -> bool {
    let script = root().join("localnet/prepare.sh");
    let line = format!("set -eu; . '{}'; has_libclang '{}'", script.display(), below.display());
    run(Path::new("bash"), &["-c", &line], below, &[]).ok
}

#[test]
fn libclang_is_the_library_and_its_headers_and_no_other_of_that_name() {
    let home = tempfile::tempdir().expect("a directory");
    let lib = home.path().join("usr/lib/llvm-14/lib");
    let place = |file: &str| {
        let file = lib.join(file);
        fs::create_dir_all(file.parent().expect("a directory")).expect("it is made");
        fs::write(file, "").expect("it is written");
    };
    assert!(!has_libclang(home.path()));
    place("libclang-cpp.so.14");
    place("clang/14.0.6/include/stddef.h");
    assert!(!has_libclang(home.path()), "libclang-cpp is another");
    place("libclang.so.1");
    assert!(has_libclang(home.path()));
}
