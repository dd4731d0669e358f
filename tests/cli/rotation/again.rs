//! The same command once more, after one that was cut off or without all of its options:
//! what the advice says can be done.

use super::*;

/// As `create`, without a reason.
fn once_more(old: &Home, new: &Home, more: &[&str]) -> Ran {
    let ran = create(old, new, more);
    assert_eq!(ran.code, 0, "{more:?}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains("this rotation was stated before"), "{}", ran.err);
    ran
}

#[test]
fn a_rotation_without_its_terms_is_the_one_that_was_stated() {
    let (old, new, third) = (identity(PASSPHRASE), identity(OTHER), identity(OTHER));
    // Nothing was stated yet.
    let ran = create(&old, &new, &[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let said = ["the reason for the rotation is missing", "--reason scheduled, compromised"];
    assert!(said.iter().all(|text| ran.err.contains(text)), "{}", ran.err);
    assert!(!old.path("handed-over.json").exists());

    let next = did(&third);
    let file = rotated(&old, &new, &["--commit-next", &next]);
    let chain = std::fs::read(&file).unwrap();
    // By itself, with the file that there is, with a new one, and with one of the terms.
    let another = text(&new, "another.json");
    let all = ["--reason", "scheduled", "--commit-next", &next, "-o", &file];
    for more in [&[][..], &["-o", &file], &["-o", &another], &["--commit-next", &next], &all] {
        once_more(&old, &new, more);
    }
    assert_eq!(std::fs::read(&file).unwrap(), chain);
    assert_eq!(std::fs::read(&another).unwrap(), chain);
    // As the output says, with the options of before and one more.
    let told = once_more(&old, &new, &["--carry-decryption-key", "-o", &file]).out;
    assert!(told.contains("open with the successor too"), "{told}");
    // What was asked for otherwise is refused, with both, the day, and the way on.
    let ran = create(&old, &new, &["--reason", "upgrade", "-o", &file]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    for said in [
        "stated before, on 20",
        "on other terms: scheduled, with a commitment to the key whose SHA-256 is ",
        "asked for now: upgrade, without a commitment",
        "or with neither of the two, which takes what was stated",
    ] {
        assert!(ran.err.contains(said), "wanted {said:?} in: {}", ran.err);
    }
}

#[test]
fn a_file_that_is_there_is_the_chain_to_the_byte_or_is_in_the_way() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let file = rotated(&old, &new, &[]);
    let chain = std::fs::read(&file).unwrap();
    for (what, content) in [
        ("shorter", chain[..chain.len() - 1].to_vec()),
        ("longer", [&chain[..], b"\n"].concat()),
        ("another", b"{}\n".to_vec()),
        ("empty", Vec::new()),
    ] {
        std::fs::write(&file, &content).unwrap();
        let ran = create(&old, &new, &["--reason", "scheduled", "-o", &file]);
        assert!(ran.code == 1 && ran.err.contains("already exists"), "{what}: {}", ran.err);
        assert_eq!(std::fs::read(&file).unwrap(), content, "{what}");
    }
    // A link to the very content is no file that this command has written.
    std::fs::write(&file, &chain).unwrap();
    let link = text(&new, "link.json");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let ran = create(&old, &new, &["-o", &link]);
    assert!(ran.code == 1 && ran.err.contains("already exists"), "{}", ran.err);
}

/// Noted, and the successor's file put back as it was: as a cut between the two leaves it.
#[test]
fn a_rotation_that_was_cut_off_is_finished_by_the_command_that_its_output_names() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let before = files(&new);
    let file = text(&new, "chain.json");
    let with = ["--reason", "manual", "--carry-decryption-key", "-o", &file];
    assert_eq!(create(&old, &new, &with).code, 0);
    for (name, content) in ["identity.json", "identity.age", "icn.toml"].into_iter().zip(before) {
        std::fs::write(new.path(name), content).unwrap();
    }
    once_more(&old, &new, &["--carry-decryption-key", "-o", &file]);
    let shown = new.ok(&["id", "rotation", "show"], b"");
    assert!(shown.contains("manual"), "{shown}");
    let listed = new.ok(&["id", "decryption-key", "list"], b"");
    assert!(listed.contains(&did(&old)), "{listed}");
}
