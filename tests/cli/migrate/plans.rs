//! What a plan says, and what is said at the end of a rollback.

use super::*;

fn plan(home: &Home, to: &[&str]) -> (String, Value) {
    let words = [&["id", "migrate", "--plan"][..], to].concat();
    let text = home.ok(&words, b"");
    let json = home.ok(&[&["--format", "json"][..], &words].concat(), b"");
    (text, serde_json::from_str(&json).unwrap())
}

/// That of the last statement.
fn stated_reason(home: &Home) -> String {
    let chain = text(home, "stated.json");
    let _ = std::fs::remove_file(&chain);
    home.ok(&["--pin-file", &text(home, "pin"), "id", "rotation", "show", "-o", &chain], b"");
    let shown = std::fs::read_to_string(&chain).unwrap();
    let reasons = ["upgrade", "manual", "scheduled", "compromised"];
    let last = |reason: &&str| shown.rfind(&format!("\"{reason}\""));
    (*reasons.iter().max_by_key(|reason| last(reason)).unwrap()).to_owned()
}

#[test]
fn a_move_to_a_worse_place_says_so_and_is_no_upgrade() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let home = identity(&hsm);
    let (text, json) = plan(&home, &to_token());
    assert!(text.contains("(reason: upgrade)"), "{text}");
    assert_eq!((&json["reason"], &json["opens_with"]["pin"]), (&"upgrade".into(), &true.into()));
    assert!(text.contains("Opens with   the PIN of the token"), "{text}");
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    assert_eq!(stated_reason(&home), "upgrade");
    migrates(&home, &["--finish", "--yes"]);
    // Hardware, and sealed to a TPM afterwards.
    let device = tpm.tcti();
    let (text, json) = plan(&home, &to_tpm(&device));
    for words in [
        "the old key is hardware, and stays behind its device",
        "tpm-sealed: it is in the memory of this machine while it is unlocked",
        "(reason: manual)",
        "Opens with   a PIN that is chosen for it, and PCRs 16 of this machine",
        "while PCRs 16 have the values of then",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(json["reason"], "manual");
    assert_eq!(json["opens_with"]["pcrs"], "16");
    let unbound = ["--to", "tpm", "--device", &device, "--no-platform-binding"];
    let (text, json) = plan(&home, &unbound);
    assert!(text.contains("Opens with   a PIN that is chosen for it\n"), "{text}");
    assert_eq!(json["opens_with"]["pcrs"], Value::Null);
    let pin = ["--no-backup", "--to-pin-file", &super::text(&home, "pin")];
    migrates(&home, &[&to_tpm(&device)[..], &pin].concat());
    assert_eq!(stated_reason(&home), "manual");
}

/// What a change of the PCRs means for the key, by its algorithm and policy.
#[test]
fn the_plan_says_which_key_can_be_sealed_anew_and_which_is_lost_with_its_pcrs() {
    let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
    let home = identity(&hsm);
    let (device, key) = (tpm.tcti(), text(&home, "approver.pem"));
    let public = text(&home, "approver.pub.pem");
    let curve = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"];
    assert_eq!(run(Command::new("openssl").args(curve).arg(&key), b"").code, 0);
    let export = ["pkey", "-in", &key, "-pubout", "-out", &public];
    assert_eq!(run(Command::new("openssl").args(export), b"").code, 0);
    run(Command::new("chmod").args(["644", &public]), b"");
    let approved = ["--policy", "authorized", "--approver", &public];
    let (anew, lost) = ("it has to be sealed anew", "is lost when they change for good");
    let sign = "the approver has to sign the coming ones";
    for (algorithm, policy, says, not) in [
        ("ed25519", &[][..], &[anew][..], &[lost, sign][..]),
        ("p256", &[], &[lost, "`authorized`"], &[anew, sign]),
        ("ed25519", &approved, &[sign, "or the identity is sealed anew"], &[lost, anew]),
        ("p256", &approved, &[sign, "cannot be sealed anew"], &[lost, anew]),
    ] {
        let how = [&to_tpm(&device)[..], &["--algorithm", algorithm], policy].concat();
        let (text, json) = plan(&home, &how);
        let losses = json["lost"].to_string();
        for words in says {
            assert!(text.contains(words) && losses.contains(words), "{how:?} {words}: {text}");
        }
        for words in not {
            assert!(!text.contains(words), "{how:?} {words}: {text}");
        }
        let others = losses.contains("or others that the approver signs");
        assert_eq!(others, !policy.is_empty(), "{how:?}: {text}");
    }
}

#[test]
fn the_plan_of_an_import_has_one_did_and_that_of_a_later_move_says_that_copies_may_exist() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let home = identity(&hsm);
    let import = [&to_token()[..], &["--mode", "import"]].concat();
    let (text, _) = plan(&home, &import);
    assert!(!text.contains("old DID") && text.contains("still sign as this DID"), "{text}");
    assert!(!text.contains("and only there"), "{text}");
    migrates(&home, &[&import[..], &["--no-backup"]].concat());
    let said = home.ok(&["id", "migrate", "--status"], b"");
    assert!(said.contains("\nDID ") && !said.contains("New DID"), "{said}");
    migrates(&home, &["--finish", "--yes"]);
    let device = tpm.tcti();
    let (text, json) = plan(&home, &to_tpm(&device));
    assert!(text.contains("the old key was in a file until 20"), "{text}");
    assert!(text.contains("copies and backups of that file still sign as the old DID"), "{text}");
    // Of the new one there are none.
    assert_eq!(json["copies_may_exist"], false);
}

#[test]
fn a_rollback_from_a_tpm_says_that_backups_still_open_and_none_speaks_of_what_was_not() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let home = identity(&hsm);
    let old = did(&home);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let new = did(&home);
    let undone = migrate(&home, &["--roll-back", "--yes"]);
    assert_eq!(undone.code, 0, "{}", undone.err);
    assert!(!undone.err.contains("interrupted attempt"), "{}", undone.err);
    let peers = format!(
        "Peers that have followed to {new} do not come back by themselves: tell each of them to \
         expect {old} again."
    );
    assert!(undone.out.contains(&peers), "{}", undone.out);
    let device = tpm.tcti();
    migrates(&home, &[&to_tpm(&device)[..], &["--no-backup", "--again"]].concat());
    let undone = migrate(&home, &["--roll-back", "--yes"]);
    assert_eq!(undone.code, 0, "{}", undone.err);
    assert!(undone.out.contains("still open on that TPM"), "{}", undone.out);
}
