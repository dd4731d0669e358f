//! `icnctl attestation`, as a relying party and a node use it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::PathBuf;

use icn_identity::Did;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::home::{Home, PASSPHRASE, Ran};
use support::maker::{Maker, pem};
use support::softhsm::SoftHsm;

const AUDIENCE: &str = "treasury@coop.example";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An identity, the maker of the device that its key is said to be in, and files beside.
struct Node {
    home: Home,
    maker: Maker,
}

impl Node {
    fn new() -> Self {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        home.ok(&["id", "init"], b"");
        let node = Self { home, maker: Maker::yubihsm() };
        let anchors = node.home.beside("anchors");
        fs::create_dir_all(anchors.join("yubihsm")).unwrap();
        for folder in [&anchors, &anchors.join("yubihsm")] {
            fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        }
        let root = anchors.join("yubihsm/root.pem");
        fs::write(&root, pem(&node.maker.root)).unwrap();
        fs::set_permissions(root, Permissions::from_mode(0o644)).unwrap();
        let leaf = Maker::yubihsm_leaf(&node.spki()).sign(&node.maker.device_key);
        fs::write(node.file("leaf.pem"), pem(&leaf)).unwrap();
        let chain = pem(&node.maker.device) + &pem(&node.maker.sub);
        fs::write(node.file("chain.pem"), chain).unwrap();
        node
    }

    fn spki(&self) -> Vec<u8> {
        Did::parse(&self.did()).unwrap().verifying_key().to_spki_der()
    }

    fn did(&self) -> String {
        self.home.show()["did"].as_str().unwrap().to_owned()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.beside(name)
    }

    fn text(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    fn challenge(&self) -> String {
        let file = self.text("challenge.json");
        let _ = fs::remove_file(&file);
        self.home.ok(&["attestation", "challenge", "--audience", AUDIENCE, "-o", &file], b"");
        file
    }

    fn create(&self, challenge: &str, output: &str) -> Ran {
        let (leaf, chain) = (self.text("leaf.pem"), self.text("chain.pem"));
        let what = ["attestation", "create", "--challenge", challenge, "--certificate", &leaf];
        self.home.icnctl(&[&what[..], &["--chain", &chain, "-o", output]].concat(), b"")
    }

    fn verify(&self, file: &str, more: &[&str]) -> Ran {
        let anchors = self.text("anchors");
        let what = ["attestation", "verify", file, "--anchors", &anchors];
        self.home.icnctl(&[&what[..], more].concat(), b"")
    }
}

#[test]
fn a_challenge_is_answered_and_verified_and_another_one_is_not_valid() {
    let node = Node::new();
    let challenge = node.challenge();
    let output = node.text("attestation.json");
    let ran = node.create(&challenge, &output);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // Only who asked knows this maker.
    assert!(ran.err.contains("warning: by what is known here"), "{}", ran.err);
    let did = node.did();
    let ran = node.verify(&output, &["--challenge", &challenge, "--did", &did]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    // Whose word it is: that of a root of who verifies, and not Yubico's for being of its class.
    let sha256 = hex(&Sha256::digest(&node.maker.root));
    let told = format!(
        "Device      YubiHSM 2, serial 31650425, firmware 2.4.0\nAttested by CN=Root, a root of your own, by \
         --anchors\nRoot        SHA-256 {sha256}\n"
    );
    assert!(ran.out.starts_with("valid\n") && ran.out.contains(&told), "{}", ran.out);
    assert!(!ran.out.contains("Yubico"), "{}", ran.out);
    assert!(!ran.out.contains("secure"), "{}", ran.out);
    let json = ["--challenge", &challenge, "--did", &did, "--format", "json"];
    let value: Value = serde_json::from_str(&node.verify(&output, &json).out).unwrap();
    assert_eq!((&value["valid"], &value["provenance"]), (&true.into(), &"hardware".into()));
    assert_eq!(value["device"]["serial"], 31_650_425);
    let root = serde_json::json!({ "subject": "CN=Root", "sha256": sha256, "built_in": false });
    assert_eq!((&value["root"], &value["attested_by"]), (&root, &"CN=Root".into()));
    // Whose it has to be was not said.
    let ran = node.verify(&output, &["--challenge", &challenge]);
    assert!(ran.code == 0 && ran.err.contains("--did"), "{}", ran.err);
    let other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    let ran = node.verify(&output, &["--challenge", &challenge, "--did", other]);
    assert!(ran.code == 1 && ran.out.contains("not of did:key:"), "{}", ran.out);
    // An answer to another challenge, for another audience, or by nobody's anchors.
    let ran = node.verify(&output, &["--challenge", &node.challenge()]);
    assert!(ran.code == 1 && ran.out.contains("does not answer this challenge"), "{}", ran.out);
    let ran = node.verify(&output, &["--audience", "bank@other.example", "--within", "600"]);
    assert!(ran.code == 1 && ran.out.contains("treasury@coop.example"), "{}", ran.out);
    let ran = node.verify(&output, &["--audience", AUDIENCE, "--within", "600"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let what = ["attestation", "verify", &output, "--audience", AUDIENCE, "--within", "600"];
    let ran = node.home.icnctl(&what, b"");
    assert!(ran.code == 1 && ran.out.contains("CN=Root") && ran.out.contains("--anchors"));
    let newer = ["--audience", AUDIENCE, "--within", "600", "--firmware", "yubihsm=2.4.1"];
    let ran = node.verify(&output, &newer);
    assert!(ran.code == 1 && ran.out.contains("2.4.1 is demanded"), "{}", ran.out);
}

#[test]
fn what_could_not_be_told_is_2_and_needs_no_home() {
    let node = Node::new();
    let nowhere = Home::new();
    let garbage = node.text("garbage.json");
    fs::write(&garbage, "{}").unwrap();
    let what = ["attestation", "verify", "--audience", AUDIENCE, "--within", "60"];
    for file in [&garbage[..], "/nonexistent"] {
        let ran = nowhere.icnctl(&[&what[..], &[file]].concat(), b"");
        assert_eq!(ran.code, 2, "{} {}", ran.out, ran.err);
    }
    // There is no "whenever".
    let ran = nowhere.icnctl(&["attestation", "verify", &garbage], b"");
    assert!(ran.code == 2 && ran.err.contains("--challenge"), "{}", ran.err);
    let ran = nowhere.icnctl(&["attestation", "verify", &garbage, "--audience", AUDIENCE], b"");
    assert!(ran.code == 2 && ran.err.contains("--within"), "{}", ran.err);
    let ran = nowhere.icnctl(&["attestation", "challenge", "--audience", AUDIENCE], b"");
    let value: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(value["format"], "icn-attestation-challenge/v1");
    // Nor one that takes longer than any challenge.
    for seconds in ["2592001", "18446744073709551615"] {
        for (what, text) in [
            (
                &["attestation", "challenge", "--audience", AUDIENCE, "--valid-for", seconds][..],
                "from 1s to 30d",
            ),
            (
                &["attestation", "verify", &garbage, "--audience", AUDIENCE, "--within", seconds],
                "at most 2592000",
            ),
        ] {
            let ran = nowhere.icnctl(what, b"");
            assert!(ran.code == 2 && ran.err.contains(text), "{}", ran.err);
        }
    }
    let most = ["attestation", "challenge", "--audience", AUDIENCE, "--valid-for", "2592000"];
    nowhere.ok(&most, b"");
}

/// Somebody else who may write to the folder puts one of his own in its place, or that of another class of
/// devices, and is told to whoever verifies.
#[test]
fn who_could_exchange_the_anchors_is_not_believed() {
    let node = Node::new();
    let (challenge, output) = (node.challenge(), node.text("attestation.json"));
    assert_eq!(node.create(&challenge, &output).code, 0);
    let asked = ["--challenge", &challenge, "--did", &node.did()];
    assert_eq!(node.verify(&output, &asked).code, 0);
    let anchors = node.file("anchors");
    let mode = |mode| fs::set_permissions(&anchors, Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    let ran = node.verify(&output, &asked);
    assert!(ran.code == 2 && ran.err.contains("its mode is 0777"), "{} {}", ran.out, ran.err);
    assert!(ran.err.contains("chmod go-w"), "{}", ran.err);
    // What he has exchanged while he could, once the mode is what it should be.
    for (real, link) in [("downloads", "../downloads"), ("anchors/yubikey-piv", "yubikey-piv")] {
        let (real, folder) = (node.file(real), anchors.join("yubihsm"));
        fs::rename(&folder, &real).unwrap();
        symlink(link, &folder).unwrap();
        mode(0o755);
        assert_eq!(node.verify(&output, &asked).code, 0, "a link of one's own is followed");
        if rustix::process::geteuid().is_root() {
            lchown(&folder, Some(1234), Some(1234)).unwrap();
            let ran = node.verify(&output, &asked);
            assert_eq!(ran.code, 2, "{} {}", ran.out, ran.err);
            assert!(ran.err.contains("a symbolic link of user 1234"), "{}", ran.err);
        }
        fs::remove_file(&folder).unwrap();
        fs::rename(&real, &folder).unwrap();
    }
}

#[test]
fn show_says_what_the_file_says_and_that_it_is_not_verified() {
    let node = Node::new();
    let output = node.text("attestation.json");
    assert_eq!(node.create(&node.challenge(), &output).code, 0);
    let shown = Home::new().ok(&["attestation", "show", &output], b"");
    assert!(shown.starts_with("Not verified.") && shown.contains(&node.did()), "{shown}");
    assert!(shown.contains("3 certificates"), "{shown}");
}

#[test]
fn a_key_that_was_imported_is_accepted_on_request_alone() {
    let node = Node::new();
    let imported = Maker::yubihsm_leaf(&node.spki()).having("1.3.6.1.4.1.41482.4.3", &[3, 2, 0, 2]);
    fs::write(node.file("leaf.pem"), pem(&imported.sign(&node.maker.device_key))).unwrap();
    let (challenge, output) = (node.challenge(), node.text("attestation.json"));
    assert_eq!(node.create(&challenge, &output).code, 0);
    let asked = ["--challenge", &challenge, "--did", &node.did()];
    let ran = node.verify(&output, &asked);
    assert!(ran.code == 1 && ran.out.contains("copies may exist"), "{}", ran.out);
    assert!(ran.out.contains("--allow-imported"), "{}", ran.out);
    let ran = node.verify(&output, &[&asked[..], &["--allow-imported"]].concat());
    assert!(ran.code == 0 && ran.out.contains("Provenance  device-held"), "{}", ran.out);
    // Who makes it is told before, if it can be known.
    let (leaf, chain, anchors) =
        (node.text("leaf.pem"), node.text("chain.pem"), node.text("anchors"));
    let what = ["attestation", "create", "--challenge", &challenge, "--certificate", &leaf];
    let what = [&what[..], &["--chain", &chain, "--anchors", &anchors]].concat();
    let ran = node.home.icnctl(&what, b"");
    assert!(ran.code == 0 && ran.err.contains("was imported into its device"), "{}", ran.err);
}

/// Without a challenge, one of one's own.
#[test]
fn an_answer_that_nobody_asked_for_is_valid_for_its_audience_while_it_is_young() {
    let node = Node::new();
    let (leaf, chain) = (node.text("leaf.pem"), node.text("chain.pem"));
    let output = node.text("attestation.json");
    let what = ["attestation", "create", "--audience", AUDIENCE, "--certificate", &leaf];
    node.home.ok(&[&what[..], &["--chain", &chain, "-o", &output]].concat(), b"");
    let within = ["--did", &node.did(), "--audience", AUDIENCE, "--within", "600"];
    assert_eq!(node.verify(&output, &within).code, 0);
}

/// Whatever is wrong is said before a passphrase is asked for, and nothing is written.
#[test]
fn what_cannot_be_attested_is_refused_before_the_key_is_opened() {
    let node = Node::new();
    let challenge = node.challenge();
    let output = node.text("attestation.json");
    let wrong = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    wrong.ok(&["id", "init"], b"");
    let (leaf, chain) = (node.text("leaf.pem"), node.text("chain.pem"));
    let what = ["attestation", "create", "--challenge", &challenge, "--certificate", &leaf];
    let what = [&what[..], &["--chain", &chain, "-o", &output]].concat();
    let wrong = wrong.with("ICN_PASSPHRASE", "not the passphrase");
    let ran = wrong.icnctl(&what, b"");
    assert!(ran.code == 1 && ran.err.contains("is not that of"), "{} {}", ran.code, ran.err);
    assert!(!node.file("attestation.json").exists());
    fs::write(&output, "there").unwrap();
    assert_eq!(node.create(&challenge, &output).code, 1);
    assert_eq!(fs::read_to_string(&output).unwrap(), "there");
}

#[test]
fn an_answer_has_its_line_in_the_audit_log() {
    let node = Node::new();
    fs::write(node.home.path("audit.log"), "").unwrap();
    fs::set_permissions(node.home.path("audit.log"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(node.create(&node.challenge(), &node.text("attestation.json")).code, 0);
    let lines = node.home.read("audit.log");
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["result"]), (&"attest".into(), &"allowed".into()), "{last}");
}

/// A token that shows the certificates of its keys: those of the identity's key are found, whatever
/// else is there, and nobody has to name a file.
#[test]
fn the_certificates_of_the_key_are_found_on_its_token() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let spki = Did::parse(&did).unwrap().verifying_key().to_spki_der();
    let (challenge, output) = (home.beside("challenge.json"), home.beside("attestation.json"));
    let (challenge, output) = (challenge.to_str().unwrap(), output.to_str().unwrap());
    home.ok(&["attestation", "challenge", "--audience", AUDIENCE, "-o", challenge], b"");
    let create = ["attestation", "create", "--challenge", challenge, "-o", output];
    let ran = home.icnctl(&create, b"");
    assert!(ran.code == 1 && ran.err.contains("--certificate"), "{}", ran.err);
    let (maker, stranger) = (Maker::yubihsm(), Maker::yubihsm());
    let others = Maker::yubihsm_leaf(&stranger.sub_key.spki()).sign(&maker.device_key);
    let leaf = Maker::yubihsm_leaf(&spki).sign(&maker.device_key);
    let plain = support::maker::Form::new("Key", "Device", spki).sign(&maker.device_key);
    let all = [&maker.sub, &others, &plain, &stranger.device, &leaf, &maker.device];
    for (number, der) in all.iter().enumerate() {
        let file = home.beside(&format!("{number}.der"));
        fs::write(&file, der).unwrap();
        let (file, id) = (file.to_str().unwrap(), format!("{number:02}"));
        let what = ["--write-object", file, "--type", "cert", "--id", &id, "--label", &id];
        hsm.pkcs11_tool_on("node-1", &what);
    }
    home.ok(&create, b"");
    let anchors = home.beside("anchors/yubihsm");
    fs::create_dir_all(&anchors).unwrap();
    for folder in [anchors.parent().unwrap(), &anchors] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(anchors.join("root.pem"), pem(&maker.root)).unwrap();
    fs::set_permissions(anchors.join("root.pem"), Permissions::from_mode(0o644)).unwrap();
    let anchors = home.beside("anchors");
    let what = ["attestation", "verify", output, "--challenge", challenge, "--did", &did];
    let what = [&what[..], &["--anchors", anchors.to_str().unwrap()]].concat();
    let ran = home.icnctl(&what, b"");
    assert!(ran.code == 0 && ran.out.contains("Provenance  hardware"), "{} {}", ran.out, ran.err);
}
