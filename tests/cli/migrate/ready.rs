//! Before the configuration names another identity, all that the switch will do is looked at:
//! what it cannot do is refused, and the identity in use opens as before.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::lost::{self, killed_at};
use super::*;

fn to_label(mode: &'static str) -> Vec<&'static str> {
    [&to_token()[..], &["--mode", mode, "--no-backup"]].concat()
}

/// The call of `rename` by which the journal is written for the `nth` time.
pub(super) fn journal_write(hsm: &SoftHsm, words: &[&str], nth: usize) -> usize {
    write_of(hsm, words, "/migration.json", nth)
}

/// The same of another file.
pub(super) fn write_of(hsm: &SoftHsm, words: &[&str], file: &str, nth: usize) -> usize {
    let home = identity(hsm);
    let writes = lost::renames_of(&home, words, |line| line.contains(&format!("{file}\")")));
    migrates(&home, &["--roll-back", "--yes"]);
    writes[nth - 1]
}

/// A move that is cut off right before the switch.
pub(super) fn before_the_switch(hsm: &SoftHsm, mode: &'static str) -> Home {
    let words = to_label(mode);
    let (nth, state) = match mode {
        "rotate" => (8, "stated"),
        _ => (7, "proved"),
    };
    let at = journal_write(hsm, &words, nth);
    let home = identity(hsm);
    killed_at(&home, &words, at);
    assert_eq!(status(&home)["state"], state);
    home
}

pub(super) fn copy(from: &Path, to: &Path) {
    let ran = run(Command::new("cp").arg("-aT").args([from, to]), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// But for what a killed writer has left, which is swept away.
fn files(home: &Home) -> Vec<(String, Vec<u8>)> {
    let mut files = tree(home);
    files.retain(|(path, _)| !path.rsplit('/').next().unwrap().starts_with('.'));
    files
}

/// Refused with the way out, and nothing is changed.
fn refuses(home: &Home, command: &[&str], words: &[&str]) {
    let before = files(home);
    let refused = migrate(home, command);
    assert_eq!(refused.code, 1, "{words:?}: {} {}", refused.out, refused.err);
    for words in words.iter().chain(&["try: nothing was "]) {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    assert!(files(home) == before, "{words:?}");
}

fn opens_as_the_old_one(home: &Home) {
    home.ok(&["--passphrase-file", &text(home, "passphrase"), "sign"], b"hello");
}

/// Each damage to what is to be switched, or to where it goes; then the copy is put back.
fn each_is_refused(
    home: &Home,
    command: &[&str],
    opens: fn(&Home),
    damages: &[(&dyn Fn(), &[&str])],
) {
    let kept = home.beside("kept");
    copy(&home.path(""), &kept);
    for (damage, words) in damages {
        damage();
        refuses(home, command, words);
        opens(home);
        std::fs::remove_dir_all(home.path("")).unwrap();
        copy(&kept, &home.path(""));
    }
    std::fs::remove_dir_all(kept).unwrap();
}

/// The directory is put elsewhere, and a link leads there.
fn linked(home: &Home, name: &str) {
    let away = home.beside("away");
    let _: Result<(), _> = std::fs::remove_dir_all(&away);
    std::fs::create_dir_all(home.path(name)).unwrap();
    std::fs::rename(home.path(name), &away).unwrap();
    symlink(&away, home.path(name)).unwrap();
}

#[test]
fn a_switch_that_cannot_be_done_is_refused_before_the_configuration_is_changed() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = before_the_switch(&hsm, "rotate");
    let old = did(&home);
    let words = to_label("rotate");
    let remove = |name: &str| std::fs::remove_file(home.path(name)).unwrap();
    let other = identity(&hsm);
    let place = |from: &Home, name: &str, to: &str| {
        std::fs::copy(from.path(name), home.path(to)).unwrap();
    };
    let on = " id migrate";
    let back = " id migrate --roll-back";
    each_is_refused(
        &home,
        &words,
        opens_as_the_old_one,
        &[
            (
                &|| place(&home, "identity.json", "previous/identity.json"),
                &["previous/identity.json is in the way", "move it away"],
            ),
            (
                &|| copy(&home.beside("kept"), &home.path("previous")),
                &["is in the way", "move it away"],
            ),
            (
                &|| remove("migration/identity.age"),
                &["migration/identity.age is not there", on, back],
            ),
            (
                &|| remove("migration/identity.json"),
                &["migration/identity.json is not there", on, back],
            ),
            (&|| remove("migration/icn.toml"), &["migration/icn.toml is not there", on, back]),
            (
                &|| {
                    place(&other, "identity.json", "migration/identity.json");
                    place(&other, "identity.age", "migration/identity.age");
                },
                &["migration/identity.json is of another identity", on, back],
            ),
            (&|| place(&other, "icn.toml", "migration/icn.toml"), &["migration/icn.toml", back]),
            (
                &|| place(&other, "identity.age", "migration/identity.age"),
                &["migration/identity.age is not as it was", on, back],
            ),
            (&|| remove("handed-over.json"), &["handed-over.json", "no statement", back]),
            (&|| linked(&home, "previous"), &["previous is a symbolic link"]),
            (&|| linked(&home, "migration"), &["migration is a symbolic link"]),
        ],
    );
    // The way out.
    migrates(&home, &words);
    signs(&home);
    let new = did(&home);
    assert_ne!(new, old);
    each_is_refused(
        &home,
        &["--roll-back", "--yes"],
        signs,
        &[
            (
                &|| place(&home, "identity.json", "migration/identity.json"),
                &["home/migration", "move "],
            ),
            (&|| remove("previous/icn.toml"), &["previous"]),
            (
                &|| std::fs::write(home.path("previous/identity.age"), b"cut").unwrap(),
                &["previous"],
            ),
            (&|| linked(&home, "previous"), &["previous"]),
            (&|| linked(&home, "migration"), &["migration"]),
        ],
    );
    assert_eq!(did(&home), new);
    migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!((did(&home), ids(&hsm)), (old, 0));
    opens_as_the_old_one(&home);
}

/// One byte of it, and what the journal says that was never done.
#[test]
fn no_identity_is_switched_to_that_was_not_proved_and_stated_as_it_is() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = before_the_switch(&hsm, "import");
    let payload = home.path("migration/identity.age");
    let kept = std::fs::read(&payload).unwrap();
    let mut changed = kept.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&payload, changed).unwrap();
    refuses(&home, &to_label("import"), &["is not as it was", " id migrate --roll-back"]);
    opens_as_the_old_one(&home);
    migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!(ids(&hsm), 0);

    // The journal is of an earlier move to the same token.
    let home = before_the_switch(&hsm, "rotate");
    let words = to_label("rotate");
    let journal = home.read("migration.json");
    migrates(&home, &["--roll-back", "--yes"]);
    lost::killed_in_wait(&home, &words);
    let now = home.read("migration.json");
    write_private(&home.path("migration.json"), &journal);
    refuses(&home, &words, &["is of another identity", " id migrate --roll-back"]);
    opens_as_the_old_one(&home);
    // Nothing was stated.
    let edited = now.replace("\"made\"", "\"switching\"");
    assert_ne!(edited, now);
    write_private(&home.path("migration.json"), &edited);
    refuses(&home, &words, &["no statement", " id migrate --roll-back"]);
    opens_as_the_old_one(&home);
    write_private(&home.path("migration.json"), &now);
    migrates(&home, &words);
    signs(&home);
    assert!(home.ok(&["id", "rotation", "show"], b"").contains("did:"));
}

/// What stays of it is what the move made, and it is nobody's successor meanwhile.
#[test]
fn an_identity_that_is_being_moved_is_not_made_a_successor() {
    for mode in ["import", "rotate"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = before_the_switch(&hsm, mode);
        let (passphrase, pin) = (text(&home, "passphrase"), text(&home, "pin"));
        let other = text(&home, "elsewhere");
        init_in(&home, &other);
        let there = home.path("");
        let there = there.to_str().unwrap().trim_end_matches('/');
        let create = |credential: [&str; 2], successor: &str| {
            let all = ["--home", &other, "--passphrase-file", &passphrase];
            let to = ["id", "rotation", "create", "--successor", successor];
            let more = ["--carry-decryption-key", "--reason", "manual"];
            let all = [&all[..], &to, &credential, &more].concat();
            // Of the identity that is moved, and not of the one that this call is about.
            let way = format!("icnctl --home {} id migrate", there.trim_end_matches('/'));
            home.fails(&all, b"", &["is being moved to pkcs11", &way, "--roll-back"]);
            assert!(!Path::new(&other).join("handed-over.json").exists());
        };
        let before = files(&home);
        create(["--successor-passphrase-file", &passphrase], there);
        assert!(files(&home) == before, "{mode}");
        migrates(&home, &to_label(mode));
        create(["--successor-pin-file", &pin], there);
        let previous = home.path("previous");
        create(["--successor-passphrase-file", &passphrase], previous.to_str().unwrap());
        migrates(&home, &["--finish", "--yes"]);
        // Afterwards it is one as any other.
        let all = ["--home", &other, "--passphrase-file", &passphrase];
        let to = ["id", "rotation", "create", "--successor", there, "--successor-pin-file", &pin];
        if mode == "import" {
            home.ok(&[&all[..], &to, &["--reason", "manual"]].concat(), b"");
        }
    }
}
