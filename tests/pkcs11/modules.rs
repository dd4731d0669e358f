//! What is refused before, or while, a library is loaded.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::config::Pkcs11Config;
use support::softhsm::{alone, module};

use crate::assert_shows;

#[track_caller]
fn refused(path: impl AsRef<Path>, why: &str) {
    let path = path.as_ref();
    let error = Pkcs11Backend::open(&Pkcs11Config::new(path)).unwrap_err();
    let start = format!("the PKCS#11 module {} cannot be used: {why}", path.display());
    let advice = match why {
        _ if why.starts_with("others than") => "sudo chmod go-w",
        _ if why.starts_with("others can exchange") => "a directory of root's",
        _ if why.starts_with("it cannot be loaded") => "`ldd ",
        _ => "set `module` under [identity.pkcs11] to the absolute path",
    };
    assert_shows(error, &[&start, advice]);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn each_unusable_module_is_refused_with_its_reason() {
    alone(|hsm| {
        refused("libsofthsm2.so", "its path is not absolute");
        refused("/nowhere/libsofthsm2.so", "there is no such file");
        refused("/usr/lib", "it is not a regular file");
        let copy = hsm.path("copy.so");
        fs::copy(module(), &copy).unwrap();
        for writable in [0o775, 0o757, 0o646] {
            mode(&copy, writable);
            refused(&copy, "others than its owner can write to it");
        }
        // The file counts, not the way to it.
        let link = hsm.path("link.so");
        symlink(&copy, &link).unwrap();
        refused(&link, "others than its owner can write to it");
        let text = hsm.path("text.so");
        fs::write(&text, "not a library").unwrap();
        mode(&text, 0o644);
        refused(&text, "it cannot be loaded: libloading error (");
    });
}

#[test]
fn a_library_that_is_no_pkcs11_module_is_named_as_such() {
    alone(|_| {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let libc = maps.split_whitespace().find(|part| part.contains("/libc.so")).unwrap();
        refused(libc, "it is not a PKCS#11 module: Missing PKCS#11 symbol: C_GetFunctionList");
    });
}

#[test]
fn a_module_that_others_could_replace_is_refused() {
    alone(|hsm| {
        let directory = hsm.path("shared");
        fs::create_dir(&directory).unwrap();
        let copy = directory.join("copy.so");
        fs::copy(module(), &copy).unwrap();
        mode(&copy, 0o755);
        mode(&directory, 0o777);
        refused(&copy, "others can exchange what is in ");
        // As /tmp is: nobody can replace what is not his.
        mode(&directory, 0o1777);
        hsm.token(crate::TOKEN);
        Pkcs11Backend::open(&Pkcs11Config::new(&copy)).unwrap();
    });
}

#[test]
fn one_module_by_two_paths_is_initialised_once() {
    alone(|hsm| {
        hsm.token(crate::TOKEN);
        let link = hsm.path("link.so");
        symlink(module(), &link).unwrap();
        let (key, _) = crate::ed25519::generate(&crate::backend());
        let other = Pkcs11Config::new(link).with_token(crate::TOKEN);
        let other = Pkcs11Backend::open(&other).unwrap();
        let locator = other.find_by_label("icn-identity").unwrap();
        assert_eq!(other.public_key(&locator).unwrap(), *key.verifying_key());
    });
}
