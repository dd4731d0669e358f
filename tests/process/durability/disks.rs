//! Real disks that are full or read-only, and files whatever the umask.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use support::home::{FAST, Home, PASSPHRASE, Ran, run, write_private};

/// Runs a shell script where it may mount: in a mount namespace of its own, and
/// a user namespace unless it is root. `$icnctl` is the program, `$ICN_HOME` a
/// directory on a small tmpfs with an identity.
pub(crate) fn on_a_small_disk(script: &str) -> Ran {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    write_private(&home.beside("new"), "another passphrase");
    std::fs::create_dir(home.beside("disk")).unwrap();
    let prepare = r#"
        set -u
        fail() { echo "FAILED: $*"; exit 99; }
        mount -t tmpfs -o size=64k,mode=0700 small "$beside/disk" || fail mount
        cp -a "$beside/home" "$beside/disk/home" || fail cp
        ICN_HOME="$beside/disk/home"; export ICN_HOME
        change() { "$icnctl" id change-passphrase --new-passphrase-file "$beside/new"; }
        signs() { printf hello | "$icnctl" sign >/dev/null; }
        signs || fail "the copy does not sign"
    "#;
    let user_id = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    let flags: &[&str] = if user_id == 0 { &["-m"] } else { &["-U", "-r", "-m"] };
    let mut command = Command::new("unshare");
    command
        .args(flags)
        .args(["sh", "-c", &format!("{prepare}{script}")])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("icnctl", env!("CARGO_BIN_EXE_icnctl"))
        .env("beside", home.beside(""))
        .env("ICN_PASSPHRASE", PASSPHRASE);
    let ran = run(&mut command, b"");
    assert!(!ran.out.contains("FAILED"), "{} {}", ran.out, ran.err);
    ran
}

#[test]
fn on_a_full_disk_the_old_identity_stays_and_signs() {
    let ran = on_a_small_disk(
        r#"
        before=$(cat "$ICN_HOME"/identity.* | sha256sum)
        dd if=/dev/zero of="$beside/disk/fill" bs=1k 2>/dev/null
        change 2>"$beside/said" && fail "changed on a full disk"
        cat "$beside/said" >&2
        grep -q "put back" "$beside/said" && fail "$(cat "$beside/said")"
        [ "$before" = "$(cat "$ICN_HOME"/identity.* | sha256sum)" ] || fail "the files differ"
        [ "$(ls -A "$ICN_HOME" | tr '\n' ' ')" = ".lock icn.toml identity.age identity.json " ] \
            || fail "left behind: $(ls -A "$ICN_HOME")"
        signs || fail "the old one does not sign"
        rm "$ICN_HOME/.lock"; : > "$beside/disk/more"
        dd if=/dev/zero of="$beside/disk/more" bs=1k 2>/dev/null
        signs || fail "no lock file, no signature"
        rm "$beside/disk/fill" "$beside/disk/more"
        change || fail "does not change when there is room"
        signs && fail "the old passphrase still opens"
        ICN_PASSPHRASE="another passphrase"; signs || fail "the new passphrase does not open"
        "#,
    );
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    for wanted in
        ["cannot write", "/disk/home/identity.", "No space left", "try: the disk is full", "df -h"]
    {
        assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
    }
}

#[test]
fn on_a_full_disk_no_half_identity_is_made() {
    let ran = on_a_small_disk(
        r#"
        dd if=/dev/zero of="$beside/disk/fill" bs=1k 2>/dev/null
        mkdir "$beside/disk/second" && chmod 700 "$beside/disk/second" || fail mkdir
        ICN_HOME="$beside/disk/second"
        "$icnctl" --config "$beside/home/icn.toml" id init && fail "made on a full disk"
        [ -z "$(ls -A "$ICN_HOME" | grep identity)" ] || fail "left behind: $(ls -A "$ICN_HOME")"
        rm "$beside/disk/fill"
        cp "$beside/home/icn.toml" "$ICN_HOME" && sed -i '/^did/d' "$ICN_HOME/icn.toml"
        "$icnctl" id init || fail "not made when there is room"
        signs || fail "does not sign"
        "#,
    );
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
}

#[test]
fn on_a_read_only_disk_the_identity_signs_and_is_not_changed() {
    let ran = on_a_small_disk(
        r#"
        mount -o remount,bind,ro "$beside/disk" || fail remount
        signs || fail "does not sign"
        for writes in change "$icnctl id renew" "$icnctl id renew --all-instances"; do
            $writes 2>"$beside/said" && fail "changed by $writes"
            cat "$beside/said" >&2
            # Nothing was changed that could be put back.
            grep "^warning" "$beside/said" && fail "$writes warns"
        done
        signs 2>"$beside/said" || fail "does not sign afterwards"
        [ -s "$beside/said" ] && fail "signing says: $(cat "$beside/said")"
        mount -o remount,bind,rw "$beside/disk" && rm "$ICN_HOME/.lock" || fail rw
        # What a writer that was killed leaves: the new header beside the old payload.
        cp -p "$ICN_HOME/identity.json" "$ICN_HOME/identity.json.prev"
        sed -i 's/"generation": 1/"generation": 2/' "$ICN_HOME/identity.json"
        mount -o remount,bind,ro "$beside/disk" || fail ro
        signs || fail "does not sign without a lock file and with a torn write"
        mount -o remount,bind,rw "$beside/disk" || fail rw
        signs || fail "does not sign"
        [ -e "$ICN_HOME/identity.json.prev" ] && fail "not repaired"
        grep -q '"generation": 1' "$ICN_HOME/identity.json" || fail "repaired wrongly"
        "#,
    );
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    for wanted in [
        "Read-only file system",
        "try: the disk is read-only",
        "findmnt -T",
        "/disk/home/identity.",
    ] {
        assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
    }
}

/// Whether it takes everything away or nothing.
#[test]
fn what_is_written_is_private_whatever_the_umask() {
    for umask in ["000", "777"] {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        let config = home.beside("fast.toml");
        write_private(&config, FAST);
        write_private(&home.beside("new"), "another passphrase");
        let script = r#"
            umask "$mask"
            "$icnctl" --config "$config" id init &&
            "$icnctl" --config "$config" id change-passphrase --new-passphrase-file "$new"
        "#;
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("icnctl", env!("CARGO_BIN_EXE_icnctl"))
            .env("mask", umask)
            .env("config", &config)
            .env("new", home.beside("new"))
            .env("ICN_HOME", home.path("made/for/it"))
            .env("ICN_PASSPHRASE", PASSPHRASE);
        let ran = run(&mut command, b"");
        assert_eq!(ran.code, 0, "{umask}: {}", ran.err);
        let mode = |name: &str| {
            let path = home.path("made").join(name);
            std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
        };
        for name in ["", "for", "for/it"] {
            assert_eq!(mode(name), 0o700, "{umask}: {name}");
        }
        for name in ["identity.age", "identity.json", ".lock"] {
            assert_eq!(mode(&format!("for/it/{name}")), 0o600, "{umask}: {name}");
        }
    }
}

/// No mode can be set there.
#[test]
fn a_mode_that_cannot_be_changed_has_another_advice_than_chmod() {
    let ran = on_a_small_disk(
        r#"
        chmod 755 "$ICN_HOME" || fail chmod
        mount -o remount,ro "$beside/disk" || fail remount
        signs && fail "it signs"
        chmod 700 "$ICN_HOME" 2>/dev/null && fail "the mode can be changed"
        exit 0
        "#,
    );
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    for wanted in ["its mode is 0755", "on a read-only file system", "findmnt -T"] {
        assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
    }
    assert!(!ran.err.contains("chmod 700"), "{}", ran.err);
}
