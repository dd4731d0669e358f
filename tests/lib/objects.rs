//! A struct in JSON is an object, a name is a string, each member is there once, and in
//! any order: in every format that somebody else may have written, and in ours.

mod node;
mod read;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use icn_identity::backend::{AgeKeyStore, PcrValues};
use icn_identity::bundle::{BindingNumber, Instance, UnverifiedBinding};
use icn_identity::config::Config;
use icn_identity::did::DidDocument;
use icn_identity::keystore::IdentityStore;
use icn_identity::peer::{PeerBook, SequenceStore as _};
use icn_identity::rotation::{RotationReason, RotationTerms};
use icn_identity::{
    DidMethod, IdentityBundle, Key, Passphrase, RotationChain, RotationStatement, Software,
    Unlocked, VerifyingKey,
};

use self::node::Node;
pub(super) use self::read::READ;
use super::ledger::files;

fn software() -> Key<Software, Unlocked> {
    Key::generate().unwrap()
}

/// That every object of a text, by itself, is taken with its members in another order,
/// and not as the array of its values, nor with a member that is there twice.
fn only_objects(what: &str, json: &str, mut is_taken: impl FnMut(&str) -> bool) {
    let whole = Node::parse(json);
    assert!(is_taken(&whole.to_string()), "{what}: {json}");
    let objects = whole.objects();
    assert!(!objects.is_empty(), "{what}");
    for place in objects {
        let reversed = whole.with(&place, Node::reversed);
        assert!(is_taken(&reversed.to_string()), "{what} at {place:?}: {reversed}");
        let array = whole.with(&place, Node::values);
        assert!(!is_taken(&array.to_string()), "{what} at {place:?}: {array}");
        for member in 0..whole.at(&place).len() {
            let doubled = whole.with(&place, |object| object.doubled(member));
            assert!(!is_taken(&doubled.to_string()), "{what} at {place:?}: {doubled}");
        }
    }
}

#[test]
fn a_did_document_is_objects_only() {
    let bundle = IdentityBundle::issue(software()).unwrap();
    let json = bundle.did_document().unwrap().to_json().unwrap();
    only_objects("DID document", &json, |text| DidDocument::parse(text.as_bytes()).is_ok());
}

#[test]
fn a_rotation_is_objects_only_and_its_reason_a_string() {
    let (old, new) = (software(), software());
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let statement = RotationStatement::sign_unguarded(&old, &new, None, &terms).unwrap();
    // In the order of the fields: canonical JSON is in that of the alphabet.
    let json = serde_json::to_string(&statement).unwrap();
    let is_taken = |text: &str| RotationStatement::from_json(text.as_bytes()).is_ok();
    only_objects("statement", &json, is_taken);
    only_objects("chain", &format!("[{json}]"), |text| {
        RotationChain::from_json(text.as_bytes()).is_ok()
    });
    for (name, written) in [
        ("\"scheduled\"", "{\"scheduled\":null}"),
        ("\"icn-identity/rotation\"", "{\"icn-identity/rotation\":null}"),
        ("\"software\"", "{\"software\":null}"),
    ] {
        let forged = json.replacen(name, written, 1);
        assert!(forged != json && !is_taken(&forged), "{forged}");
    }
}

#[test]
fn a_binding_is_an_object_only_whoever_reads_it() {
    let bundle = IdentityBundle::issue(software()).unwrap();
    let json = serde_json::to_string(&bundle.binding()).unwrap();
    only_objects("binding", &json, |text| {
        serde_json::from_str::<UnverifiedBinding>(text).is_ok_and(|read| read.verify().is_ok())
    });
}

#[test]
fn a_jwk_and_pcr_values_are_objects_only() {
    let key = *software().verifying_key();
    // With all that it may have, in the order of the fields.
    let jwk = key.to_jwk().replace('}', ",\"y\":null,\"d\":null}");
    only_objects("JWK", &jwk, |text| VerifyingKey::from_jwk(text).is_ok());
    let values = format!("{{\"bank\":\"sha256\",\"values\":{{\"7\":\"{}\"}}}}", "0".repeat(64));
    only_objects("PCR values", &values, |text| PcrValues::parse(text).is_ok());
    let twice = format!("sha256:\n  7 : 0x{0}\n  7 : 0x{0}\n", "0".repeat(64));
    assert!(PcrValues::parse(&twice).is_err());
}

#[test]
fn the_header_and_the_note_of_what_was_begun_are_objects_only() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::parse("[identity.age]\nwork_factor = 10\n").unwrap().identity.age;
    let backend = AgeKeyStore::with_config(dir.path().join("icn"), &config);
    let _made = backend.create_identity(DidMethod::Icn, &Passphrase::new("x")).unwrap();
    let store = IdentityStore::new(backend.home());
    let path = backend.home().join("identity.json");
    let json = fs::read_to_string(&path).unwrap();
    // The DID document in it is read by itself, later.
    let without = Node::parse(&json).without("did_document").to_string();
    only_objects("header", &without, |text| {
        fs::write(&path, text).unwrap();
        store.header().is_ok()
    });

    fs::remove_file(&path).unwrap();
    let note = backend.home().join("unfinished.json");
    let did = software().did().clone();
    let json = format!(
        "{{\"format\":\"icn-identity-unfinished\",\"version\":1,\"dids\":[\"{did}\"],\
         \"device\":null}}"
    );
    only_objects("note", &json, |text| {
        private(&note, text);
        store.unfinished().is_ok()
    });
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn the_book_of_peers_is_objects_only() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("peers");
    let (old, new) = (software(), software());
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let statement = RotationStatement::sign_unguarded(&old, &new, None, &terms).unwrap();
    let book = PeerBook::open(&directory).unwrap();
    book.allow(old.did(), "name").unwrap();
    book.follow(&RotationChain::verify([statement]).unwrap()).unwrap();
    let number = BindingNumber { epoch: 1, sequence: 2 };
    book.admit(new.did(), &Instance::from_bytes([7; 16]), number).unwrap();
    let list = directory.join("peers.json");
    let json = fs::read_to_string(&list).unwrap();
    only_objects("peers.json", &json, |text| {
        private(&list, text);
        PeerBook::open(&directory).is_ok_and(|book| book.list().is_ok())
    });
    private(&list, &json);
    let seen = directory.join("seen").join(format!("{}.json", new.did()));
    let json = fs::read_to_string(&seen).unwrap();
    only_objects("seen", &json, |text| {
        private(&seen, text);
        let later = BindingNumber { epoch: 1, sequence: 2 };
        book.admit(new.did(), &Instance::from_bytes([7; 16]), later).is_ok()
    });
}

#[test]
fn a_table_of_the_configuration_is_a_table_and_no_array() {
    let good = "[identity]\nbackend = \"age\"\nage = { work_factor = 10, max_work_factor = 20 }\n";
    assert!(Config::parse(good).is_ok());
    for wrong in [
        "identity = [\"age\"]\n",
        "[identity]\nage = [10, 20]\n",
        "[identity]\npkcs11 = [\"/m.so\"]\n",
        "[[identity]]\nbackend = \"age\"\n",
        "[identity]\nbackend = { age = 1 }\n",
        "[identity]\ntpm = { policy = { literal = 1 } }\n",
    ] {
        let error = Config::parse(wrong).unwrap_err().to_string();
        assert!(error.contains("line "), "{wrong}: {error}");
    }
}

/// What is read elsewhere is read by serde's own rules.
#[test]
fn all_json_is_read_in_one_place() {
    let readers = ["serde_json::from_", "serde_json::Deserializer", "de::from_str", "StreamDe"];
    let may = ["src/encoding/objects.rs", "src/keystore/legacy/"];
    let mut wrong = Vec::new();
    let (mut read, mut found) = (0, 0);
    for file in files("src") {
        let name = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        read += 1;
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (line, text) in code.lines().zip(1..) {
            let code = line.split("//").next().unwrap();
            if !readers.iter().any(|reader| code.contains(reader)) {
                continue;
            }
            found += 1;
            // What this program has written itself a moment ago.
            let ours = name == "src/bin/icnctl/output.rs" && code.contains("to_jwk()");
            if !ours && !may.iter().any(|may| name.starts_with(may)) {
                wrong.push(format!("{name}:{text}: {line}"));
            }
        }
    }
    assert!(read > 300 && found > 1, "{read} files, {found} readers");
    assert!(wrong.is_empty(), "read by `encoding::objects`:\n{}", wrong.join("\n"));
}
