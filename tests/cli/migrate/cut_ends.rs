//! Either end cut off, at each file that it removes: run again, also where the journal is lost
//! meanwhile, it is done, and names the key that it has left.

use super::*;

/// All that an end removes, in the directories of a migration.
const REMOVED: [&str; 9] = [
    "previous/identity.age",
    "previous/identity.json",
    "previous/handed-over.json",
    "previous/icn.toml",
    "previous",
    "migration/identity.age",
    "migration/unfinished.json",
    "migration/icn.toml",
    "migration",
];

/// Killed when it removes this, if it does.
fn killed_at(home: &Home, words: &[&str], removed: &str) -> bool {
    let (passphrase, pin, path) = (text(home, "passphrase"), text(home, "pin"), home.path(removed));
    let with = ["--passphrase-file", &passphrase, "--pin-file", &pin, "id", "migrate", "--yes"];
    let inner = home.command(&[&with[..], words].concat());
    let calls = "unlink,unlinkat,rmdir";
    let mut strace = Command::new("strace");
    strace.args(["-P", path.to_str().unwrap(), "-e", &format!("trace={calls}")]);
    strace.args(["-e", &format!("inject={calls}:signal=SIGKILL:when=1")]);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        value.map(|value| strace.env(name, value));
    }
    run(&mut strace, b"").code != 0
}

/// A whole move of another home to the same token.
fn moved(hsm: &SoftHsm, mode: &str, label: &str) -> Home {
    let home = identity(hsm);
    let to = [&to_token()[..], &["--mode", mode, "--no-backup", "--key-label", label]].concat();
    migrates(&home, &to);
    home
}

#[test]
fn an_end_that_is_cut_off_is_done_also_where_the_journal_is_lost() {
    let hsm = SoftHsm::with_token(TOKEN);
    for (mode, end) in [("rotate", "--finish"), ("import", "--finish"), ("rotate", "--roll-back")] {
        let mut cut = 0;
        for (nth, removed) in REMOVED.into_iter().enumerate() {
            let home = moved(&hsm, mode, &format!("{mode}{end}{nth}"));
            let opens = || match end {
                "--finish" => signs(&home),
                _ => drop(home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"")),
            };
            if !killed_at(&home, &[end], removed) {
                assert!(status(&home).is_null());
                continue;
            }
            cut += 1;
            std::fs::remove_file(home.path("migration.json")).unwrap();
            opens();
            let told = status(&home);
            if !told.is_null() {
                home.ok(&["id", "migrate", "--recover"], b"");
                let done = migrate(&home, &[end, "--yes"]);
                // Whether its key was removed is not told by files.
                if end == "--roll-back" && done.code != 0 {
                    let way = "icnctl id migrate --roll-back --keep-new-key";
                    assert!(done.err.contains(way), "{removed}: {}", done.err);
                    migrates(&home, &[end, "--keep-new-key"]);
                } else {
                    assert_eq!(done.code, 0, "{mode} {end} {removed}: {}", done.err);
                }
            }
            opens();
            assert!(status(&home).is_null(), "{mode} {end} {removed}: {told}");
            for directory in ["previous", "migration"] {
                let left = std::fs::read_dir(home.path(directory));
                let left: Vec<_> =
                    left.into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect();
                let is_lock = |name: &std::ffi::OsString| name.to_str().unwrap().starts_with('.');
                assert!(left.iter().all(is_lock), "{mode} {end} {removed}: {left:?}");
            }
            // Nothing is in the way of the next one.
            let again = ["--plan", "--to", "pkcs11", "--token", TOKEN, "--module", module()];
            let plan = migrate(&home, &[&again[..], &["--key-label", "next", "--again"]].concat());
            assert!(!plan.err.contains("migration"), "{mode} {end} {removed}: {}", plan.err);
        }
        assert!(cut >= 5, "{mode} {end}: {cut}");
    }
}

/// It is not in the journal's way either, what the key was.
#[test]
fn a_key_that_is_left_is_named_also_by_the_run_that_goes_on() {
    let hsm = SoftHsm::with_token(TOKEN);
    let keep = ["--roll-back", "--keep-new-key"];
    let mut cut = 0;
    for (nth, removed) in REMOVED.into_iter().enumerate() {
        let home = moved(&hsm, "rotate", &format!("kept-{nth}"));
        let journal: Value = serde_json::from_str(&home.read("migration.json")).unwrap();
        let locator = home.show()["locator"].as_str().unwrap().to_owned();
        if !killed_at(&home, &keep, removed) {
            continue;
        }
        cut += 1;
        let undone = migrates(&home, &[&keep[..], &["--yes"]].concat());
        let ids = journal["new_key"]["ids"].as_array().unwrap();
        assert_eq!(ids.len(), 2, "{journal}");
        for id in ids {
            let id = id.as_str().unwrap();
            assert!(undone.contains(&format!("--delete-object --id {id}")), "{removed}: {undone}");
        }
        assert!(undone.contains(&format!("--module {}", module())), "{removed}: {undone}");
        assert!(journal["new_key"]["uri"] == locator.as_str(), "{journal} {locator}");
    }
    assert!(cut >= 5, "{cut}");
}
