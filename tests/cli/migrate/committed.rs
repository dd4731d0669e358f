//! An identity that has committed to its next key, which shows with its credential only.

use super::*;

#[test]
fn a_move_that_a_commitment_forbids_is_undone_at_once_and_leaves_the_way_that_it_names() {
    let hsm = SoftHsm::with_token(TOKEN);
    let [home, first, next] = [identity(&hsm), identity(&hsm), identity(&hsm)];
    let passphrase = text(&home, "passphrase");
    let hand_over = |from: &Home, to: &Home, more: &[&str]| {
        let to = to.path("");
        let what = ["id", "rotation", "create", "--successor", to.to_str().unwrap()];
        let with = ["--passphrase-file", &passphrase, "--successor-passphrase-file", &passphrase];
        from.ok(&[&with[..2], &what, &with[2..], &["--reason", "scheduled"], more].concat(), b"");
    };
    hand_over(&first, &home, &["--commit-next", &did(&next)]);
    let to = [&to_token()[..], &["--no-backup"]].concat();
    let plan = migrate(&home, &[&to[..], &["--plan"]].concat());
    assert!(plan.code == 0 && plan.out.contains("committed to its next key"), "{}", plan.out);
    let before = tree(&home);
    let refused = migrate(&home, &to);
    assert_eq!(refused.code, 1, "{}", refused.err);
    for part in ["has committed to the key", "icnctl id rotation create --successor"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert!(!refused.err.contains("the move was begun"), "{}", refused.err);
    assert!(status(&home).is_null() && ids(&hsm) == 0);
    assert!(tree(&home) == before);
    hand_over(&home, &next, &[]);
}
