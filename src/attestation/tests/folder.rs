//! A folder of anchors: who could write there chooses whom we believe.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use support::maker::{self, Form, Maker, Signer, authority};
use tempfile::TempDir;

use super::made::*;
use crate::attestation::*;
use crate::fault::KeystoreError;

/// A folder of anchors that is fine.
struct Folder {
    place: TempDir,
    maker: Maker,
}

impl Folder {
    fn new() -> Self {
        let folder = Self { place: tempfile::tempdir().unwrap(), maker: Maker::yubihsm() };
        folder.file("yubihsm/root.pem", &maker::pem(&folder.maker.root));
        folder
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("anchors")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.at(name), Permissions::from_mode(mode)).unwrap();
    }

    /// A file, mode 0644 in folders of mode 0755.
    fn file(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for above in path.ancestors().skip(1).take_while(|it| it.starts_with(self.path())) {
            fs::set_permissions(above, Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    }

    fn load_from(path: &Path) -> Result<Anchors, AttestationError> {
        let mut anchors = Anchors::none();
        anchors.load(path).map(|()| anchors)
    }

    fn load(&self) -> Result<Anchors, AttestationError> {
        Self::load_from(&self.path())
    }

    /// What is said of the device of the maker, or why nothing was loaded.
    fn examined(&self) -> String {
        let leaf = Maker::yubihsm_leaf(&spki()).sign(&self.maker.device_key);
        let shown =
            DeviceCertificates(vec![leaf, self.maker.device.clone(), self.maker.sub.clone()]);
        match self.load() {
            Ok(anchors) => named(Verifier::new(anchors).examine(&shown, now())),
            Err(AttestationError::Folder(error)) => match *error {
                KeystoreError::Unsafe { problem, .. } => problem,
                error => error.to_string(),
            },
            Err(error) => crate::error::in_full(&error),
        }
    }
}

#[test]
fn a_folder_of_anchors_has_roots_and_intermediates_by_class() {
    let folder = Folder::new();
    assert_eq!(folder.examined(), "accepted");
    folder.file("yubihsm/sub.pem", &maker::pem(&folder.maker.sub));
    folder.file("yubihsm/README", "no certificate");
    assert_eq!(folder.examined(), "accepted");
    let leaf = Maker::yubihsm_leaf(&spki()).sign(&folder.maker.device_key);
    let two = DeviceCertificates(vec![leaf, folder.maker.device.clone()]);
    let verifier = Verifier::new(folder.load().unwrap());
    assert_eq!(named(verifier.examine(&two, now())), "accepted");
    // The root alone is believed.
    fs::remove_file(folder.at("yubihsm/root.pem")).unwrap();
    assert_eq!(folder.examined(), "NoIssuer");
    fs::remove_file(folder.at("yubihsm/sub.pem")).unwrap();
    for nowhere in [folder.path(), folder.at("none")] {
        let error = Folder::load_from(&nowhere).unwrap_err();
        assert!(matches!(error, AttestationError::NoAnchors { .. }), "{error:?}");
    }
}

#[test]
fn a_folder_that_others_can_write_to_is_refused_wherever_that_is() {
    let folder = Folder::new();
    for (name, mode) in [
        ("yubihsm/root.pem", 0o664),
        ("yubihsm/root.pem", 0o666),
        ("yubihsm", 0o775),
        ("yubihsm", 0o1777),
        ("", 0o775),
        ("", 0o777),
        ("", 0o1777),
    ] {
        folder.mode(name, mode);
        let said = folder.examined();
        assert!(said.contains(&format!("its mode is {mode:04o}")), "{name} {mode:o}: {said}");
        folder.mode(name, if name.ends_with("pem") { 0o644 } else { 0o755 });
        assert_eq!(folder.examined(), "accepted");
    }
    // Above it, as with a file that has a PIN.
    let above = folder.place.path();
    fs::set_permissions(above, Permissions::from_mode(0o777)).unwrap();
    let said = folder.examined();
    assert!(said.contains("anybody can exchange what is in it"), "{said}");
    fs::set_permissions(above, Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(folder.examined(), "accepted");
    let error = {
        folder.mode("", 0o777);
        folder.load().unwrap_err()
    };
    assert!(error.help().unwrap().contains("chmod go-w"), "{error:?}");
}

/// Links of our own are followed to what is as safe, and one of a stranger's never is.
#[test]
fn a_link_of_a_strangers_chooses_nobody_whom_we_believe() {
    let folder = Folder::new();
    fs::rename(folder.at("yubihsm"), folder.at("real")).unwrap();
    symlink("real", folder.at("yubihsm")).unwrap();
    assert_eq!(folder.examined(), "accepted");
    folder.mode("real", 0o777);
    assert!(folder.examined().contains("its mode is 0777"));
    folder.mode("real", 0o755);
    fs::rename(folder.at("real/root.pem"), folder.at("real/of")).unwrap();
    symlink("of", folder.at("real/root.pem")).unwrap();
    assert_eq!(folder.examined(), "accepted");
    folder.mode("real/of", 0o666);
    assert!(folder.examined().contains("its mode is 0666"));
    folder.mode("real/of", 0o644);
    let dir = folder.place.path().join("link");
    symlink("anchors", &dir).unwrap();
    assert!(Folder::load_from(&dir).is_ok());
    if rustix::process::geteuid().is_root() {
        for link in [folder.at("yubihsm"), folder.at("real/root.pem"), dir] {
            lchown(&link, Some(1234), None).unwrap();
            let path = if link.ends_with("link") { link.clone() } else { folder.path() };
            let error = Folder::load_from(&path).unwrap_err().to_string();
            assert!(error.contains("symbolic link of user 1234"), "{error}");
            lchown(&link, Some(0), None).unwrap();
        }
        lchown(folder.path(), Some(1234), None).unwrap();
        assert!(folder.examined().contains("it belongs to user 1234"));
        lchown(folder.path(), Some(0), None).unwrap();
    }
    // What leads nowhere is not taken for what is not there.
    fs::remove_file(folder.at("yubihsm")).unwrap();
    symlink("nowhere", folder.at("yubihsm")).unwrap();
    let error = folder.load().unwrap_err();
    assert!(matches!(error, AttestationError::Folder(_)), "{error:?}");
}

/// Self-issued is not self-signed: whoever is given a certificate with its own name as the issuer's
/// is no root for that.
#[test]
fn a_certificate_that_only_names_itself_as_its_issuer_is_no_root() {
    let folder = Folder::new();
    let own = Signer::p256();
    let form = Form::new("Root", "Root", folder.maker.root_key.spki()).with(authority(None));
    folder.file("yubihsm/root.pem", &maker::pem(&form.sign(&own)));
    assert_eq!(folder.examined(), "Signature");
    folder.file("yubihsm/root.pem", &maker::pem(&form.sign(&folder.maker.root_key)));
    assert_eq!(folder.examined(), "accepted");
    // With a signature that is not verified here it cannot be told.
    let mut sha1 = form;
    sha1.algorithm = Some(maker::RSA_SHA1);
    folder.file("yubihsm/root.pem", &maker::pem(&sha1.sign(&own)));
    assert!(folder.examined().contains("certificate 0 is signed with SHA-1"));
}

/// As Yubico's file of all its roots, U2F, OpenPGP and FIDO among them.
#[test]
fn a_bundle_of_a_makers_roots_is_not_taken_for_anchors_of_one_class() {
    let folder = Folder::new();
    let roots = maker::pem(&folder.maker.root) + &maker::pem(&Maker::yubihsm().root);
    folder.file("yubihsm/root.pem", &roots);
    let said = folder.examined();
    assert!(said.contains("there are 2 roots in one file"), "{said}");
    assert!(folder.load().unwrap_err().help().unwrap().contains("other products"));
    let mixed = maker::pem(&folder.maker.root) + &maker::pem(&folder.maker.sub);
    folder.file("yubihsm/root.pem", &mixed);
    assert_eq!(folder.examined(), "accepted");
}

/// What the page and the documentation of the anchors send to is one root and intermediates.
#[test]
fn the_documents_send_to_one_root_and_not_to_a_bundle_of_them() {
    const ROOT_1: &str = "62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8";
    let page = include_str!("../../../docs/attestation.md");
    let source = include_str!("../anchors.rs");
    for text in [page, source] {
        for named in ["PKI/yubico-ca-1.pem", "PKI/yubico-intermediate.pem", ROOT_1] {
            assert!(text.contains(named), "{named}");
        }
        assert!(!text.contains("PKI/yubico-ca-certs.txt"));
    }
}
