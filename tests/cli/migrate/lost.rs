//! The journal is lost or cannot be read: what is there is told from the files, and the move
//! is gone on with, undone or ended.

use support::kill::{self, Nth};

use super::*;

/// `id migrate` with these words.
fn command(home: &Home, words: &[&str]) -> Command {
    let (passphrase, pin) = (text(home, "passphrase"), text(home, "pin"));
    let with = ["--passphrase-file", &passphrase, "--pin-file", &pin, "id", "migrate"];
    home.command(&[&with[..], words].concat())
}

/// Killed at the nth rename.
pub(super) fn killed_at(home: &Home, words: &[&str], nth: usize) {
    let log = home.beside("killed.log");
    let (ran, killed) = kill::command(&command(home, words), Nth("rename", nth), &log);
    assert!(killed, "{}", ran.err);
}

/// Killed while it waits for the process that it has started, which is not stopped at all.
pub(super) fn killed_in_wait(home: &Home, words: &[&str]) {
    let inner = command(home, words);
    let mut strace = Command::new("strace");
    strace.args(["-e", "trace=wait4", "-e", "inject=wait4:signal=SIGKILL:when=1"]);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        value.map(|value| strace.env(name, value));
    }
    assert_ne!(run(&mut strace, b"").code, 0);
}

/// What both commands say, and that nothing else is done by them.
fn is_told(home: &Home, state: &str) {
    let before = tree(home);
    let said = home.ok(&["id", "migrate", "--status"], b"");
    for part in ["migration.json is lost", "icnctl id migrate --recover", state] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(status(home)["state"], state);
    assert_eq!(status(home)["journal_lost"], true);
    assert_eq!(tree(home), before);
}

fn recovered(home: &Home, state: &str) {
    let said = home.ok(&["id", "migrate", "--recover"], b"");
    assert!(said.contains("migration.json was written again"), "{said}");
    assert_eq!(status(home)["state"], state);
    assert_eq!(status(home)["journal_lost"], false);
}

#[test]
fn a_lost_journal_is_written_again_from_the_files_and_each_way_is_open() {
    for mode in ["rotate", "import"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = identity(&hsm);
        let old = did(&home);
        let to = [&to_token()[..], &["--mode", mode, "--no-backup"]].concat();
        // Nothing was lost where there is nothing.
        home.fails(&["id", "migrate", "--recover"], b"", &["no migration of the identity"]);

        killed_in_wait(&home, &to);
        std::fs::remove_file(home.path("migration.json")).unwrap();
        is_told(&home, "made");
        let on = migrate(&home, &[]);
        assert_eq!(on.code, 1, "{}", on.err);
        for part in ["the journal is lost", "icnctl id migrate --recover"] {
            assert!(on.err.contains(part), "{part}: {}", on.err);
        }
        recovered(&home, "made");
        // Undone, there is the old one only.
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!((did(&home), ids(&hsm)), (old.clone(), 0));

        killed_in_wait(&home, &to);
        std::fs::remove_file(home.path("migration.json")).unwrap();
        recovered(&home, "made");
        migrates(&home, &[]);
        signs(&home);
        let journal = std::fs::read(home.path("migration.json")).unwrap();
        std::fs::remove_file(home.path("migration.json")).unwrap();
        is_told(&home, "switched");
        let shown = home.ok(&["id", "show"], b"");
        assert!(shown.contains("icnctl id migrate --recover"), "{shown}");
        signs(&home);
        recovered(&home, "switched");
        let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let (was, is) =
            (parse(&journal), parse(&std::fs::read(home.path("migration.json")).unwrap()));
        for field in ["mode", "state", "from", "to", "algorithm", "config"] {
            assert_eq!(was[field], is[field], "{field}");
        }
        // A journal is not replaced.
        home.fails(&["id", "migrate", "--recover"], b"", &["is there"]);
        match mode {
            "rotate" => {
                migrates(&home, &["--roll-back", "--yes"]);
                assert_eq!((did(&home), ids(&hsm)), (old, 0));
                home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
            }
            _ => {
                migrates(&home, &["--finish", "--yes"]);
                assert!(!home.path("previous").exists());
                signs(&home);
            }
        }
    }
}

/// One that was cut or overwritten is put aside, and one of a newer version is not touched.
#[test]
fn a_journal_that_cannot_be_read_is_put_aside_and_written_again() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let whole = home.read("migration.json");
    home.write("migration.json", &whole[..whole.len() / 2]);
    // It opens as if the journal were lost, and what would go on with the move is refused.
    is_told(&home, "switched");
    let shown = home.ok(&["id", "show"], b"");
    assert!(shown.contains("icnctl id migrate --recover"), "{shown}");
    signs(&home);
    old_signs(&home);
    for on in [&[][..], &["--finish", "--yes"], &["--roll-back", "--yes"]] {
        let refused = migrate(&home, on);
        assert_eq!(refused.code, 1, "{on:?}: {}", refused.err);
        assert!(refused.err.contains("icnctl id migrate --recover"), "{on:?}: {}", refused.err);
    }
    home.write("migration.json", "garbage");
    is_told(&home, "switched");
    signs(&home);
    recovered(&home, "switched");
    let aside: Vec<_> = std::fs::read_dir(home.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("migration.json."))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    home.write("migration.json", &whole.replace("\"version\": 1", "\"version\": 2"));
    home.fails(&["id", "migrate", "--status"], b"", &["migration.json", "2"]);
    let newer = home.fails(&["id", "migrate", "--recover"], b"", &["migration.json", "2"]);
    assert!(newer.err.contains("try: "), "{}", newer.err);
    home.write("migration.json", &whole);
    migrates(&home, &["--finish", "--yes"]);
    signs(&home);
}

/// Begun, and nothing is made: the way back is open, and no other.
#[test]
fn a_lost_journal_of_a_move_that_has_made_nothing_is_rolled_back() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let old = did(&home);
    write_private(&home.beside("pin"), "86429731");
    let cut = migrate(&home, &[&to_token()[..], &["--no-backup"]].concat());
    assert_eq!(cut.code, 77, "{}", cut.err);
    write_private(&home.beside("pin"), PIN);
    std::fs::remove_file(home.path("migration.json")).unwrap();
    is_told(&home, "rolling-back");
    recovered(&home, "rolling-back");
    migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!((did(&home), ids(&hsm)), (old, 0));
    assert!(!home.path("migration").exists());
}

/// Also without its journal a move is no time for another change.
#[test]
fn commands_that_change_the_identity_refuse_also_where_the_journal_is_lost() {
    for mode in ["rotate", "import"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = identity(&hsm);
        let (passphrase, pin, other) =
            (text(&home, "passphrase"), text(&home, "pin"), text(&home, "elsewhere"));
        init_in(&home, &other);
        let rotate = ["id", "rotation", "create", "--successor", &other, "--reason", "upgrade"];
        let says = ["the journal is lost", "icnctl id migrate --recover"];
        ends::killed_when_made(
            &home,
            &[&to_token()[..], &["--mode", mode, "--no-backup"]].concat(),
        );
        let journal = home.read("migration.json");
        std::fs::remove_file(home.path("migration.json")).unwrap();
        for command in [&["id", "change-passphrase"][..], &rotate, &["id", "init"]] {
            home.fails(command, b"", &says);
        }
        home.ok(&["--passphrase-file", &passphrase, "sign"], b"hello");
        write_private(&home.path("migration.json"), &journal);
        migrates(&home, &[]);
        std::fs::remove_file(home.path("migration.json")).unwrap();
        home.fails(&rotate, b"", &says);
        // Of an import, the one that is kept has the same DID.
        let previous = home.path("previous");
        let of_old = ["--home", previous.to_str().unwrap()];
        let at_home = format!("icnctl --home {} id migrate --recover", home.path("").display());
        let at_home = at_home.replace("/ id", " id");
        home.fails(&[&of_old[..], &rotate].concat(), b"", &[says[0], &at_home]);
        // What may be urgent in the weeks that peers take is done.
        home.ok(&["--pin-file", &pin, "id", "renew"], b"");
        recovered(&home, "switched");
        migrates(&home, &["--finish", "--yes"]);
        signs(&home);
    }
}

/// What is in `previous` or `migration` and is of no move of this identity is not taken for it.
#[test]
fn another_identity_beside_it_is_not_taken_for_one_that_is_moved() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let passphrase = text(&home, "passphrase");
    for place in ["previous", "migration"] {
        let beside = home.path(place);
        let other = ["--home", beside.to_str().unwrap(), "--passphrase-file", &passphrase];
        home.ok(&[&other[..], &["id", "init"]].concat(), b"");
        let before = tree(&home);
        let refused = home.icnctl(&["id", "migrate", "--recover"], b"");
        assert_eq!(refused.code, 1, "{place}: {} {}", refused.out, refused.err);
        assert!(refused.err.contains("do not tell"), "{place}: {}", refused.err);
        for end in ["--finish", "--roll-back"] {
            assert_eq!(migrate(&home, &[end, "--yes"]).code, 1);
        }
        assert_eq!(tree(&home), before);
        std::fs::remove_dir_all(&beside).unwrap();
    }
}

/// The renames of a move that were done to files of these identities, by their number.
fn renames(home: &Home, words: &[&str]) -> Vec<usize> {
    let of_both = ["previous/identity.", "migration/identity."];
    let is_one =
        |line: &str| !line.contains("/.identity.") && of_both.iter().any(|it| line.contains(it));
    renames_of(home, words, is_one)
}

/// The renames by which this file of the home is written, by their number.
pub(super) fn writes(home: &Home, words: &[&str], file: &str) -> Vec<usize> {
    let to = format!(", \"{}\"", home.path(file).display());
    renames_of(home, words, |line| line.contains(&to))
}

/// The same of all for which this says so.
pub(super) fn renames_of(home: &Home, words: &[&str], is_one: impl Fn(&str) -> bool) -> Vec<usize> {
    let log = text(home, "log");
    let inner = command(home, words);
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-e", "trace=rename", "-o", &log]);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        value.map(|value| strace.env(name, value));
    }
    let ran = run(&mut strace, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let log = std::fs::read_to_string(log).unwrap();
    // Of its own process, which is the first, and not of one that it has started.
    let (process, _) = log.split_once(' ').unwrap();
    let calls = log.lines().filter_map(|line| line.strip_prefix(process)).map(str::trim_start);
    let calls = calls.filter(|line| line.starts_with("rename("));
    (1..).zip(calls).filter(|(_, line)| is_one(line)).map(|(at, _)| at).collect()
}

/// At each rename of the switch and of the way back, where neither identity is whole in one
/// place.
#[test]
fn a_lost_journal_of_a_switch_that_was_cut_off_is_told_by_the_configuration_and_the_files() {
    let hsm = SoftHsm::with_token(TOKEN);
    fn to(label: &str) -> Vec<&str> {
        [&to_token()[..], &["--no-backup", "--key-label", label]].concat()
    }
    let whole = identity(&hsm);
    let forth = renames(&whole, &to("whole"));
    let back = renames(&whole, &["--roll-back", "--yes"]);
    assert!(forth.len() >= 4 && back.len() >= 4, "{forth:?} {back:?}");
    for at in forth {
        let home = identity(&hsm);
        let (old, label) = (did(&home), format!("forth-{at}"));
        killed_at(&home, &to(&label), at);
        std::fs::remove_file(home.path("migration.json")).unwrap();
        is_told(&home, "switching");
        home.ok(&["id", "migrate", "--recover"], b"");
        // Whatever opens it completes it.
        signs(&home);
        assert_ne!(did(&home), old);
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!((did(&home), ids(&hsm)), (old, 0));
    }
    for at in back {
        let home = identity(&hsm);
        let (old, label) = (did(&home), format!("back-{at}"));
        migrates(&home, &to(&label));
        killed_at(&home, &["--roll-back", "--yes"], at);
        std::fs::remove_file(home.path("migration.json")).unwrap();
        is_told(&home, "returning");
        home.ok(&["id", "migrate", "--recover"], b"");
        home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!((did(&home), ids(&hsm)), (old, 0));
    }
}

/// The same key, sealed to a TPM: no object has a name by which it could be known.
#[test]
fn a_lost_journal_of_an_import_into_a_tpm_is_told_by_the_did_and_the_header() {
    let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
    let home = identity(&hsm);
    let device = tpm.tcti();
    let to = [&to_tpm(&device)[..], &["--mode", "import", "--no-backup"]].concat();
    killed_in_wait(&home, &to);
    std::fs::remove_file(home.path("migration.json")).unwrap();
    is_told(&home, "made");
    recovered(&home, "made");
    migrates(&home, &[]);
    signs(&home);
    std::fs::remove_file(home.path("migration.json")).unwrap();
    recovered(&home, "switched");
    migrates(&home, &["--roll-back", "--yes"]);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    assert!(!home.path("migration").exists() && !home.path("previous").exists());
}
