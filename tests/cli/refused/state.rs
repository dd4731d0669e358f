//! Where the homes of a user note together what a device has refused, and what is in the way
//! of that.

use std::os::unix::fs::symlink;

use super::*;

/// What is set, and what of it is in the way.
struct Case {
    variable: &'static str,
    value: &'static str,
    said: &'static str,
}

const BARRED: [Case; 6] = [
    Case { variable: "XDG_STATE_HOME", value: "file", said: "it is not a directory" },
    Case { variable: "XDG_STATE_HOME", value: "dangling", said: "that leads nowhere" },
    Case { variable: "XDG_STATE_HOME", value: "dangling/a/b", said: "that leads nowhere" },
    Case { variable: "XDG_STATE_HOME", value: "loop/a", said: "symbolic links" },
    Case { variable: "HOME", value: "file", said: "it is not a directory" },
    Case { variable: "HOME", value: "dangling", said: "that leads nowhere" },
];

/// Each home would go by itself, and two would send one refused PIN.
#[test]
fn a_state_directory_whose_parent_cannot_be_used_is_named_and_no_pin_is_sent() {
    let token = Token::new("");
    let beside = |name: &str| token.home.beside(name).to_str().unwrap().to_owned();
    fs::write(beside("file"), "").unwrap();
    symlink("nowhere", beside("dangling")).unwrap();
    symlink("loop", beside("loop")).unwrap();
    for Case { variable, value, said } in BARRED {
        let value = beside(value);
        for pin in [WRONG, PIN] {
            let ran = token.with_variables(&[("ICN_PIN", pin), (variable, &value)]);
            assert_eq!((ran.code, token.sent()), (1, 0), "{variable}={value}: {}", ran.err);
            for text in [value.as_str(), "icn-identity", said, "set $XDG_STATE_HOME", "unset"] {
                assert!(ran.err.contains(text), "{variable}={value}: no {text}: {}", ran.err);
            }
        }
    }
    assert!(!token.home.beside("nowhere").exists());
}

/// A user without a home has no such directory, and none is made.
#[test]
fn without_a_home_each_identity_goes_by_itself() {
    let token = Token::new("");
    let missing = token.home.beside("missing");
    for home in [missing.to_str().unwrap(), "/nonexistent", "/dev/null", "relative", ""] {
        let ran = token.with_variables(&[("ICN_PIN", PIN), ("HOME", home)]);
        assert_eq!(ran.code, 0, "{home}: {}", ran.err);
    }
    assert!(!missing.exists());
    // Nor where there is a home, and it may not be made.
    let ran = token.with_variables(&[("ICN_PIN", PIN), ("XDG_STATE_HOME", "/sys/kernel")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}
