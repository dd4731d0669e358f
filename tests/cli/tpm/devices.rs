//! Devices that are none, or not for this user.

use std::path::Path;
use std::process::Command;

use support::home::{Home, Ran, run};

use super::node::{Node, quiet};

const SET_IT: &str = "set `device_path` under [identity.tpm] to /dev/tpmrm0";

/// By every way to a device.
fn refused(device: &str, texts: &[&str]) {
    let node = Node::with_identity("ed25519", &[]);
    node.set("device_path", &format!("\"{device}\""));
    let other = super::node::home_on(&node.tpm);
    quiet(&other.fails(&["id", "init", "--device", device], b"", texts));
    assert!(!other.path("identity.json").exists());
    node.fails(&["sign"], texts);
    node.fails(&["tpm", "check"], texts);
    node.fails(&["id", "reseal"], texts);
    reported(&node, &["backend", "doctor"], texts);
    reported(&node, &["backend", "doctor", "--device", device], texts);
    assert_eq!(node.home.show()["device"]["state"], "unreachable");
}

/// A doctor reports what it cannot examine, too.
fn reported(node: &Node, doctor: &[&str], texts: &[&str]) {
    let ran = node.icnctl(doctor);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for text in [&["FAIL", "try: ", "No identity works here."], texts].concat() {
        assert!(ran.out.contains(text), "wanted {text:?} in:\n{}", ran.out);
    }
    let ran = node.icnctl(&[&["--format", "json"], doctor].concat());
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["tpm"], &report["verdict"]), (&serde_json::Value::Null, &"fail".into()));
    assert_eq!(report["verdicts"][0]["state"], "fail", "{report}");
}

#[test]
fn a_device_that_does_not_exist_is_named() {
    let wanted = ["there is no TPM at /dev/tpm-of-nobody", "correct `device_path`"];
    refused("/dev/tpm-of-nobody", &wanted);
}

#[test]
fn a_device_where_nobody_listens_is_no_tpm() {
    let mut gone = support::swtpm::Swtpm::start();
    gone.power_off();
    refused(&gone.tcti(), &[&format!("there is no TPM at {}", gone.tcti()), "device_path"]);
}

/// An swtpm whose control is on a Unix socket looks so.
#[test]
fn an_swtpm_without_a_control_on_the_next_port_is_told_where_it_has_to_be() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let device = format!("swtpm:host=127.0.0.1,port={}", listener.local_addr().unwrap().port());
    let home = Home::new();
    let args = ["id", "init", "--backend", "tpm", "--device", &device];
    let texts = ["there is no TPM at ", "if it runs, its control has to be on the next port"];
    home.fails(&args, b"", &texts);
}

#[test]
fn the_help_says_where_a_policy_comes_from_and_what_becomes_of_backups() {
    let home = Home::new();
    for (command, texts) in [
        (&["id", "reseal"][..], &["[identity.tpm] in icn.toml", "P-256", "icnctl id backup"][..]),
        (&["tpm", "install"], &["make a new one afterwards", "id restore --approval FILE"]),
    ] {
        let help = home.ok(&[command, &["--help"]].concat(), b"");
        // Wherever the lines are broken.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in texts {
            assert!(help.contains(text), "{text}: {help}");
        }
    }
}

#[test]
fn a_regular_file_and_a_directory_are_no_tpm() {
    refused("/etc/passwd", &["\"/etc/passwd\" is no TPM: it is no character device", SET_IT]);
    refused("/tmp", &["/tmp", "device_path"]);
}

#[test]
fn a_device_that_does_not_answer_as_a_tpm_is_none() {
    refused("/dev/null", &["there is no TPM at /dev/null"]);
    refused("/dev/zero", &["the connection to the TPM returned 0xa"]);
}

#[test]
fn what_the_library_would_take_for_localhost_is_refused() {
    for device in ["swtpm:path=/run/swtpm.sock", "swtpm:", "swtpm:host=127.0.0.1,port=1,x=2"] {
        refused(device, &["an swtpm is named by host=ADDRESS,port=PORT", SET_IT]);
    }
    refused("tpmrm0", &["it is neither an absolute path nor swtpm:host=", SET_IT]);
}

/// As a user outside the group `tss` sees it.
#[test]
fn a_device_for_other_users_is_told_from_a_missing_one() {
    let dir = tempfile::tempdir().unwrap();
    open_to_all(dir.path());
    let device = dir.path().join("tpmrm0");
    let device = device.to_str().unwrap();
    let told = |ran: &Ran| {
        quiet(ran);
        assert_eq!(ran.code, 1, "{}", ran.out);
        // A doctor reports it.
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains(&format!("no permission to use the TPM at {device}")), "{said}");
        assert!(said.contains("usermod -aG tss USER"), "{said}");
    };
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) != 0 {
        // What this user may not open is no device, but that is not looked at first.
        std::fs::write(device, "").unwrap();
        let nobodys = std::os::unix::fs::PermissionsExt::from_mode(0o000);
        std::fs::set_permissions(device, nobodys).unwrap();
        let home = Home::new();
        told(&home.icnctl(&["backend", "doctor", "--backend", "tpm", "--device", device], b""));
        return;
    }
    let made = run(Command::new("mknod").args(["--mode=600", device, "c", "10", "224"]), b"");
    assert_eq!(made.code, 0, "{}", made.err);
    // Perhaps others may not look into the build directory. (Were it open for
    // writing in this process, a child of another test could hold it so.)
    let icnctl = dir.path().join("icnctl");
    let copied = run(Command::new("cp").arg(env!("CARGO_BIN_EXE_icnctl")).arg(&icnctl), b"");
    assert_eq!(copied.code, 0, "{}", copied.err);
    open_to_all(&icnctl);
    let home = dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&home, private).unwrap();
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    let as_nobody = |args: &[&str]| -> Ran {
        run(
            Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                .arg(&icnctl)
                .args(args)
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap())
                .env("ICN_HOME", &home),
            b"",
        )
    };
    for args in [
        &["backend", "doctor", "--backend", "tpm", "--device", device][..],
        &["id", "init", "--backend", "tpm", "--device", device, "--no-pin"],
    ] {
        told(&as_nobody(args));
    }
}

fn open_to_all(path: &Path) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap();
}

#[test]
fn a_tpm_that_nobody_started_is_named_as_such() {
    let mut node = Node::with_identity("ed25519", &[]);
    node.tpm.restart_without_startup();
    let texts =
        ["the TPM takes no commands: it was not started", "TPM_RC_INITIALIZE", "tpm2_startup"];
    for args in [&["sign"][..], &["id", "reseal"]] {
        node.home.fails(args, b"", &texts);
    }
    reported(&node, &["backend", "doctor"], &texts);
    node.tpm.tool("tpm2_startup", &["-c"]);
    node.signs();
}

#[test]
fn a_hierarchy_that_is_switched_off_has_its_own_advice() {
    let mut node = Node::with_identity("ed25519", &[]);
    node.tpm.tool("tpm2_hierarchycontrol", &["-C", "p", "shEnable", "clear"]);
    node.fails(&["sign"], &["the owner's hierarchy of the TPM is switched off", "firmware"]);
    node.tpm.restart();
    node.signs();
}
