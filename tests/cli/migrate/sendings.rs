//! A PIN that a device has refused in a move is not sent again, whatever becomes of the directories
//! of the move. Nothing but the home remembers it here: there is no state directory.

use super::*;

const WRONG: &str = "0001pin-11112222";

/// A home, the PIN that its token refuses, and the words that move it there with that.
fn begun(hsm: &SoftHsm) -> (Home, String, Vec<String>) {
    let (home, module) = (identity(hsm), hsm.fault_module());
    let wrong = text(&home, "wrong");
    write_private(std::path::Path::new(&wrong), WRONG);
    let to = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
    let moves = [&to[..], &["--to-pin-file", &wrong]].concat();
    let moves = moves.into_iter().map(str::to_owned).collect();
    (home, wrong, moves)
}

fn refused(home: &Home, moves: &[String]) {
    let moves: Vec<_> = moves.iter().map(String::as_str).collect();
    let ran = migrate(home, &moves);
    assert_eq!(ran.code, 77, "{}", ran.err);
    assert!(!ran.err.contains(WRONG), "{}", ran.err);
}

/// Killed by the `nth` file that it removes; whether it was.
fn rolled_back_and_killed(home: &Home, nth: usize) -> bool {
    let passphrase = text(home, "passphrase");
    let inner = home.command(&["--passphrase-file", &passphrase, "id", "migrate", "--roll-back"]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=unlink,unlinkat,rmdir"]);
    strace.arg("-e").arg(format!("inject=unlink,unlinkat,rmdir:signal=SIGKILL:when={nth}"));
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    strace.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = run(&mut strace, b"");
    assert!(ran.code == 0 || ran.code == -1, "{} {}", ran.code, ran.err);
    ran.code != 0
}

#[test]
fn a_pin_that_was_refused_in_a_move_is_not_sent_again_however_that_is_given_up() {
    type GiveUp = fn(&Home);
    let ways: [(&str, GiveUp); 5] = [
        ("gone on with", |_| {}),
        ("rolled back", |home| drop(migrates(home, &["--roll-back"]))),
        ("with its journal lost", |home| {
            std::fs::remove_file(home.path("migration.json")).unwrap();
            home.ok(&["id", "migrate", "--recover"], b"");
            migrates(home, &["--roll-back"]);
        }),
        ("removed by hand", |home| {
            std::fs::remove_file(home.path("migration.json")).unwrap();
            std::fs::remove_dir_all(home.path("migration")).unwrap();
        }),
        ("killed while it was rolled back", |home| {
            for nth in 1.. {
                if !rolled_back_and_killed(home, nth) {
                    assert!(nth > 2, "it was not killed");
                    break;
                }
            }
        }),
    ];
    for (way, give_up) in ways {
        let hsm = SoftHsm::with_token(TOKEN);
        let (home, wrong, moves) = begun(&hsm);
        refused(&home, &moves);
        assert_eq!(hsm.count("C_Login"), 1, "{way}");
        give_up(&home);
        for _ in 0..2 {
            refused(&home, &moves);
        }
        // Nor for an identity on that token in the same home.
        let other = text(&home, "copied");
        std::fs::copy(&wrong, &other).unwrap();
        let copied: Vec<_> = moves
            .iter()
            .map(|word| if *word == wrong { other.clone() } else { word.clone() })
            .collect();
        refused(&home, &copied);
        assert_eq!(hsm.count("C_Login"), 1, "{way}");
        // The right one is another one.
        migrates(&home, &["--to-pin-file", &text(&home, "pin")]);
        signs(&home);
    }
}

/// The way out that is told is one, by whatever way the move goes on.
#[test]
fn a_note_of_a_move_that_is_not_understood_is_in_the_way_until_somebody_insists() {
    type Put = fn(&std::path::Path);
    let puts: [Put; 2] = [
        |note| write_private(note, "cut"),
        |note| std::os::unix::fs::symlink("/nowhere", note).unwrap(),
    ];
    for put in puts {
        for way in [&["--roll-back"][..], &[], &["--finish", "--yes"]] {
            let hsm = SoftHsm::with_token(TOKEN);
            let (home, _, moves) = begun(&hsm);
            refused(&home, &moves);
            let right = text(&home, "pin");
            let way = [way, &["--to-pin-file", &right]].concat();
            let note = if way[0] == "--finish" {
                migrates(&home, &["--to-pin-file", &right]);
                home.path("previous/refused.json")
            } else {
                home.path("migration/refused.json")
            };
            put(&note);
            let ran = migrate(&home, &way);
            assert_eq!(ran.code, 1, "{way:?}: {}", ran.err);
            let told = [note.to_str().unwrap(), "which PINs were refused", "--retry-pin", "rm "];
            // That the one that stays does not open has advice of its own.
            let told = if way[0] == "--finish" { &told[..2] } else { &told[..] };
            for text in told {
                assert!(ran.err.contains(text), "{way:?}: no {text}: {}", ran.err);
            }
            migrates(&home, &[&["--retry-pin"], &way[..]].concat());
            assert!(note.symlink_metadata().is_err(), "{way:?}");
            let with = if way[0] == "--roll-back" { "--passphrase-file" } else { "--pin-file" };
            let secret = if way[0] == "--roll-back" { text(&home, "passphrase") } else { right };
            home.ok(&[with, &secret, "sign"], b"hello");
        }
    }
}

/// The old one of a move that is kept, which is gone once it is ended or undone; and its PIN
/// is asked for in the same home before and after.
#[test]
fn what_a_tpm_has_refused_stays_so_in_each_directory_of_a_move() {
    for end in ["--finish", "--roll-back"] {
        let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
        let home = identity(&hsm);
        let file = |name: &str, pin: &str| {
            write_private(&home.beside(name), pin);
            text(&home, name)
        };
        let right = file("tpm-pin", "5-wise-owls");
        let (before, between) = (file("before", "6-daft-owls"), file("between", "7-daft-owls"));
        tpm.set_dictionary_attack(9, 1000, 1000);
        let device = tpm.tcti();
        let how = ["--no-backup", "--to-pin-file", &right];
        migrates(&home, &[&to_tpm(&device)[..], &how].concat());
        migrates(&home, &["--finish", "--yes", "--to-pin-file", &right]);
        let sign = |place: &str, pin: &str, tries| {
            let there = home.path(place);
            let there = ["--home", there.to_str().unwrap(), "--pin-file", pin, "sign"];
            let ran = home.icnctl(&there, b"hello");
            assert_eq!((ran.code, tpm.lockout_counter()), (77, tries), "{place}: {}", ran.err);
        };
        sign("", &before, 1);
        let token = [&to_token()[..], &["--no-backup"]].concat();
        let pin = text(&home, "pin");
        let with = ["--pin-file", &right, "id", "migrate", "--to-pin-file", &pin];
        home.ok(&[&with[..], &token].concat(), b"");
        // What is in the place of the one before knows of it, by whatever way it is named.
        sign("previous", &before, 1);
        std::os::unix::fs::symlink(home.path("previous"), home.beside("link")).unwrap();
        sign("../link", &before, 1);
        for pin in [&before, &between] {
            sign("previous", &between, 2);
            let undo = ["--pin-file", pin, "id", "migrate", "--roll-back", "--yes"];
            home.refused(&[&undo[..], &["--to-pin-file", &text(&home, "pin")]].concat(), b"", &[]);
            assert_eq!(tpm.lockout_counter(), 2);
        }
        let ended = ["--pin-file", &right, "id", "migrate", end, "--yes"];
        home.ok(&[&ended[..], &["--to-pin-file", &text(&home, "pin")]].concat(), b"");
        assert!(!home.path("previous").exists());
        if end == "--roll-back" {
            sign("", &before, 2);
            sign("", &between, 2);
            home.ok(&["--pin-file", &right, "sign"], b"hello");
        }
    }
}

/// The new one of a move, which is in the home from the switch on.
#[test]
fn what_a_tpm_has_refused_before_the_switch_stays_so_after_it() {
    let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
    let home = identity(&hsm);
    let (right, wrong) = (text(&home, "pin"), text(&home, "wrong"));
    write_private(std::path::Path::new(&wrong), WRONG);
    let device = tpm.tcti();
    ends::killed_when_made(&home, &[&to_tpm(&device)[..], &["--no-backup"]].concat());
    let before = tpm.lockout_counter();
    for _ in 0..2 {
        assert_eq!(migrate(&home, &["--to-pin-file", &wrong]).code, 77);
        assert_eq!(tpm.lockout_counter(), before + 1);
    }
    migrates(&home, &["--to-pin-file", &right]);
    home.refused(&["--pin-file", &wrong, "sign"], b"hello", &["was not sent again"]);
    assert_eq!(tpm.lockout_counter(), before + 1);
    signs(&home);
}
