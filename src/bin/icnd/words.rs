//! What to try next, in the words of an operator. The library's help names its API, as it knows
//! of no command line: for people it is `icnctl` that does it.

/// Of each thing that the library names: by which command or option it is done.
const WORDS: &[(&str, &str)] = &[
    ("(`IdentityStore::create`)", "(icnctl id init)"),
    ("the directory of one", "its directory (--home DIR)"),
    ("(`Home::create`)", "(icnctl id init)"),
    ("(`Backend::create`", "(icnctl id init"),
    ("(`IdentityStore::adopt`)", "(icnctl id init --key URI)"),
    ("(`IdentityStore::reseal`)", "(icnctl id reseal --new-pin)"),
    ("(`IdentityStore::hand_over`)", "(icnctl id rotation create)"),
    ("(`IdentityBundle::age_recipient`)", "(icnctl id show)"),
    (": `IdentityBundle::age_recipient`", " (icnctl id show)"),
    (": `IdentityBundle::retired_decryption_keys`", " (icnctl id decryption-key list)"),
    ("(`LegacyIdentity::read`, then `IdentityStore::import`)", "(icnctl id import)"),
    (
        "(`CredentialSource`)",
        "(--pin-file or --passphrase-file, $ICN_PIN or $ICN_PASSPHRASE, a terminal)",
    ),
    ("(`Credentials::and_passphrase`)", "(--passphrase-file, or $ICN_PASSPHRASE)"),
    (
        "(a look at the TPM, which uses no PIN, says after how many seconds)",
        "(after how many seconds is said, without a PIN, by `icnctl tpm check`)",
    ),
    (
        "($XDG_STATE_HOME of a command, `HomeOptions::with_state_directory` of a program)",
        "($XDG_STATE_HOME)",
    ),
    (" (of a program, `HomeOptions::with_state_directory`)", ""),
    ("tells the doctor:", "tells `icnctl backend doctor`:"),
    ("(`HomeOptions::retry_refused`, or another process)", RETRY),
    ("(`HomeOptions::retry_refused`)", RETRY),
    ("(`HomeOptions::with_state_directory`)", "($XDG_STATE_HOME)"),
    ("(`Home::pin_lines`)", "(icnctl id show)"),
    ("(`Home::restore`)", "(icnctl id restore)"),
    ("(`TpmBackend::install`)", "(icnctl tpm install)"),
    (
        "the `ApprovalRequest` that `TpmBackend::check` gives on this node",
        "what icnctl --format json tpm check says on this node",
    ),
    ("the doctor's `TpmReport`", "what icnctl backend doctor says"),
    ("(`TpmReport` lists them)", "(icnctl backend doctor lists them)"),
    ("(`PeerBook::forget`)", "(icnctl peer remove DID --forget)"),
    ("(`Ready::hand_over`)", "(icnctl id migrate)"),
    ("(`Migration::run`)", "(icnctl id migrate)"),
    ("(`Migration::status`)", "(icnctl id migrate --status)"),
    ("(`Migration::finish`)", "(icnctl id migrate --finish)"),
    ("(`Migration::roll_back`)", "(icnctl id migrate --roll-back)"),
    ("(`Migration::recover`)", "(icnctl id migrate --recover)"),
    ("(`AuditLog::reopen`)", "(kill -HUP, with the number in icnd.lock)"),
    // Where they are in the middle of a sentence.
    ("`IdentityStore::reseal`", "`icnctl id reseal`"),
    ("`IdentityStore::relocate`", "`icnctl id relocate`"),
    ("`IdentityStore::adopt`", "`icnctl id init --key URI`"),
    ("`IdentityStore::create`", "`icnctl id init`"),
];

const RETRY: &str = "(with `icnctl sign --retry-pin`, as the user of icnd)";

pub(crate) fn of_operator(help: &str) -> String {
    let mut text = help.to_owned();
    for (of_library, ours) in WORDS {
        text = text.replace(of_library, ours);
    }
    // What else is named in brackets is for programmers.
    while let Some(start) = text.match_indices(" (`").map(|(at, _)| at).find(|at| {
        text.get(at + 3..).is_some_and(|name| name.starts_with(|first: char| first.is_uppercase()))
    }) {
        let Some(length) = text.get(start..).and_then(|rest| rest.find(')')) else { break };
        text.replace_range(start..=start + length, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn sources(directory: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    /// As one line, without comments.
    fn joined(text: &str) -> String {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.map(str::trim).collect::<Vec<_>>().join("\n").replace("\\\n", "")
    }

    /// What the library does not say any more is found here.
    #[test]
    fn each_phrase_that_is_told_by_a_command_is_one_of_the_library() {
        let mut found = Vec::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for room in ["fault", "error", "keystore", "peer", "bundle", "rotation", "audit"] {
            sources(&source.join(room), &mut found);
        }
        let texts: Vec<String> = found.iter().map(|text| joined(text)).collect();
        for (of_library, _) in WORDS {
            assert!(texts.iter().any(|text| text.contains(of_library)), "{of_library}");
        }
    }

    /// `` `Name` `` or `` `Name::method` ``
    fn names_an_api(text: &str) -> bool {
        text.split('`').skip(1).step_by(2).any(|name| {
            let is_path = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
            let lower = name.chars().any(|letter| letter.is_ascii_lowercase());
            // `CKA_LABEL` and settings of systemd are no API of ours.
            is_path && lower && name.starts_with(|first: char| first.is_ascii_uppercase())
        })
    }

    #[test]
    fn no_help_of_what_the_daemon_meets_names_an_api() {
        let mut found = Vec::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        sources(&source.join("fault"), &mut found);
        for file in ["config/error.rs", "audit/error.rs", "bundle/error.rs", "peer/book_error.rs"] {
            found.push(fs::read_to_string(source.join(file)).unwrap());
        }
        let mut seen = 0;
        for text in found {
            let text = joined(&text);
            for literal in text.split('"').skip(1).step_by(2).filter(|it| names_an_api(it)) {
                seen += 1;
                let said = of_operator(literal);
                assert!(!names_an_api(&said), "{said}");
            }
        }
        assert!(seen > 20, "{seen}");
    }

    #[test]
    fn an_operator_is_told_the_command() {
        let said = of_operator("make one (`IdentityStore::create`), or name the directory of one");
        assert_eq!(said, "make one (icnctl id init), or name its directory (--home DIR)");
        assert_eq!(of_operator("do it (`Some::thing`), then that"), "do it, then that");
        assert_eq!(of_operator("set `socket`"), "set `socket`");
    }
}
