//! Each way out that is printed leads out.

use super::*;

fn opens_as_the_old_one(home: &Home) {
    home.ok(&["--passphrase-file", &text(home, "passphrase"), "sign"], b"hello");
}

/// The end had begun, and nothing was removed.
#[test]
fn an_end_that_has_removed_nothing_is_undone_where_the_new_device_is_gone() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let old = did(&home);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let end = ["--pin-file", &text(&home, "pin"), "id", "migrate", "--finish", "--yes"];
    let inner = home.command(&end);
    let mut strace = Command::new("strace");
    let watched = home.path("previous/identity.age");
    strace.args(["-P", watched.to_str().unwrap(), "-e", "trace=unlink,unlinkat"]);
    strace.args(["-e", "inject=unlink,unlinkat:signal=SIGKILL:when=1"]);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        value.map(|value| strace.env(name, value));
    }
    assert_ne!(run(&mut strace, b"").code, 0);
    assert_eq!(status(&home)["state"], "finishing");
    hsm.unplug();
    let refused = migrate(&home, &["--finish", "--yes"]);
    assert_eq!(refused.code, 1, "{}", refused.out);
    for part in ["does not open", "icnctl id migrate --roll-back --keep-new-key"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    // Asked, as of one that is in use.
    assert_eq!(migrate(&home, &["--roll-back", "--keep-new-key"]).code, 1);
    migrates(&home, &["--roll-back", "--keep-new-key", "--yes"]);
    assert_eq!(did(&home), old);
    opens_as_the_old_one(&home);
}

/// And not by a journal that is put back after it was over.
#[test]
fn a_journal_of_another_time_is_moved_away() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let journal = home.read("migration.json");
    migrates(&home, &["--roll-back", "--yes"]);
    write_private(&home.path("migration.json"), &journal);
    for words in [&["--roll-back", "--yes"][..], &["--finish", "--yes"], &[]] {
        let refused = migrate(&home, words);
        assert_eq!(refused.code, 1, "{words:?} {}", refused.out);
        assert!(refused.err.contains("move migration.json away"), "{words:?}: {}", refused.err);
        let wrong = ["no migration is under way", "id migrate --roll-back"];
        assert!(!wrong.iter().any(|it| refused.err.contains(it)), "{words:?}: {}", refused.err);
    }
    std::fs::remove_file(home.path("migration.json")).unwrap();
    assert!(status(&home).is_null());
    opens_as_the_old_one(&home);
}

/// What undoes it is not what says that it is done.
#[test]
fn a_move_that_is_done_is_said_to_be_also_without_the_configuration_of_its_making() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    std::fs::remove_file(home.path("migration/icn.toml")).unwrap();
    let said = migrates(&home, &[]);
    assert!(said.contains("is in a token now"), "{said}");
}
