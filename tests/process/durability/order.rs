//! In which order things are written: a file, synced, renamed, the directory
//! synced.

use std::path::Path;

use super::subject::{Deed, Subject};
use super::trace::Call;

/// What happened to one temporary file, up to the sync of its directory.
fn steps<'a>(calls: &'a [Call], temporary: &str, home: &str) -> Vec<(&'static str, &'a str)> {
    let of_file = format!("<{temporary}>");
    let of_home = format!("<{home}>");
    let mut steps = Vec::new();
    for call in calls {
        let step = match call.name.as_str() {
            "openat" if call.quoted() == [temporary] => "create",
            "fchmod" if call.text.contains(&of_file) => "protect",
            "write" if call.text.contains(&of_file) => "write",
            "fsync" if call.text.contains(&of_file) => "sync",
            "rename" if call.quoted()[0] == temporary => "rename",
            // The next thing that is done to the directory must be its sync.
            "fsync" if call.text.contains(&of_home) => "sync directory",
            "rename" | "unlink" | "openat" if call.mutates() && call.names(Path::new(home)) => {
                "another"
            }
            _ => continue,
        };
        if steps.is_empty() && step != "create" {
            continue;
        }
        steps.push((step, call.text.as_str()));
        if steps.iter().any(|(name, _)| *name == "rename") && steps.len() > 5 {
            break;
        }
    }
    steps
}

fn ordered(deed: Deed, expected: &[&str]) {
    let subject = Subject::new(deed);
    let calls = subject.undisturbed();
    let home = subject.home();
    let home = home.to_str().unwrap();
    let renamed: Vec<(&str, &str)> = calls
        .iter()
        .filter(|call| call.name == "rename" && call.names(Path::new(home)))
        .map(|call| (call.quoted()[0], call.quoted()[1]))
        .collect();
    let targets: Vec<&str> = renamed
        .iter()
        .map(|(_, to)| to.strip_prefix(home).unwrap().trim_start_matches('/'))
        .collect();
    assert_eq!(targets, expected, "{deed:?}");
    let mut names = Vec::new();
    for (temporary, target) in &renamed {
        let steps = steps(&calls, temporary, home);
        let order: Vec<&str> = steps.iter().map(|(step, _)| *step).collect();
        let wanted = ["create", "protect", "write", "sync", "rename", "sync directory"];
        assert_eq!(order, wanted, "{deed:?}: {target}: {steps:#?}");
        let (create, protect) = (steps[0].1, steps[1].1);
        for flag in ["O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC", ", 0600)"] {
            assert!(create.contains(flag), "{flag}: {create}");
        }
        assert!(protect.contains(", 0600)"), "{protect}");
        // 96 random bits, never the same.
        let random = temporary.rsplit('.').next().unwrap();
        assert!(random.len() == 24 && !names.contains(&random), "{temporary}");
        names.push(random);
    }
    // The old payload goes before its header, both after the last rename, and
    // each is followed by a sync of the directory.
    let last = calls.iter().rposition(|call| call.name == "rename").unwrap();
    let removed: Vec<&Call> = calls.iter().filter(|call| call.name == "unlink").collect();
    let removed_names: Vec<&str> = removed.iter().map(|call| call.quoted()[0]).collect();
    if deed == Deed::Init {
        assert_eq!(removed_names, [format!("{home}/unfinished.json")]);
        let after: Vec<&str> = calls[last..]
            .iter()
            .filter(|call| call.name == "unlink" || call.name == "fsync")
            .map(|call| call.name.as_str())
            .collect();
        assert_eq!(after, ["fsync", "unlink", "fsync"], "{deed:?}");
    } else {
        let prev = [format!("{home}/identity.age.prev"), format!("{home}/identity.json.prev")];
        assert_eq!(removed_names, prev, "{deed:?}");
        let after: Vec<&str> = calls[last..]
            .iter()
            .filter(|call| call.name == "unlink" || call.name == "fsync")
            .map(|call| call.name.as_str())
            .collect();
        assert_eq!(after, ["fsync", "unlink", "fsync", "unlink", "fsync"], "{deed:?}");
    }
}

#[test]
fn files_are_synced_renamed_and_the_directory_synced_in_that_order() {
    ordered(Deed::Init, &["unfinished.json", "identity.json", "identity.age"]);
    let both = ["identity.json.prev", "identity.age.prev", "identity.json", "identity.age"];
    ordered(Deed::Renewal, &both);
    ordered(Deed::Change, &both);
}

/// What may be left is noted before the configuration pins the DID, and that is
/// done before there is anything of an identity.
#[test]
fn init_pins_the_did_after_its_note_and_before_the_identity() {
    let subject = Subject::new(Deed::Init);
    let calls = subject.undisturbed();
    let renames = calls.iter().filter(|call| call.name == "rename");
    let targets: Vec<&str> =
        renames.map(|call| call.quoted()[1].rsplit('/').next().unwrap()).collect();
    assert_eq!(targets, ["unfinished.json", "icn.toml", "identity.json", "identity.age"]);
    let pinned = calls
        .iter()
        .position(|call| call.name == "rename" && call.quoted()[1].ends_with("icn.toml"));
    let next = calls[pinned.unwrap()..].iter().find(|call| call.name == "fsync").unwrap();
    let above = format!("<{}>", subject.directory().display());
    assert!(next.text.contains(&above), "{next:?}");
}

/// The directories that an identity is made in are as durable as its files.
#[test]
fn a_new_directory_is_synced_into_the_one_above() {
    let subject = Subject::new(Deed::Init);
    let calls = subject.undisturbed();
    let made = calls.iter().position(|call| call.name == "mkdir").unwrap();
    assert!(calls[made].names(&subject.home()) && calls[made].text.contains("0700"));
    let above = format!("<{}>", subject.directory().display());
    let synced = calls[made..].iter().find(|call| call.name == "fsync").unwrap();
    assert!(synced.text.contains(&above), "{synced:?}");
}
