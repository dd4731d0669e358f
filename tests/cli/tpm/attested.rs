//! Attestation of keys in a TPM, by `icnctl`.

mod advised;
mod once;
mod page;
mod told;
mod verifier;
mod way;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use support::ek_maker::{EkMaker, P256_INDEX, RSA_INDEX};
use support::home::{Home, PASSPHRASE, Ran};
use support::maker::pem;
use support::wire::Wire;

use self::way::{AUDIENCE, Way};
use super::node::{Node, WRONG};

/// Asked for by `attestation` under `[identity.tpm]`; said by `id init` and `id show`, and no PIN is used.
#[test]
fn whether_this_tpm_can_be_attested_is_told_where_the_configuration_asks() {
    let node = Node::new();
    let quiet = node.init("p256", &[]);
    assert!(!quiet.contains("attested") && !node.ok(&["id", "show"]).contains("attested"));
    assert!(node.json(&["id", "show"])["attestation"].is_null());
    node.set("attestation", "true");
    let show = || (node.ok(&["id", "show"]), node.json(&["id", "show"])["attestation"].clone());
    let (text, json) = show();
    assert!(text.contains("cannot be attested: the TPM holds no certificate"), "{text}");
    assert!(text.contains("  try: get the certificate of its P-256"), "{text}");
    assert_eq!((&json["possible"], &json["ek_certificates"]), (&false.into(), &[""; 0].into()));
    node.tpm.store(RSA_INDEX, &[0x30]);
    let (text, json) = show();
    assert!(text.contains("The TPM holds certificates of: RSA-2048."), "{text}");
    assert_eq!(json["ek_certificates"], serde_json::json!(["RSA-2048"]));
    EkMaker::new().endorse(&node.tpm);
    let (text, json) = show();
    assert!(text.contains("The TPM can be attested: it holds its maker's certificate"), "{text}");
    assert_eq!(json["possible"], true);
    assert_eq!(json["ek_certificates"], serde_json::json!(["P-256", "RSA-2048"]));

    let node = Node::new();
    EkMaker::new().endorse(&node.tpm);
    node.set("attestation", "true");
    let made = node.init("p256", &[]);
    assert!(made.contains("The TPM can be attested"), "{made}");
    let node = Node::new();
    EkMaker::new().endorse(&node.tpm);
    node.set("attestation", "true");
    let made = node.init("ed25519", &[]);
    assert!(made.contains("cannot be attested: an Ed25519 key is sealed data"), "{made}");
    assert!(made.contains("a P-256 key, which is born in the TPM"), "{made}");
}

#[test]
fn a_key_in_a_tpm_is_attested_once_its_attestation_key_is_activated_or_vouched_for() {
    let way = Way::new(&[]);
    let challenge = way.challenge("challenge.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    // The join of both keys is missing.
    let ran = way.judge("verify", &attestation, &challenge, &[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let (secret, answer) = way.activate(&attestation, &challenge, "first");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let ran = way.judge("activate", &attestation, &challenge, &["--secret", &secret]);
    assert_eq!(ran.code, 2, "never over one that is there: {}", ran.out);
    let files = ["--secret", &secret, "--answer", &answer];
    let ran = way.judge("verify", &attestation, &challenge, &files);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let told = "Attested by CN=TPM Root, a root of your own, by --anchors; AK activated by you\n";
    assert!(ran.out.starts_with("valid\n") && ran.out.contains(told), "{}", ran.out);
    let device = "Device      TPM, STM TEST TPM, certified with version id:00010002, firmware ";
    assert!(ran.out.contains(device), "{}", ran.out);
    assert!(!ran.out.contains("secure"), "{}", ran.out);
    // Used once.
    let ran = way.judge("verify", &attestation, &challenge, &files);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    let told = ["there is no ", "it is removed once it was used", "icnctl attestation activate "];
    assert!(told.iter().all(|text| ran.err.contains(text)), "{}", ran.err);
    // What is no secret of this attestation stays.
    let victim = way.file("victim.age");
    fs::write(&victim, "an identity").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
    let ran =
        way.judge("verify", &attestation, &challenge, &["--secret", &victim, "--answer", &answer]);
    assert_eq!((ran.code, fs::read(&victim).unwrap()), (2, b"an identity".to_vec()), "{}", ran.err);
    // Another answer than the secret.
    let (secret, _) = way.activate(&attestation, &challenge, "second");
    let ran =
        way.judge("verify", &attestation, &challenge, &["--secret", &secret, "--answer", &answer]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(!std::path::Path::new(&secret).exists());
    // A word for others, who verify later attestations offline.
    let (secret, answer) = way.activate(&attestation, &challenge, "third");
    let endorsement = way.file("endorsement.json");
    let files =
        ["--secret", &secret, "--answer", &answer, "--valid-for", "90d", "-o", &endorsement];
    let ran = way.judge("endorse", &attestation, &challenge, &files);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let challenge = way.challenge("later.json");
    let attestation =
        way.create(&challenge, "later-attestation.json", &["--endorsement", &endorsement]);
    let endorser = way.party.show()["did"].as_str().unwrap().to_owned();
    let ran = way.judge("verify", &attestation, &challenge, &["--endorsed-by", &endorser]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(&format!("; AK vouched for by {endorser}\n")), "{}", ran.out);
    let endorsed = ["--format", "json", "--endorsed-by", &endorser];
    let ran = way.judge("verify", &attestation, &challenge, &endorsed);
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let device = &told["device"];
    assert_eq!((&device["maker"], &device["model"]), (&"STM".into(), &"TEST TPM".into()));
    assert_eq!((&device["class"], &device["serial"]), (&"tpm".into(), &serde_json::Value::Null));
    assert_eq!(device["certified_version"], "id:00010002");
    assert_eq!(device["certificate_sha256"].as_str().map(str::len), Some(64));
    assert_eq!(told["joined_by"]["endorsement"], endorser.as_str());
    // By nobody that is believed.
    let ran = way.judge("verify", &attestation, &challenge, &[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
}

#[test]
fn of_many_that_verify_an_answer_at_once_one_wins() {
    let way = Way::new(&[]);
    let challenge = way.challenge("challenge.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    let (secret, answer) = way.activate(&attestation, &challenge, "first");
    let files = ["--secret", &secret, "--answer", &answer];
    let won = std::thread::scope(|scope| {
        let verify = || way.judge("verify", &attestation, &challenge, &files).code;
        let all: Vec<_> = (0..4).map(|_| scope.spawn(verify)).collect();
        all.into_iter().map(|one| one.join().unwrap()).filter(|code| *code == 0).count()
    });
    assert_eq!(won, 1);
}

#[test]
fn a_wrong_pin_for_an_attestation_costs_one_try_and_is_asked_for_once() {
    let way = Way::new(&[]);
    let challenge = way.challenge("challenge.json");
    let [option, file] = way.node.pin_file(WRONG);
    let output = way.file("attestation.json");
    let args = ["attestation", "create", "--challenge", &challenge, "-o", &output, &option, &file];
    way.node.ends(77, 1, &args, &["the TPM refused the PIN; it was tried once"]);
    assert!(!std::path::Path::new(&output).exists());
}

/// What is wrong with certificates is said before a PIN is tried.
#[test]
fn a_certificate_that_cannot_be_used_costs_no_try() {
    let way = Way::new(&[]);
    let challenge = way.challenge("challenge.json");
    let [option, file] = way.node.pin_file(WRONG);
    let output = way.file("attestation.json");
    let args = ["attestation", "create", "--challenge", &challenge, "-o", &output, &option, &file];
    let chain = way.node.file("chain.pem", &pem(&way.maker.sub).repeat(6));
    let long = [&args[..], &["--chain", &chain]].concat();
    way.node.fails(&long, &["there are 7 certificates, and at most 6 are read"]);
    let foreign = EkMaker::ek(&way.maker.sub_key.spki()).sign(&way.maker.sub_key);
    way.node.tpm.store(P256_INDEX, &foreign);
    way.node.fails(&args, &["is not that of the endorsement key of this TPM"]);
    way.node.tpm.store_as(P256_INDEX, &foreign, "ownerwrite|authread", "theirs");
    way.node.fails(&args, &["was not read", "`no_da`", "tpm2_nvreadpublic 0x01c0000a"]);
}

/// As SECURITY.md says: it is the key that is attested, and not the place.
#[test]
fn a_tpm_that_is_elsewhere_and_reached_by_a_relay_is_accepted() {
    let way = Way::new(&[]);
    // The node has a wire to another machine's TPM in the place of its own.
    let relay = Wire::new(&way.node.tpm);
    way.node.set("device_path", &format!("{:?}", relay.tcti()));
    let challenge = way.challenge("challenge.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    // TPM2_Certify.
    assert!(relay.commands().contains(&0x148), "{:x?}", relay.commands());
    let (secret, answer) = way.activate(&attestation, &challenge, "first");
    // TPM2_ActivateCredential.
    assert!(relay.commands().contains(&0x147), "{:x?}", relay.commands());
    let files = ["--secret", &secret, "--answer", &answer];
    let ran = way.judge("verify", &attestation, &challenge, &files);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn an_ed25519_identity_is_not_attested_and_pointed_to_p256() {
    let node = Node::with_identity("ed25519", &[]);
    EkMaker::new().endorse(&node.tpm);
    let args = ["attestation", "create", "--audience", AUDIENCE];
    node.fails(&args, &["sealed data to the TPM", "P-256"]);
}

/// A state is demanded: its registers, its values, and that it is stated at all.
#[test]
fn a_machine_in_the_state_of_the_policy_is_accepted_and_in_no_other() {
    let way = Way::new(&[]);
    let tpm = &way.node.tpm;
    let printed = |list: &str| tpm.tool("tpm2_pcrread", &[list]);
    let file = |name: &str, text: &str| {
        let file = way.file(name);
        fs::write(&file, text).unwrap();
        file
    };
    let policy = file("policy.txt", &printed("sha256:0,8"));
    let challenge = way.challenge("challenge.json");
    let attestation = way.create(&challenge, "attestation.json", &["--quote", "0,8"]);
    let (secret, answer) = way.activate(&attestation, &challenge, "first");
    let endorsement = way.file("endorsement.json");
    let files = ["--secret", &secret, "--answer", &answer, "--valid-for", "9d", "-o", &endorsement];
    let demanded = [&files[..], &["--pcr-policy", &policy]].concat();
    let ran = way.judge("endorse", &attestation, &challenge, &demanded);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let endorser = way.party.show()["did"].as_str().unwrap().to_owned();
    let attest = |name: &str, quote: &[&str]| {
        let more = [&["--endorsement", &endorsement], quote].concat();
        way.create(&challenge, name, &more)
    };
    let verify = |attestation: &str, policy: &str| {
        let more = ["--endorsed-by", &endorser, "--pcr-policy", policy];
        way.judge("verify", attestation, &challenge, &more)
    };
    let said = |ran: &Ran, code: i32, text: &str| {
        assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
        assert!(format!("{}{}", ran.out, ran.err).contains(text), "{}{}", ran.out, ran.err);
    };
    let quoting = attest("quoting.json", &["--quote", "0,8"]);
    said(&verify(&quoting, &policy), 0, "\nPCRs        0,8 (sha256), as in the policy\n");
    let unmeasured = "note: PCRs 0,8 of the policy are zero: nothing has measured into them";
    said(&verify(&quoting, &policy), 0, unmeasured);
    let values = printed("sha256:0,8");
    let mut values =
        values.lines().filter_map(|line| line.split_once(": 0x")).map(|(_, value)| value);
    let (zero, eight) = (values.next().unwrap().trim(), values.next().unwrap().trim());
    let json = format!(r#"{{"bank":"sha256","values":{{"8":"{eight}","0":"{zero}"}}}}"#);
    said(&verify(&quoting, &file("policy.json", &json)), 0, "as in the policy");
    // Stated and not demanded: not a state that was checked.
    let ran = way.judge("verify", &quoting, &challenge, &["--endorsed-by", &endorser]);
    said(&ran, 0, "0,8 (sha256) stated, and compared with nothing");
    let shown = way.party.ok(&["attestation", "show", &quoting], b"");
    assert!(shown.contains("PCRs        0,8 (sha256), digest "), "{shown}");
    // No statement, other registers, another bank, no policy.
    let without = attest("without.json", &[]);
    said(&verify(&without, &policy), 1, "no PCRs are stated; expected a statement of PCRs 0,8");
    for other in ["sha256:0", "sha256:0,7,8", "sha256:0,7"] {
        let other = file("other.txt", &printed(other));
        said(&verify(&quoting, &other), 1, "the TPM quoted the PCRs 0,8; expected 0");
    }
    said(&verify(&quoting, &file("sha1.txt", &printed("sha1:0,8"))), 2, "of the bank sha1");
    said(&verify(&quoting, &file("no.txt", "the usual values")), 2, "cannot be read");
    said(&verify(&quoting, &way.file("absent.txt")), 2, "absent.txt");
    // The machine is in another state, and says so.
    tpm.extend_pcr(8);
    said(&verify(&quoting, &policy), 0, "as in the policy");
    let moved = attest("moved.json", &["--quote", "0,8"]);
    let ran = verify(&moved, &policy);
    said(&ran, 1, "the PCRs 0,8 have the digest ");
    assert!(
        ran.out.contains("; expected ") && ran.out.contains("  try: find out what"),
        "{}",
        ran.out
    );
    // Told as JSON.
    let more = ["--endorsed-by", &endorser, "--pcr-policy", &policy];
    let args = [&["--format", "json", "attestation", "verify", &quoting][..], &more].concat();
    let (anchors, did) = (way.file("anchors"), way.did());
    let demands = ["--challenge", &challenge, "--anchors", &anchors, "--did", &did];
    let told = way.party.icnctl(&[&args[..], &demands].concat(), b"").out;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let (pcrs, of) = (&told["pcrs"], serde_json::json!([0, 8]));
    assert_eq!((&pcrs["indices"], &pcrs["compared"]), (&of, &true.into()), "{told}");
}

#[test]
fn pcrs_are_quoted_by_a_tpm_alone_and_at_least_one() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let create = ["attestation", "create", "--audience", AUDIENCE, "--quote"];
    for (list, text) in [("0,7", "is for a key in a TPM"), ("", "no PCR"), ("24", "0 to 23")] {
        let ran = home.icnctl(&[&create[..], &[list]].concat(), b"");
        assert_eq!(ran.code, 2, "{list}: {}", ran.err);
        assert!(ran.err.contains(text), "{list}: {}", ran.err);
    }
}
