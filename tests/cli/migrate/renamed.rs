//! The token gets another name while the identity is being moved to it, or away from it: it is
//! known by its serial number, as that of an identity in use is. Or it is reached by another module.

use super::lost::killed_at;
use super::*;

const NOW: &str = "renamed";

/// A home whose token has a fault module in front of it, and how the identity is moved there.
struct Move<'a> {
    hsm: &'a SoftHsm,
    module: String,
    mode: &'static str,
}

impl<'a> Move<'a> {
    fn of(hsm: &'a SoftHsm, mode: &'static str) -> Self {
        Self { hsm, module: hsm.fault_module(), mode }
    }

    fn words(&self) -> Vec<&str> {
        self.words_to(TOKEN)
    }

    fn words_to<'b>(&'b self, token: &'b str) -> Vec<&'b str> {
        let to = ["--to", "pkcs11", "--module", &self.module, "--token", token];
        [&to[..], &["--mode", self.mode, "--no-backup"]].concat()
    }

    /// The calls of `rename` that write these files, by their number.
    fn writes(&self, files: &[&str]) -> Vec<usize> {
        let home = identity(self.hsm);
        let writes = lost::renames_of(&home, &self.words(), |line| {
            files.iter().any(|file| line.contains(&format!("/home/{file}\")")))
        });
        migrates(&home, &["--roll-back", "--yes"]);
        writes
    }

    /// Where it is cut off once a key may be begun: at each write that says how far it is, of the
    /// new header, and of the configuration that decides.
    fn cuts(&self) -> Vec<usize> {
        let files = ["migration.json", "migration/identity.json", "icn.toml"];
        let [noted, writes] =
            [&["migration/unfinished.json"], &files[..]].map(|it| self.writes(it));
        writes.into_iter().filter(|at| *at > noted[0]).collect()
    }

    /// Where a key was begun and nothing more, and right before the switch.
    fn begun_and_last(&self) -> [usize; 2] {
        let files = ["migration/unfinished.json", "migration.json"];
        let [noted, writes] = files.map(|file| self.writes(&[file]));
        let begun = *writes.iter().find(|at| **at > noted[0]).unwrap();
        [begun, writes[writes.len() - 2]]
    }

    /// Cut off there, and then renamed. `None` where nothing was begun on the token.
    fn cut(&self, at: usize) -> Option<(Home, String)> {
        self.hsm.script("");
        let home = identity(self.hsm);
        killed_at(&home, &self.words(), at);
        let state = status(&home)["state"].as_str().unwrap_or_default().to_owned();
        let begun = home.path("migration/unfinished.json").exists();
        if !begun || state == "switched" {
            if !state.is_empty() {
                migrates(&home, &["--roll-back", "--yes"]);
            }
            return None;
        }
        self.hsm.script(&format!("label {NOW}\n"));
        Some((home, state))
    }

    /// It ends as it began.
    fn is_undone(&self, home: &Home, old: &str, case: &str) {
        self.hsm.script("");
        assert_eq!((did(home).as_str(), ids(self.hsm)), (old, 0), "{case}");
        assert!(status(home).is_null(), "{case}");
        home.ok(&["--passphrase-file", &text(home, "passphrase"), "sign"], b"hello");
    }
}

fn is_in_use(home: &Home, mode: &str, old: &str) {
    signs(home);
    assert_eq!(did(home) == old, mode == "import");
    assert!(home.show()["locator"].as_str().unwrap().contains(NOW));
}

fn by_serial_number_alone(mode: &'static str, states: &[&str]) {
    let hsm = SoftHsm::with_token(TOKEN);
    let it = Move::of(&hsm, mode);
    let mut seen = Vec::new();
    for (nth, at) in it.cuts().into_iter().enumerate() {
        for way in ["on", "back"] {
            let Some((home, state)) = it.cut(at) else { continue };
            let (old, case) = (did(&home), format!("{mode} {state} {at} {way}"));
            if way == "on" {
                // Also if the command is given as it was, which is the name of before.
                let words = if nth % 2 == 0 { Vec::new() } else { it.words() };
                let on = migrate(&home, &words);
                assert_eq!(on.code, 0, "{case}: {}", on.err);
                is_in_use(&home, mode, &old);
                let again = migrate(&home, &it.words());
                assert_eq!(again.code, 0, "{case}: {}", again.err);
            }
            let back = migrate(&home, &["--roll-back", "--yes"]);
            assert_eq!(back.code, 0, "{case}: {}", back.err);
            it.is_undone(&home, &old, &case);
            seen.push(state);
        }
    }
    for state in states {
        assert!(seen.iter().any(|it| it == state), "{state}: {seen:?}");
    }
}

#[test]
fn a_token_that_was_renamed_between_two_steps_is_found_by_its_serial_number() {
    by_serial_number_alone("rotate", &["backed-up", "made", "proved", "stated", "switching"]);
}

#[test]
fn a_token_that_was_renamed_in_an_import_is_found_by_its_serial_number() {
    by_serial_number_alone("import", &["backed-up", "made", "proved", "switching"]);
}

/// As the errors say: by the option, and in the configuration of the new identity.
#[test]
fn the_new_name_of_a_token_may_be_said_and_another_token_may_not() {
    let mode = "rotate";
    let cuts = Move::of(&SoftHsm::with_token(TOKEN), mode).begun_and_last();
    for at in cuts {
        for way in ["option", "file", "wrong", "plan"] {
            let hsm = SoftHsm::with_token(TOKEN);
            let it = Move::of(&hsm, mode);
            let (home, state) = it.cut(at).unwrap();
            let (old, case) = (did(&home), format!("{mode} {state} {way}"));
            let words = match way {
                "option" => it.words_to(NOW),
                "file" => {
                    let text = home.read("migration/icn.toml");
                    let new = format!("token = \"{NOW}\"");
                    home.write(
                        "migration/icn.toml",
                        &text.replace(&format!("token = \"{TOKEN}\""), &new),
                    );
                    Vec::new()
                }
                "wrong" => {
                    let refused = migrate(&home, &it.words_to("node-2"));
                    assert_eq!(refused.code, 1, "{case}: {}", refused.err);
                    assert!(refused.err.contains("and node-2 is asked for"), "{}", refused.err);
                    assert_eq!(status(&home)["state"], state);
                    Vec::new()
                }
                _ => {
                    let before = tree(&home);
                    migrates(&home, &["--plan"]);
                    assert!(tree(&home) == before, "{case}");
                    Vec::new()
                }
            };
            let on = migrate(&home, &words);
            assert_eq!(on.code, 0, "{case}: {}", on.err);
            is_in_use(&home, mode, &old);
            if way == "option" {
                migrates(&home, &["--roll-back", "--yes"]);
                it.is_undone(&home, &old, &case);
            } else {
                migrates(&home, &["--finish", "--yes"]);
                signs(&home);
            }
        }
    }
}

/// Cut off again at each write by which the new name is recorded, and renamed once more, or back.
#[test]
fn a_token_that_is_renamed_twice_is_found() {
    let hsm = SoftHsm::with_token(TOKEN);
    let it = Move::of(&hsm, "rotate");
    for (at, writes) in it.begun_and_last().into_iter().zip([4, 6]) {
        for nth in 1..=writes {
            let (home, _) = it.cut(at).unwrap();
            let old = did(&home);
            killed_at(&home, &[], nth);
            let (script, name) = match nth % 2 {
                0 => ("", TOKEN),
                _ => ("label third\n", "third"),
            };
            hsm.script(script);
            let on = migrate(&home, &[]);
            assert_eq!(on.code, 0, "{at} {nth}: {}", on.err);
            signs(&home);
            assert!(home.show()["locator"].as_str().unwrap().contains(name), "{at} {nth}");
            migrates(&home, &["--roll-back", "--yes"]);
            it.is_undone(&home, &old, &format!("{at} {nth}"));
        }
    }
}

/// Two tokens of one serial number: neither gets the PIN, and each way that is named leads out.
#[test]
fn no_token_is_taken_for_the_renamed_one_where_two_have_its_serial_number() {
    const ONE: &str = "serial 0123456789abcdef\n";
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token("node-2");
    let module = hsm.fault_module();
    let words = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
    hsm.script(ONE);
    let home = identity(&hsm);
    let old = did(&home);
    ends::killed_when_made(&home, &words);
    hsm.script(&format!("{ONE}label {NOW}\n"));
    for way in [&[][..], &["--roll-back", "--yes"], &words] {
        let (refused, calls) = hsm.calls(|| migrate(&home, way));
        assert_eq!(refused.code, 1, "{way:?}: {}", refused.err);
        assert!(!refused.err.contains("relocate`\n"), "{way:?}: {}", refused.err);
        let of_user = calls.iter().filter(|call| call.starts_with("C_Login"));
        assert_eq!(of_user.count(), 0, "{way:?}: {calls:?}");
    }
    hsm.script(ONE);
    migrates(&home, &[]);
    signs(&home);
    migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!((did(&home), ids(&hsm)), (old, 0));
}

/// The token that the identity moves away from.
#[test]
fn a_token_of_the_old_key_that_was_renamed_is_found_at_each_step_and_at_both_ends() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let (module, device) = (hsm.fault_module(), tpm.tcti());
    let to = [&to_tpm(&device)[..], &["--no-pin", "--no-backup"]].concat();
    let forget = || {
        hsm.script("");
        for kind in ["privkey", "pubkey", "secrkey"] {
            let of_kind = ["--list-objects", "--type", kind];
            let listed = hsm.pkcs11_tool_on(TOKEN, &of_kind);
            let ids = listed.lines().filter_map(|line| line.trim().strip_prefix("ID:"));
            for id in ids {
                let delete = ["--delete-object", "--type", kind, "--id", id.trim()];
                hsm.pkcs11_tool_on(TOKEN, &delete);
            }
        }
    };
    let on_token = || {
        forget();
        let home = identity(&hsm);
        let words = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
        migrates(&home, &words);
        migrates(&home, &["--finish", "--yes"]);
        home
    };
    let [mut cuts, decides] =
        ["migration.json", "icn.toml"].map(|file| lost::writes(&on_token(), &to, file));
    cuts.extend(decides);
    let mut seen = Vec::new();
    for at in cuts {
        for way in ["on", "back"] {
            let home = on_token();
            let old = did(&home);
            killed_at(&home, &to, at);
            let state = status(&home)["state"].as_str().unwrap_or_default().to_owned();
            if ["", "switched"].contains(&state.as_str()) {
                continue;
            }
            let case = format!("{state} {at} {way}");
            hsm.script(&format!("label {NOW}\n"));
            if way == "on" {
                let on = migrate(&home, &[]);
                assert_eq!(on.code, 0, "{case}: {}", on.err);
                home.ok(&["sign"], b"hello");
                assert_ne!(did(&home), old, "{case}");
                let chain = home.ok(&["id", "rotation", "show"], b"");
                assert!(chain.contains(&old), "{case}: {chain}");
                migrates(&home, &["--finish", "--yes"]);
                home.ok(&["sign"], b"hello");
                hsm.script("");
                assert_eq!(ids(&hsm), 0, "{case}");
            } else {
                let back = migrate(&home, &["--roll-back", "--yes"]);
                assert_eq!(back.code, 0, "{case}: {}", back.err);
                assert_eq!(did(&home), old, "{case}");
                // As its error says.
                let pin = text(&home, "pin");
                if home.icnctl(&["--pin-file", &pin, "sign"], b"hello").code != 0 {
                    home.ok(&["--pin-file", &pin, "id", "relocate"], b"");
                }
                signs(&home);
            }
            seen.push(state);
        }
    }
    for state in ["planned", "backed-up", "made", "proved", "stated", "switching"] {
        assert!(seen.iter().any(|it| it == state), "{state}: {seen:?}");
    }
    // In use, and undone.
    let home = on_token();
    let old = did(&home);
    migrates(&home, &to);
    hsm.script(&format!("label {NOW}\n"));
    migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!(did(&home), old);
    home.ok(&["--pin-file", &text(&home, "pin"), "id", "relocate"], b"");
    signs(&home);
    // Renamed before anything is begun: that is said, and nothing is begun.
    let home = on_token();
    hsm.script("label third\n");
    let refused = migrate(&home, &to);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("icnctl id relocate"), "{}", refused.err);
    assert!(status(&home).is_null());
    home.ok(&["--pin-file", &text(&home, "pin"), "id", "relocate"], b"");
    migrates(&home, &to);
}

/// After an upgrade of its package the module is another file.
#[test]
fn a_move_goes_on_by_another_module_that_is_said() {
    let hsm = SoftHsm::with_token(TOKEN);
    let mode = "rotate";
    let it = Move::of(&hsm, mode);
    let cuts = it.begun_and_last();
    let upgraded = hsm.path("upgraded.so");
    for at in cuts {
        for way in ["option", "file", "back"] {
            let (home, state) = it.cut(at).unwrap();
            hsm.script("");
            let (old, case) = (did(&home), format!("{mode} {state} {way}"));
            std::fs::rename(&it.module, &upgraded).unwrap();
            let module = upgraded.to_str().unwrap();
            let to = ["--to", "pkcs11", "--module", module, "--mode", mode, "--no-backup"];
            let edits = || {
                let text = home.read("migration/icn.toml");
                assert!(text.contains(&it.module), "{text}");
                home.write("migration/icn.toml", &text.replace(&it.module, module));
            };
            let words: &[&str] = match way {
                "option" => &to,
                "file" => {
                    edits();
                    &[]
                }
                _ => {
                    edits();
                    &["--roll-back", "--yes"]
                }
            };
            let ran = migrate(&home, words);
            assert_eq!(ran.code, 0, "{case}: {}", ran.err);
            if way != "back" {
                signs(&home);
                migrates(&home, &["--roll-back", "--yes"]);
            }
            std::fs::rename(&upgraded, &it.module).unwrap();
            it.is_undone(&home, &old, &case);
        }
    }
}
