//! The new identity is in use: that it opens is proved, and not only said.

use super::lost::killed_at;
use super::ready::write_of;
use super::*;

fn is_refused(home: &Home, parts: &[&str]) {
    let before = status(home);
    let refused = migrate(home, &[]);
    assert_ne!(refused.code, 0, "{}", refused.out);
    assert!(!refused.out.contains("is in a token now"), "{}", refused.out);
    for part in parts {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(status(home), before);
}

const SHUT: [&str; 3] = ["the new identity", "does not open", "--roll-back --keep-new-key"];

#[test]
fn a_switch_that_was_cut_off_is_not_said_to_be_done_where_the_new_identity_does_not_open() {
    let hsm = SoftHsm::with_token(TOKEN);
    let words = [&to_token()[..], &["--no-backup"]].concat();
    let at = write_of(&hsm, &words, "/home/icn.toml", 1) + 1;
    let home = identity(&hsm);
    let old = did(&home);
    killed_at(&home, &words, at);
    hsm.unplug();
    is_refused(&home, &SHUT);
    // Nor the second time, when the files are in their place.
    is_refused(&home, &SHUT);
    old_signs(&home);
    hsm.plug_in();
    migrates(&home, &[]);
    signs(&home);
    hsm.unplug();
    is_refused(&home, &SHUT);
    // The way out that is named.
    migrates(&home, &["--roll-back", "--keep-new-key", "--yes"]);
    assert_eq!(did(&home), old);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
}
