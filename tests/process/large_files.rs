//! Memory of `icnctl decrypt`. In a process of its own: what a test process needs
//! is counted with its children.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use support::alone::alone;
use support::home::{Home, PASSPHRASE, run};
use support::peak;
use support::softhsm::SoftHsm;

/// KiB, for a file of 100 MB.
const LIMIT: u64 = 64 * 1024;

/// Read from and written to files and pipes. The same memory does for one byte.
#[test]
fn a_hundred_megabytes_are_decrypted_in_constant_memory() {
    alone(|| {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        home.ok(&["id", "init"], b"");
        let shown = home.show();
        let recipient = shown["encryption"]["age_recipient"].as_str().unwrap();
        let path = |name| home.beside(name);
        let mut head = Command::new("head");
        head.args(["-c", "100000000", "/dev/urandom"]).stdout(File::create(path("large")).unwrap());
        assert!(head.status().unwrap().success());
        std::fs::write(path("small"), b"x").unwrap();
        let mut peaks = Vec::new();
        for (name, armor) in [("small", false), ("small", true), ("large", false), ("large", true)]
        {
            let (plain, file, out) = (path(name), path("file.age"), path("out"));
            let mut age = Command::new("age");
            age.args(armor.then_some("--armor")).args(["--recipient", recipient, "--output"]);
            assert!(age.arg(&file).arg(&plain).status().unwrap().success());
            let (file_name, out_name) = (file.to_str().unwrap(), out.to_str().unwrap());
            let mut to_file =
                home.command(&["decrypt", file_name, "--output", out_name, "--force"]);
            let (code, files) = peak::run(to_file.stdin(Stdio::null()));
            assert_eq!(code, 0, "{name}");
            assert!(same(&plain, &out), "{name}");
            let mut cat = Command::new("cat").arg(&file).stdout(Stdio::piped()).spawn().unwrap();
            let mut to_stdout = home.command(&["decrypt"]);
            to_stdout.stdin(cat.stdout.take().unwrap()).stdout(File::create(&out).unwrap());
            let (code, pipe) = peak::run(&mut to_stdout);
            assert_eq!(code, 0, "{name}");
            assert!(cat.wait().unwrap().success());
            assert!(same(&plain, &out), "{name}");
            eprintln!("{name}, armor {armor}: {files} KiB with files, {pipe} KiB with pipes");
            peaks.push(files.max(pipe));
        }
        let [small, small_armored, large, large_armored] = peaks[..] else { panic!("{peaks:?}") };
        let (small, large) = (small.max(small_armored), large.max(large_armored));
        assert!(large < LIMIT, "{peaks:?}");
        assert!(large < small + 8192, "{peaks:?}");
    });
}

/// As docs/encryption.md has it: what a passphrase takes comes on top.
#[test]
fn decrypting_takes_the_memory_of_scrypt_for_a_passphrase_and_none_of_it_for_a_pin() {
    alone(|| {
        let software = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        software.write("icn.toml", "");
        software.ok(&["id", "init"], b"");
        let hsm = SoftHsm::with_token("node-1");
        let token = hsm.identity("node-1");
        token.write("icn.toml", &token.read("icn.toml").replace("work_factor = 10", ""));
        let peaks = [&software, &token].map(|home| {
            let shown = home.show();
            let recipient = shown["encryption"]["age_recipient"].as_str().unwrap();
            let file = home.beside("file.age");
            let mut age = Command::new("age");
            age.args(["--recipient", recipient, "--output"]).arg(&file);
            assert_eq!(run(&mut age, b"x").code, 0);
            let mut decrypt = home.command(&["decrypt", file.to_str().unwrap()]);
            let (code, peak) = peak::run(decrypt.stdin(Stdio::null()).stdout(Stdio::null()));
            assert_eq!(code, 0);
            peak
        });
        let [software, token] = peaks;
        eprintln!("software {software} KiB, token {token} KiB");
        assert!((256 * 1024..300_000_000 / 1024).contains(&software), "{software} KiB");
        // Of that a build for development takes half by its own size.
        assert!(token < 48 * 1024, "{token} KiB");
    });
}

/// Compared by a tool: this process stays small.
fn same(one: &Path, other: &Path) -> bool {
    Command::new("cmp").arg(one).arg(other).status().unwrap().success()
}
