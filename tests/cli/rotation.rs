//! `icnctl id rotation`, as people and scripts use it.

mod again;
mod devices;
mod handed_over;
mod known;
mod older;
mod procedure;
mod retired;
mod verify;

use serde_json::Value;
use support::home::{Home, PASSPHRASE, Ran, on_a_terminal, run, write_private};

/// Of successors; that of old identities is [`PASSPHRASE`].
const OTHER: &str = "another battery, another horse";

fn identity(passphrase: &str) -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", passphrase);
    home.ok(&["id", "init"], b"");
    home
}

fn did(home: &Home) -> String {
    home.show()["did"].as_str().unwrap().to_owned()
}

/// A file with the successor's passphrase.
fn passphrase_file(home: &Home, passphrase: &str) -> String {
    write_private(&home.beside("passphrase"), &format!("{passphrase}\n"));
    text(home, "passphrase")
}

fn text(home: &Home, beside: &str) -> String {
    home.beside(beside).to_str().unwrap().to_owned()
}

fn create(old: &Home, new: &Home, more: &[&str]) -> Ran {
    let (to, file) = (new.path(""), passphrase_file(new, OTHER));
    let what = ["id", "rotation", "create", "--successor", to.to_str().unwrap()];
    let with = ["--successor-passphrase-file", &file];
    let ran = old.icnctl(&[&what[..], &with, more].concat(), b"");
    for secret in [PASSPHRASE, OTHER] {
        assert!(!ran.err.contains(secret) && !ran.out.contains(secret), "{} {}", ran.out, ran.err);
    }
    ran
}

/// Rotates, and gives the file with the chain.
fn rotated(old: &Home, new: &Home, more: &[&str]) -> String {
    let file = text(new, "chain.json");
    let ran = create(old, new, &[&["-o", &file, "--reason", "scheduled"], more].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    file
}

fn files(home: &Home) -> Vec<Vec<u8>> {
    ["identity.json", "identity.age", "icn.toml"]
        .map(|name| std::fs::read(home.path(name)).unwrap())
        .into()
}

#[test]
fn a_rotation_is_stored_in_the_successor_published_and_verified() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let before = files(&old);
    let file = text(&new, "chain.json");
    let ran = create(&old, &new, &["--reason", "upgrade", "-o", &file]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let unchanged = format!("{} is unchanged, but for a note", old.path("").display());
    for wanted in
        [&did(&old), &did(&new), "upgrade", &unchanged, "Do not rotate the old identity again"]
    {
        assert!(ran.out.contains(wanted), "{wanted} in {}", ran.out);
    }
    assert_eq!(files(&old), before);
    new.ok(&["sign"], b"hello");
    old.ok(&["sign"], b"hello");

    // What is shown is what was published.
    let shown: Value =
        serde_json::from_str(&new.ok(&["--format", "json", "id", "rotation", "show"], b""))
            .unwrap();
    let published = std::fs::read_to_string(&file).unwrap();
    assert_eq!(shown["chain"], serde_json::from_str::<Value>(&published).unwrap());
    assert_eq!(shown["did"], did(&new));
    let again = text(&new, "again.json");
    let told = new.ok(&["id", "rotation", "show", "-o", &again], b"");
    assert!(told.contains("Present DID") && told.contains(&did(&old)), "{told}");
    assert_eq!(std::fs::read_to_string(again).unwrap(), published);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);

    let (from, expect) = (did(&old), did(&new));
    let verify = ["id", "rotation", "verify", &file, "--from", &from, "--expect", &expect];
    let told = old.ok(&verify, b"");
    assert!(told.starts_with("valid\n"), "{told}");
    assert!(told.contains("commitment none in advance"), "{told}");
    assert!(told.contains("warning: no commitment was made before rotation 1"), "{told}");
}

#[test]
fn three_homes_make_one_chain_and_a_commitment_is_kept() {
    let (one, two, three) = (identity(PASSPHRASE), identity(OTHER), identity(OTHER));
    let third = did(&three);
    rotated(&one, &two, &["--commit-next", &third]);
    // Another than the one committed to: nothing is signed or stored.
    let other = identity(OTHER);
    let ran = create(&two, &other, &["--reason", "manual"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("committed to another key"), "{}", ran.err);
    // Which one it is, its home says.
    let hash = three.show()["key_sha256"].as_str().unwrap().to_owned();
    let named = format!("icnctl --home DIR id show` says Key SHA-256 {hash}");
    assert!(ran.err.contains(&named) && ran.err.contains("--successor"), "{}", ran.err);
    assert!(three.ok(&["id", "show"], b"").contains(&format!("Key SHA-256 {hash}\n")));
    let none = other.ok(&["id", "rotation", "show"], b"");
    assert_eq!(none, format!("{} has taken over from no other key.\n", did(&other)));

    let file = rotated(&two, &three, &[]);
    let json = ["--format", "json", "id", "rotation", "verify", &file];
    let report: Value = serde_json::from_str(&one.ok(&json, b"")).unwrap();
    assert_eq!(report["valid"], true);
    assert_eq!(report["did"], third);
    let steps = report["steps"].as_array().unwrap();
    let committed: Vec<_> = steps.iter().map(|step| step["committed"].clone()).collect();
    assert_eq!(committed, [false, true]);
    assert_eq!(steps[1]["old"]["did"], did(&two));
    // From the second one on, no step is without a commitment.
    let from = did(&two);
    let told = one.ok(&["id", "rotation", "verify", &file, "--from", &from], b"");
    assert!(
        !told.contains("Rotation 1") && told.contains("made in advance, and honoured"),
        "{told}"
    );
    assert!(!told.contains("no commitment was made before"), "{told}");
    assert!(told.contains("warning: the present key commits to no next one"), "{told}");
}

#[test]
fn a_successor_succeeds_once_and_no_file_is_overwritten() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let file = rotated(&old, &new, &[]);
    let before = (files(&new), std::fs::read(&file).unwrap());
    let ran = create(&identity(PASSPHRASE), &new, &["--reason", "manual"]);
    assert!(
        ran.code == 1 && ran.err.contains("has taken over from another key already"),
        "{}",
        ran.err
    );
    let ran = create(&identity(PASSPHRASE), &new, &["--reason", "manual", "-o", &file]);
    assert!(ran.code == 1 && ran.err.contains("already exists"), "{}", ran.err);
    // From the same one once more: the statement that there is.
    let again = text(&new, "the-same.json");
    for other in
        [&["--reason", "manual"][..], &["--reason", "scheduled", "--commit-next", &did(&old)]]
    {
        let ran = create(&old, &new, &[other, &["-o", &again]].concat());
        assert_eq!(ran.code, 1, "{other:?}: {}{}", ran.out, ran.err);
        let said = "on other terms: scheduled, without a commitment";
        assert!(ran.err.contains(said), "{}", ran.err);
        assert!(ran.err.contains("--reason scheduled and no --commit-next"), "{}", ran.err);
        assert!(!std::path::Path::new(&again).exists());
    }
    let ran = create(&old, &new, &["--reason", "scheduled", "-o", &again]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("this rotation was stated before"), "{}", ran.err);
    assert_eq!(std::fs::read(again).unwrap(), before.1);
    let show = ["id", "rotation", "show", "-o", &file];
    new.fails(&show, b"", &["already exists", "try: name another file with --output"]);
    assert_eq!((files(&new), std::fs::read(&file).unwrap()), before);
    let show = ["id", "rotation", "show", "-o", &text(&old, "chain.json")];
    old.fails(&show, b"", &["no chain to be written", "id rotation create"]);
}

#[test]
fn an_old_identity_that_is_due_for_renewal_is_not_changed() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let before = files(&old);
    let ran = created_later(&old, &new, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(files(&old), before);
    // Any other command renews it then.
    assert_eq!(six_days_later(&old.command(&["sign"]), b"hello").code, 0);
    assert_ne!(files(&old), before);
    // Here it has yet to come.
    let told = new.ok(&["id", "rotation", "show"], b"");
    assert!(
        told.contains("warning: rotation 1 is dated 20") && told.contains("still to come"),
        "{told}"
    );
}

/// One clock that was ahead does not end the chain.
#[test]
fn a_rotation_made_with_a_clock_that_was_ahead_is_continued_and_told() {
    let [one, two, three] = [PASSPHRASE, OTHER, OTHER].map(identity);
    let ran = created_later(&one, &two, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let file = text(&three, "chain.json");
    let ran = create(&two, &three, &["--reason", "scheduled", "-o", &file]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("warning: rotation 1 is dated 20")
            && ran.err.contains("this one is given the same time. Check the clock"),
        "{}",
        ran.err
    );
    let json = ["--format", "json", "id", "rotation", "verify", &file];
    let report: Value = serde_json::from_str(&one.ok(&json, b"")).unwrap();
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0]["time"], steps[1]["time"]);
}

/// As [`create`], six days from now.
fn created_later(old: &Home, new: &Home, more: &[&str]) -> Ran {
    let (to, file) = (new.path(""), passphrase_file(new, OTHER));
    let what = ["id", "rotation", "create", "--successor", to.to_str().unwrap()];
    let with = ["--successor-passphrase-file", &file, "--reason", "scheduled"];
    six_days_later(&old.command(&[&what[..], &with, more].concat()), b"")
}

fn six_days_later(command: &std::process::Command, stdin: &[u8]) -> Ran {
    let mut later = std::process::Command::new("faketime");
    later.args(["-f", "+6d"]).arg(command.get_program()).args(command.get_args()).env_clear();
    later.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(&mut later, stdin)
}

#[test]
fn prompts_say_which_home_they_are_for() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let to = new.path("");
    let to = to.to_str().unwrap();
    let words = ["id", "rotation", "create", "--successor", to, "--reason", "scheduled"];
    let mut command = old.command(&words);
    command.env_remove("ICN_PASSPHRASE");
    let ran = on_a_terminal(&command, &format!("{PASSPHRASE}\n{OTHER}\n"));
    assert_eq!(ran.code, 0, "{}", ran.out);
    let first = format!("Passphrase of the old identity in {}: ", old.path("").display());
    let second = format!("Passphrase of the successor in {}: ", new.path("").display());
    assert!(ran.out.contains(&first) && ran.out.contains(&second), "{}", ran.out);
    assert!(!ran.out.contains(PASSPHRASE) && !ran.out.contains(OTHER), "{}", ran.out);
}

/// The variable is the old identity's: on a token it would spend a try.
#[test]
fn the_successors_credential_is_never_taken_from_the_variable() {
    let (old, new) = (identity(OTHER), identity(OTHER));
    let to = new.path("");
    let words =
        ["id", "rotation", "create", "--successor", to.to_str().unwrap(), "--reason", "manual"];
    let create = old.command(&words);
    let mut alone = std::process::Command::new("setsid");
    alone.arg("--wait").arg(create.get_program()).args(create.get_args()).env_clear();
    alone.envs(create.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = run(&mut alone, b"");
    assert_eq!(ran.code, 1);
    let wanted = ["no passphrase was given", "give it with --successor-passphrase-file FILE\n"];
    assert!(wanted.iter().all(|text| ran.err.contains(text)), "{}", ran.err);
}

#[test]
fn what_is_wrong_with_either_home_is_told_before_a_credential_is_used() {
    let old = identity(PASSPHRASE).with("ICN_PASSPHRASE", "wrong");
    let empty = Home::new();
    let ran = create(&old, &empty, &["--reason", "manual"]);
    let none = format!("there is no identity in {}", empty.path("").display());
    assert!(ran.code == 1 && ran.err.contains(&none), "{}", ran.err);
    let ran = create(&old, &old, &["--reason", "manual"]);
    assert!(ran.code == 1 && ran.err.contains("cannot be rotated to its own key"), "{}", ran.err);
    let new = identity(OTHER);
    let before = files(&new);
    let ran = create(&old, &new, &["--reason", "manual", "--commit-next", "did:web:a"]);
    assert!(ran.code == 1 && ran.err.contains("neither a did:icn nor a did:key"), "{}", ran.err);
    let ran = create(&old, &new, &["--reason", "whim"]);
    assert!(ran.code == 2 && ran.err.contains("invalid value 'whim'"), "{}", ran.err);
    // And a wrong one ends it as everywhere.
    let ran = create(&old, &new, &["--reason", "manual"]);
    assert_eq!(ran.code, 77, "{}", ran.err);
    assert_eq!(files(&new), before);
}

#[test]
fn after_a_compromise_it_says_what_to_do_at_once() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let ran = create(&old, &new, &["--reason", "compromised"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("Stop every service that uses the old identity now"), "{}", ran.out);
    let publish = format!("icnctl --home {} id rotation show -o FILE", new.path("").display());
    assert!(ran.out.contains(&publish), "{}", ran.out);
}

/// Its files, and not its passphrase.
fn closed_with(old: &Home) -> Home {
    let closed = Home::new().with("ICN_PASSPHRASE", "wrong");
    for name in ["identity.json", "identity.age", "icn.toml", "handed-over.json"] {
        std::fs::create_dir_all(closed.path("")).unwrap();
        std::fs::copy(old.path(name), closed.path(name)).unwrap();
    }
    closed.chmod("", 0o700);
    closed
}

/// Two statements of one key are a fork, for ever.
#[test]
fn an_identity_does_not_hand_over_twice_by_mistake() {
    let (old, one, two) = (identity(PASSPHRASE), identity(OTHER), identity(OTHER));
    rotated(&old, &one, &[]);
    let before = files(&two);
    let ran = create(&old, &two, &["--reason", "manual"]);
    let told = format!("has handed over to {} already", did(&one));
    assert!(ran.code == 1 && ran.err.contains(&told), "{}", ran.err);
    assert_eq!(files(&two), before);
    // Without its credential, since nothing is to be signed.
    let ran = create(&closed_with(&old), &two, &["--reason", "manual"]);
    assert!(ran.code == 1 && ran.err.contains(&told), "{}", ran.err);
    // On purpose it does.
    let ran = create(&old, &two, &["--reason", "manual", "--again"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // What was signed and not stored is stored, and not signed again.
    let chain = old.read("handed-over.json");
    for (name, content) in ["identity.json", "identity.age", "icn.toml"].iter().zip(before) {
        std::fs::write(two.path(name), content).unwrap();
    }
    let ran = create(&old, &two, &["--reason", "compromised"]);
    assert!(ran.code == 1 && ran.err.contains("on other terms: manual"), "{}", ran.err);
    let ran = create(&closed_with(&old), &two, &["--reason", "compromised"]);
    assert!(ran.code == 1 && ran.err.contains("on other terms: manual"), "{}", ran.err);
    let ran = create(&old, &two, &["--reason", "manual"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(old.read("handed-over.json"), chain);
    let stored = two.ok(&["--format", "json", "id", "rotation", "show"], b"");
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["chain"], serde_json::from_str::<Value>(&chain).unwrap());
    assert_eq!(stored["steps"][0]["reason"], "manual");
}
