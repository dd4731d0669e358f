//! Each way that is printed where a token was given another label, or its module is away, leads out.

use super::lost::killed_at;
use super::*;

const NOW: &str = "renamed";
const OTHER: &str = "node-2";

/// The label of a token, as its own tool would write it.
fn relabel(hsm: &SoftHsm, serial: Option<&str>, from: &str, to: &str) {
    let padded = |label: &str| format!("{label:<32}").into_bytes();
    let [from, to] = [from, to].map(padded);
    let mut done = 0;
    for token in std::fs::read_dir(hsm.tokens()).unwrap() {
        let file = token.unwrap().path().join("token.object");
        let mut bytes = std::fs::read(&file).unwrap();
        let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        if !has(&from) || serial.is_some_and(|serial| !has(serial.as_bytes())) {
            continue;
        }
        let at = bytes.windows(32).position(|window| window == from).unwrap();
        bytes[at..at + 32].copy_from_slice(&to);
        std::fs::write(&file, bytes).unwrap();
        done += 1;
    }
    assert_eq!(done, 1);
}

/// Objects of all tokens.
fn objects(hsm: &SoftHsm) -> usize {
    let mut found = 0;
    for token in std::fs::read_dir(hsm.tokens()).unwrap() {
        for file in std::fs::read_dir(token.unwrap().path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            found += usize::from(name.ends_with(".object") && name != "token.object");
        }
    }
    found
}

fn words() -> Vec<&'static str> {
    [&to_token()[..], &["--no-backup"]].concat()
}

fn to_other(pin: &str) -> Vec<&str> {
    let to = ["--to", "pkcs11", "--module", module(), "--token", OTHER, "--no-backup"];
    [&to[..], &["--to-pin-file", pin]].concat()
}

/// Where a key was begun and nothing more, and right before the switch.
fn cuts(home: &Home, words: &[&str]) -> [usize; 2] {
    let of = |line: &str, file: &str| line.contains(&format!("/home/{file}\")"));
    let mut seen = Vec::new();
    let both = lost::renames_of(home, words, |line| {
        let is_note = of(line, "migration/unfinished.json");
        let is_one = is_note || of(line, "migration.json");
        if is_one {
            SEEN.with(|seen| seen.borrow_mut().push(is_note));
        }
        is_one
    });
    SEEN.with(|noted| seen.append(&mut noted.borrow_mut()));
    let noted = seen.iter().position(|is_note| *is_note).unwrap();
    let writes: Vec<_> =
        both.iter().zip(&seen).filter(|(_, note)| !**note).map(|it| *it.0).collect();
    let begun = *writes.iter().find(|at| **at > both[noted]).unwrap();
    [begun, writes[writes.len() - 2]]
}

thread_local! {
    static SEEN: std::cell::RefCell<Vec<bool>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// What is printed to be run on a token, run as it stands with a PIN.
fn run_as_printed(hsm: &SoftHsm, said: &str) -> usize {
    let commands = said.lines().filter_map(|line| line.strip_prefix("  pkcs11-tool "));
    let commands: Vec<_> = commands.filter(|line| line.contains("--delete-object")).collect();
    for command in &commands {
        let words: Vec<_> = command.split(' ').chain(["--pin", PIN]).collect();
        let ran = hsm.run("pkcs11-tool", &words);
        assert_eq!(ran.code, 0, "{command}: {}{}", ran.out, ran.err);
    }
    commands.len()
}

/// Both are on tokens, of one PIN.
fn migrate_both(home: &Home, more: &[&str]) -> Ran {
    migrate(home, &[&["--to-pin-file", &text(home, "pin")][..], more].concat())
}

fn migrates_both(home: &Home, more: &[&str]) -> Ran {
    let ran = migrate_both(home, more);
    assert_eq!(ran.code, 0, "{more:?}: {}", ran.err);
    ran
}

/// An identity whose key is on the first of two tokens.
fn on_first(hsm: &SoftHsm) -> Home {
    let home = identity(hsm);
    migrates(&home, &words());
    migrates(&home, &["--finish", "--yes"]);
    home
}

fn cuts_from_first() -> [usize; 2] {
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token(OTHER);
    let home = on_first(&hsm);
    cuts(&home, &to_other(&text(&home, "pin")))
}

#[test]
fn a_key_that_is_left_on_its_token_is_named_by_the_label_of_now() {
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token(OTHER);
    let keep = ["--roll-back", "--keep-new-key", "--yes"];
    // Another one has the label of before.
    let home = identity(&hsm);
    migrates(&home, &words());
    relabel(&hsm, None, TOKEN, NOW);
    relabel(&hsm, None, OTHER, TOKEN);
    let undone = migrates(&home, &keep);
    assert!(!undone.contains("--list-slots"), "{undone}");
    assert_eq!((run_as_printed(&hsm, &undone), objects(&hsm)), (3, 0), "{undone}");
    // Both have it: that is said, and how they are told apart.
    let home = identity(&hsm);
    migrates(&home, &words());
    relabel(&hsm, None, NOW, TOKEN);
    let undone = migrates(&home, &keep);
    let (_, after) = undone.split_once("(serial ").unwrap();
    let (serial, _) = after.split_once(')').unwrap();
    for part in [&format!("by the serial number {serial}"), "--slot ID", "--list-slots"] {
        assert!(undone.contains(part), "{part}: {undone}");
    }
    let slots = hsm.run("pkcs11-tool", &["--module", module(), "--list-slots"]).out;
    let (before, _) = slots.split_once(serial).unwrap();
    let slot = before.rsplit_once("(0x").unwrap().1.split_once(')').unwrap().0;
    let slot = format!("--slot 0x{slot}");
    let by_slot = undone.replace(&format!("--token-label {TOKEN}"), &slot);
    assert_eq!((run_as_printed(&hsm, &by_slot), objects(&hsm)), (3, 0), "{by_slot}");
    // The old key that stays is named so as well.
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token(OTHER);
    let home = on_first(&hsm);
    migrates(&home, &to_other(&text(&home, "pin")));
    relabel(&hsm, None, TOKEN, NOW);
    let finished = migrates_both(&home, &["--finish", "--keep-old-key", "--yes"]).out;
    assert_eq!((run_as_printed(&hsm, &finished), objects(&hsm)), (3, 3), "{finished}");
    signs(&home);
}

#[test]
fn a_token_renamed_after_the_switch_is_recorded_as_going_on_and_the_end_say() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &words());
    relabel(&hsm, None, TOKEN, NOW);
    for way in [&["--finish", "--yes"][..], &[]] {
        let refused = migrate(&home, way);
        assert_eq!(refused.code, 1, "{}", refused.err);
        for part in ["does not open", NOW, "run `icnctl id relocate`", "--keep-new-key"] {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
    }
    home.ok(&["--pin-file", &text(&home, "pin"), "id", "relocate"], b"");
    // What was noted of its PIN cannot be read: that way is named, too.
    write_private(&home.path("refused.json"), "garbage");
    let refused = migrate(&home, &["--finish", "--yes"]);
    assert!(refused.code != 0 && refused.err.contains("--retry-pin"), "{}", refused.err);
    std::fs::remove_file(home.path("refused.json")).unwrap();
    migrates(&home, &["--finish", "--yes"]);
    signs(&home);
}

#[test]
fn a_key_that_was_begun_is_known_by_the_serial_number_where_two_tokens_have_one_label() {
    for way in ["on", "given", "back"] {
        let hsm = SoftHsm::with_token(TOKEN);
        hsm.token(OTHER);
        let [begun, _] = cuts(&identity(&hsm), &words());
        let before = objects(&hsm);
        let home = identity(&hsm);
        let old = did(&home);
        let to = [&words()[..], &["--key-label", "second"]].concat();
        killed_at(&home, &to, begun);
        assert_eq!(status(&home)["state"], "backed-up");
        relabel(&hsm, None, OTHER, TOKEN);
        let with: &[&str] = match way {
            "on" => &[],
            "given" => &to,
            _ => &["--roll-back", "--yes"],
        };
        let ran = migrate(&home, with);
        assert_eq!(ran.code, 0, "{way}: {}", ran.err);
        if way != "back" {
            signs(&home);
            migrates(&home, &["--roll-back", "--yes"]);
        }
        assert_eq!((did(&home), objects(&hsm)), (old, before), "{way}");
    }
    let first_cuts = cuts_from_first();
    // The token of the old key is called as that of the new one by now.
    for way in [&[][..], &["--roll-back", "--yes"]] {
        let hsm = SoftHsm::with_token(TOKEN);
        hsm.token(OTHER);
        let (home, begun) = (&on_first(&hsm), first_cuts[0]);
        let old = did(home);
        killed_at(home, &to_other(&text(home, "pin")), begun);
        relabel(&hsm, None, TOKEN, OTHER);
        let ran = migrates_both(home, way);
        if way.is_empty() {
            signs(home);
            assert_ne!(did(home), old);
        } else {
            assert!(ran.out.contains("icnctl id relocate"), "{}", ran.out);
            home.ok(&["--pin-file", &text(home, "pin"), "id", "relocate"], b"");
            signs(home);
            assert_eq!((did(home), objects(&hsm)), (old, 3));
        }
    }
}

/// At each file that is written as the new label is recorded.
#[test]
fn a_label_whose_recording_was_cut_off_is_recorded_by_the_next_command() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let [_, last] = cuts(&home, &words());
    migrates(&home, &["--roll-back", "--yes"]);
    for nth in 1..=9 {
        let home = identity(&hsm);
        let old = did(&home);
        killed_at(&home, &words(), last);
        relabel(&hsm, None, TOKEN, NOW);
        killed_at(&home, &[], nth);
        let on = migrate(&home, &[]);
        assert_eq!(on.code, 0, "{nth}: {}", on.err);
        signs(&home);
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!((did(&home), objects(&hsm)), (old, 0), "{nth}");
        relabel(&hsm, None, NOW, TOKEN);
    }
}

/// A PIN that is refused as the label is recorded does not have it noted over and over.
#[test]
fn a_label_of_before_is_noted_once() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let [_, last] = cuts(&home, &words());
    migrates(&home, &["--roll-back", "--yes"]);
    let home = identity(&hsm);
    killed_at(&home, &words(), last);
    relabel(&hsm, None, TOKEN, NOW);
    write_private(&home.beside("pin"), "9999");
    for _ in 0..2 {
        assert_ne!(migrate(&home, &[]).code, 0);
    }
    let journal: Value = serde_json::from_str(&home.read("migration.json")).unwrap();
    assert_eq!(journal["new_token_before"], serde_json::json!([TOKEN]), "{journal}");
    write_private(&home.beside("pin"), PIN);
    migrates(&home, &[]);
    signs(&home);
}

#[test]
fn an_old_identity_whose_token_was_renamed_in_a_move_says_how_it_opens_again() {
    let [_, last] = cuts_from_first();
    for way in ["on", "back"] {
        let hsm = SoftHsm::with_token(TOKEN);
        hsm.token(OTHER);
        let home = on_first(&hsm);
        let old = did(&home);
        killed_at(&home, &to_other(&text(&home, "pin")), last);
        relabel(&hsm, None, TOKEN, NOW);
        let pin = text(&home, "pin");
        let refused = home.icnctl(&["--pin-file", &pin, "sign"], b"hello");
        assert_eq!(refused.code, 1, "{}", refused.err);
        for part in [NOW, "icnctl id migrate;", "icnctl id migrate --roll-back;"] {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
        if way == "back" {
            let undone = migrates_both(&home, &["--roll-back", "--yes"]).out;
            assert!(undone.contains("icnctl id relocate"), "{undone}");
            home.ok(&["--pin-file", &pin, "id", "relocate"], b"");
            signs(&home);
        } else {
            migrates_both(&home, &[]);
            signs(&home);
            let undone = migrates_both(&home, &["--roll-back", "--yes"]).out;
            // It was recorded.
            assert!(!undone.contains("relocate"), "{undone}");
            signs(&home);
        }
        assert_eq!((did(&home), objects(&hsm)), (old, 3), "{way}");
    }
}

#[test]
fn a_module_that_is_gone_is_named_with_the_file_to_set_it_in() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (old, new) = (hsm.fault_module(), hsm.path("upgraded.so"));
    let to = |module: &'static str| ["--to", "pkcs11", "--module", module, "--token", TOKEN];
    let [gone, new]: [&'static str; 2] =
        [old, new.to_str().unwrap().to_owned()].map(|path| &*path.leak());
    let words = [&to(gone)[..], &["--no-backup"]].concat();
    let home = identity(&hsm);
    let cuts = cuts(&home, &words);
    migrates(&home, &["--roll-back", "--yes"]);
    for at in cuts {
        let home = identity(&hsm);
        killed_at(&home, &words, at);
        std::fs::rename(gone, new).unwrap();
        let file = home.path("migration/icn.toml");
        let named = format!("under [identity.pkcs11] in {}", file.display());
        for way in [&[][..], &["--roll-back", "--yes"]] {
            let refused = migrate(&home, way);
            assert_eq!(refused.code, 1, "{at} {way:?}: {}", refused.err);
            for part in [&named, "id migrate --to pkcs11 --module PATH"] {
                assert!(refused.err.contains(part), "{at} {way:?} {part}: {}", refused.err);
            }
        }
        migrates(&home, &["--to", "pkcs11", "--module", new]);
        signs(&home);
        // In use, its own configuration is named.
        std::fs::rename(new, gone).unwrap();
        let refused = migrate(&home, &["--finish", "--yes"]);
        let named = format!("[identity.pkcs11] in {}", home.path("icn.toml").display());
        assert!(refused.code == 1 && refused.err.contains(&named), "{}", refused.err);
        std::fs::rename(gone, new).unwrap();
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!(ids(&hsm), 0);
        std::fs::rename(new, gone).unwrap();
    }
}
