//! `policy = "authorized"`: an approver signs other PCR values.

use std::process::Command;

use serde_json::{Value, json};
use support::home::{run, write_private};

use super::approver::Approver;
use super::node::{BOTH, Node};

const HELP: &str = "have these values approved (`icnctl tpm approve`, then `icnctl tpm install`)";
const FOREIGN: &str = "it is for another identity or other PCRs, by another approver, or changed";

fn authorized(algorithm: &str, approver: &Approver, more: &[&str]) -> Node {
    let public = approver.public();
    let policy = ["--policy", "authorized", "--approver", &public];
    Node::with_identity(algorithm, &[&policy[..], more].concat())
}

/// What the node prints for its approver.
fn request(node: &Node) -> String {
    node.spends(0, || node.alone(&["--format", "json", "tpm", "check"])).out
}

/// `tpm install`, which wants no PIN.
fn install(node: &Node, approval: &Value) -> support::home::Ran {
    let file = node.file("approval.json", &approval.to_string());
    node.spends(0, || node.alone(&["tpm", "install", &file]))
}

/// And sweeps away what another that was killed has left.
fn installs(node: &Node, approval: &Value) {
    let left = ".tpm-approvals.json.0123456789abcdef01234567";
    node.home.write(left, "half of something");
    let ran = install(node, approval);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(!node.home.path(left).exists());
}

/// By what both objects open now.
fn opens_by(node: &Node) -> String {
    let checked = node.json(&["tpm", "check"]);
    let [key, storage] = [0, 1].map(|index| checked["objects"][index]["by"].clone());
    assert_eq!(key, storage);
    key.as_str().unwrap().to_owned()
}

#[test]
fn an_approval_opens_a_p256_identity_after_an_update() {
    approval_opens("p256", &[]);
}

#[test]
fn an_approval_opens_an_ed25519_identity_after_an_update() {
    approval_opens("ed25519", &[]);
}

#[test]
fn an_approval_opens_an_identity_without_a_pin() {
    approval_opens("ed25519", &["--no-pin"]);
}

fn approval_opens(algorithm: &str, more: &[&str]) {
    let approver = Approver::new();
    let mut node = authorized(algorithm, &approver, more);
    node.signs();
    assert_eq!(opens_by(&node), "literal");
    node.tpm.extend_pcr(16);
    node.is_refused_for_pcr_16(HELP);
    let text = node.alone(&["tpm", "check"]).out;
    assert!(text.contains("icnctl --format json tpm check > request.json"), "{text}");

    let approval = approver.approve(&request(&node), &[]);
    assert_eq!(approval["did"], node.home.show()["did"]);
    assert_eq!(approval["pcr"]["values"], json!({ "16": node.tpm.read_pcr(16) }));
    assert!(!node.home.path("tpm-approvals.json").exists());
    installs(&node, &approval);
    assert_eq!(opens_by(&node), "approval");
    node.signs();
    let text = node.ok(&["tpm", "check"]);
    assert_eq!(text.matches("(approved values)").count(), 2, "{text}");

    // The values of `id init` stay good, those of neither do not.
    node.tpm.extend_pcr(16);
    node.is_refused_for_pcr_16(HELP);
    node.tpm.restart();
    assert_eq!(opens_by(&node), "literal");
    node.signs();
    node.tpm.extend_pcr(16);
    node.signs();
}

#[test]
fn coming_values_are_approved_before_the_update() {
    for algorithm in BOTH {
        let approver = Approver::new();
        let node = authorized(algorithm, &approver, &["--no-pin"]);
        let coming = node.coming_values();
        let values = approver.path("coming");
        std::fs::write(&values, &coming).unwrap();
        let request = request(&node);
        let approval = approver.approve(&request, &["--pcr-values", values.to_str().unwrap()]);
        installs(&node, &approval);
        let file = node.file("coming", &coming);
        node.ok(&["tpm", "check", "--pcr-values", &file]);
        assert_eq!(opens_by(&node), "literal");
        node.tpm.extend_pcr(16);
        assert_eq!(opens_by(&node), "approval");
        node.signs();
        // The request of a check with these values asks for the same.
        node.reset_pcr_16();
        let check = ["--format", "json", "tpm", "check", "--pcr-values", &file];
        assert_eq!(approver.approve(&node.ok(&check), &[])["pcr"], approval["pcr"]);
    }
}

#[test]
fn several_approvals_stay_good_and_installing_one_twice_is_no_matter() {
    let approver = Approver::new();
    let node = authorized("p256", &approver, &["--no-pin"]);
    for _ in 0..3 {
        node.tpm.extend_pcr(16);
        let approval = approver.approve(&request(&node), &[]);
        installs(&node, &approval);
        installs(&node, &approval);
    }
    let kept: Value = serde_json::from_str(&node.home.read("tpm-approvals.json")).unwrap();
    assert_eq!(kept.as_array().unwrap().len(), 3);
    node.reset_pcr_16();
    node.signs();
    for _ in 0..3 {
        node.tpm.extend_pcr(16);
        node.signs();
    }
    node.tpm.extend_pcr(16);
    node.fails(&["sign"], &["PCR 16 (sha256)"]);
}

#[test]
fn an_approval_of_another_identity_or_approver_or_changed_is_refused() {
    let (approver, stranger) = (Approver::new(), Approver::new());
    let node = authorized("p256", &approver, &[]);
    let other = authorized("p256", &approver, &[]);
    let strange = authorized("p256", &stranger, &[]);
    for node in [&node, &other, &strange] {
        node.tpm.extend_pcr(16);
    }
    let refused = |approval: &Value, reason: &str| {
        let ran = install(&node, approval);
        assert_eq!(ran.code, 1, "{approval}: {}", ran.out);
        assert!(ran.err.contains(reason), "{approval}: {}", ran.err);
        assert!(!node.home.path("tpm-approvals.json").exists());
    };
    let foreign = approver.approve(&request(&other), &[]);
    refused(&foreign, FOREIGN);
    refused(&stranger.approve(&request(&strange), &[]), FOREIGN);
    let wanted = ["the identity names another approver than this key"];
    stranger.refuses(&request(&node), &[], &wanted);

    let good = approver.approve(&request(&node), &[]);
    let changed = |pointer: &str, value: Value| {
        let mut approval = good.clone();
        *approval.pointer_mut(pointer).unwrap() = value;
        approval
    };
    let flipped = |pointer: &str| {
        let text = good.pointer(pointer).unwrap().as_str().unwrap();
        let (start, end) = text.split_at(text.len() - 1);
        json!(format!("{start}{}", if end == "0" { '1' } else { '0' }))
    };
    for pointer in [
        "/pcr/values/16",
        "/signatures/0/signature",
        "/signatures/1/signature",
        "/signatures/0/policy_ref",
        "/signatures/1/policy_ref",
    ] {
        refused(&changed(pointer, flipped(pointer)), FOREIGN);
    }
    refused(&changed("/signatures", json!([good["signatures"][0]])), FOREIGN);
    refused(&changed("/pcr/values", json!({})), FOREIGN);
    refused(&changed("/format", json!("icn-tpm-approval-2")), "no approval of this version");
    refused(&json!({}), "no approval of this version");
    node.is_refused_for_pcr_16(HELP);

    // Put there past `tpm install`, they open nothing either.
    let all = json!([foreign, changed("/pcr/values/16", flipped("/pcr/values/16"))]);
    node.home.write("tpm-approvals.json", &all.to_string());
    node.is_refused_for_pcr_16(HELP);
    installs(&node, &good);
    node.signs();
}

/// No signature covers the DID in an approval; an operator reads it all the
/// same.
#[test]
fn an_approval_for_another_did_is_refused_although_it_fits() {
    let approver = Approver::new();
    let node = authorized("ed25519", &approver, &["--no-pin"]);
    node.tpm.extend_pcr(16);
    let mut approval = approver.approve(&request(&node), &[]);
    approval["did"] = json!("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK");
    let ran = install(&node, &approval);
    assert_eq!(ran.code, 1, "{}", ran.out);
}

/// What it is goes before who may read it, and the advice is on the key.
#[test]
fn a_key_that_is_not_the_approvers_is_said_to_be_what_it_is() {
    let approver = Approver::new();
    let node = authorized("ed25519", &approver, &["--no-pin"]);
    let request = request(&node);
    let openssl = |args: &[&str], out: &str| {
        let path = approver.path(out);
        let ran =
            run(Command::new("openssl").args(args).args(["-out", path.to_str().unwrap()]), b"");
        assert_eq!(ran.code, 0, "{}", ran.err);
    };
    let key = approver.path("key.pem").to_str().unwrap().to_owned();
    openssl(&["ec", "-in", &key], "sec1.pem");
    openssl(&["pkcs8", "-topk8", "-in", &key, "-passout", "pass:x"], "locked.pem");
    write_private(&approver.path("text"), "hello");
    for (file, wanted) in [
        ("public.pem", "it has a public key in it, and the private one signs"),
        ("sec1.pem", "in an older form (SEC1)"),
        ("locked.pem", "is encrypted with a passphrase"),
        ("text", "it has no P-256 key in PKCS#8 PEM in it"),
    ] {
        for mode in ["0600", "0644"] {
            run(Command::new("chmod").arg(mode).arg(approver.path(file)), b"");
            let ran = approver.icnctl_with(file, &request, &[]);
            assert_eq!(ran.code, 1, "{}", ran.err);
            if mode == "0600" || file == "public.pem" {
                assert!(ran.err.contains(wanted), "{file}: {}", ran.err);
                assert!(ran.err.contains("openssl genpkey"), "{file}: {}", ran.err);
                assert!(!ran.err.contains("tpm check"), "{file}: {}", ran.err);
            } else {
                assert!(ran.err.contains("chmod 600"), "{file}: {}", ran.err);
            }
        }
    }
    // And the other way round.
    let other = Node::new();
    let policy = ["--policy", "authorized", "--approver", &key, "--no-pin"];
    other.fails(&[&["id", "init"], &policy[..]].concat(), &["it has a private key in it"]);
}

#[test]
fn what_an_approver_cannot_use_is_refused_with_its_reason() {
    let approver = Approver::new();
    let node = authorized("p256", &approver, &["--no-pin"]);
    let request = request(&node);
    let literal = Node::with_identity("p256", &["--no-pin"]);
    let unasked = literal.ok(&["--format", "json", "tpm", "check"]);
    approver.refuses(&unasked, &[], &["no request for an approval", "\"authorized\""]);
    approver.refuses("garbage", &[], &["no request for an approval"]);
    for (values, reason) in [
        ("garbage".to_owned(), "cannot be read as PCR values"),
        (json!({ "bank": "sha256", "values": { "7": "00" } }).to_string(), "PCR values"),
        (json!({ "bank": "sha256", "values": { "16": "00" } }).to_string(), "no PCR values"),
    ] {
        let file = approver.path("values");
        std::fs::write(&file, values).unwrap();
        approver.refuses(&request, &["--pcr-values", file.to_str().unwrap()], &[reason]);
    }
    // A P-256 identity's policy names a number, others do not.
    let mut changed: Value = serde_json::from_str(&request).unwrap();
    let owner = changed["request"]["owner"].take();
    approver.refuses(&changed.to_string(), &[], &["the request's owner is not the DID's"]);
    changed["request"]["owner"] = owner;
    changed["request"]["did"] = json!("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK");
    approver.refuses(&changed.to_string(), &[], &["the request's owner is not the DID's"]);
    // An identity that takes no approvals.
    let approval = approver.approve(&request, &[]);
    let ran = install(&literal, &approval);
    assert!(ran.err.contains("it takes no approvals"), "{}", ran.err);

    let key = approver.path("key.pem");
    let mode = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&key, permissions).unwrap();
    };
    mode(0o644);
    approver.refuses(&request, &[], &["its mode is 0644", "chmod 600"]);
    mode(0o600);
    write_private(&key, &std::fs::read_to_string(approver.public()).unwrap());
    approver.refuses(&request, &[], &["it has a public key in it"]);
}

#[test]
fn an_approver_that_is_none_or_that_others_can_change_stops_init() {
    let approver = Approver::new();
    let node = Node::new();
    let init = |approver: &str, texts: &[&str]| {
        for algorithm in BOTH {
            let init = ["id", "init", "--algorithm", algorithm, "--policy", "authorized"];
            let approver: &[&str] =
                if approver.is_empty() { &[] } else { &["--approver", approver] };
            node.fails(&[&init[..], approver].concat(), texts);
        }
        assert!(!node.home.path("identity.json").exists());
    };
    init("", &["wants the approver's public key: `approver`"]);
    init("/nowhere/public.pem", &["cannot read /nowhere/public.pem"]);
    init(&node.file("garbage", "garbage"), &["no P-256 public key in PEM"]);
    let public = approver.public();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&public, permissions).unwrap();
    init(&public, &["its mode is 0666"]);
}

#[test]
fn approvals_that_cannot_be_read_are_left_aside_with_a_warning() {
    let approver = Approver::new();
    let node = authorized("ed25519", &approver, &[]);
    node.home.write("tpm-approvals.json", "garbage");
    let ran = node.icnctl(&["sign"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("warning: "), "{}", ran.err);
    assert!(
        ran.err.contains("tpm-approvals.json are not valid; approvals are left"),
        "{}",
        ran.err
    );
    assert_eq!(node.alone(&["tpm", "check"]).code, 0);
    node.tpm.extend_pcr(16);
    node.is_refused_for_pcr_16(HELP);
    // Perhaps there is a good one in it: it is not written over.
    let approval = approver.approve(&request(&node), &[]);
    let ran = install(&node, &approval);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.err.contains("move the file away"), "{}", ran.err);
    std::fs::remove_file(node.home.path("tpm-approvals.json")).unwrap();
    installs(&node, &approval);
    node.signs();
    assert_eq!(node.icnctl(&["sign"]).err, "");
    // So are those that others could have written.
    node.home.chmod("tpm-approvals.json", 0o666);
    node.fails(&["sign"], &["its mode is 0666", "approvals are left aside", "PCR 16 (sha256)"]);
    node.reset_pcr_16();
    node.signs();
}

#[test]
fn an_authorized_identity_is_resealed_and_approvals_stay_good() {
    let approver = Approver::new();
    let node = authorized("ed25519", &approver, &[]);
    node.tpm.extend_pcr(16);
    installs(&node, &approver.approve(&request(&node), &[]));
    node.ok(&["id", "reseal"]);
    assert_eq!(node.home.show()["locator"], "tpm2:parent=owner;policy=sha256:16+authorized+pin");
    node.signs();
    node.reset_pcr_16();
    node.is_refused_for_pcr_16(HELP);
    installs(&node, &approver.approve(&request(&node), &[]));
    node.signs();
    // From now on to literal values only.
    node.set("policy", "\"literal\"");
    node.ok(&["id", "reseal"]);
    node.tpm.extend_pcr(16);
    node.is_refused_for_pcr_16("boot the state that the key was made for");
}
