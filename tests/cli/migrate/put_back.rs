//! A file of the old identity is lost while it is being moved: it is put back from a backup.

use super::ready::before_the_switch;
use super::*;

#[test]
fn an_identity_that_has_lost_a_file_in_a_move_is_put_back_by_the_way_that_is_named() {
    for mode in ["rotate", "import"] {
        for lost in [&["identity.json"][..], &["identity.age"], &["identity.json", "identity.age"]]
        {
            let hsm = SoftHsm::with_token(TOKEN);
            let home = before_the_switch(&hsm, mode);
            let ((key, recipient), old) = (recovery_key(&home), did(&home));
            let (passphrase, backup) = (text(&home, "passphrase"), text(&home, "backup.age"));
            let made = ["id", "backup", "--recipient", &recipient, "-o", &backup];
            home.ok(&[&["--passphrase-file", &passphrase][..], &made].concat(), b"");
            for file in lost {
                std::fs::remove_file(home.path(file)).unwrap();
            }
            let (other, restore) = (text(&home, "elsewhere"), ["id", "restore", &backup]);
            let with = ["--identity-file", &key, "--did", &old, "--passphrase-file", &passphrase];
            let there = home.path("");
            let there = there.to_str().unwrap().trim_end_matches('/');
            let way = format!(
                "icnctl --home OTHER id restore FILE --identity-file KEYFILE --did {old}; then cp \
                 OTHER/identity.json OTHER/identity.age {there}; then go on"
            );
            let restored = home.icnctl(&[&restore[..], &with].concat(), b"");
            for refused in
                [restored, migrate(&home, &[]), migrate(&home, &["--roll-back", "--yes"])]
            {
                assert_ne!(refused.code, 0, "{}", refused.out);
                assert!(refused.err.contains(&way), "{mode} {lost:?}: {}", refused.err);
            }
            // Just so.
            home.ok(&[&["--home", &other][..], &restore, &with].concat(), b"");
            for file in ["identity.json", "identity.age"] {
                let file_there = std::path::Path::new(&other).join(file);
                let cp = ["-p", file_there.to_str().unwrap(), there];
                assert_eq!(run(Command::new("cp").args(cp), b"").code, 0);
            }
            migrates(&home, &[]);
            signs(&home);
            old_signs(&home);
        }
    }
}
