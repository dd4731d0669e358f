//! Messages of any length: hashed while they are read where a hash is signed, and
//! refused in time where the message itself is.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::alone::alone;
use support::home::{FAST, Home, PASSPHRASE, openssl_verifies, run};
use support::peak;
use support::softhsm::SoftHsm;
use support::swtpm::Swtpm;

/// KiB that a program needs by itself, and no part of the message.
const SMALL: u64 = 64 * 1024;

/// The longest that is signed whole.
const MOST: u64 = 1 << 30;

/// A file of zeros that takes no room on the disk.
fn zeros(home: &Home, length: u64) -> PathBuf {
    let path = home.beside(&format!("zeros-{length}"));
    File::create(&path).unwrap().set_len(length).unwrap();
    path
}

fn software() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home
}

/// Runs it to the end with what it reads; exit code, what it printed, KiB.
fn measured(home: &Home, args: &[&str], input: Option<&PathBuf>) -> (i32, String, u64) {
    let out = home.beside("out");
    let mut command = home.command(args);
    command.stdout(File::create(&out).unwrap());
    let cat = input.map(|path| {
        let mut cat = Command::new("cat").arg(path).stdout(Stdio::piped()).spawn().unwrap();
        command.stdin(cat.stdout.take().unwrap());
        cat
    });
    let (code, peak) = peak::run(&mut command);
    if let Some(mut cat) = cat {
        let _ = cat.wait();
    }
    (code, std::fs::read_to_string(out).unwrap(), peak)
}

/// Signs and verifies 200 MB, from a file and from a pipe.
fn takes_little(home: &Home, options: &[&str]) {
    let file = zeros(home, 200_000_000);
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let path = file.to_str().unwrap();
    for (args, input) in [(&["sign", path][..], None), (&["sign"], Some(&file))] {
        let (code, signature, peak) = measured(home, &[args, options].concat(), input);
        assert_eq!(code, 0);
        assert!(peak < SMALL, "{peak} KiB to sign {options:?}");
        let signed = home.beside("signature");
        std::fs::write(&signed, &signature).unwrap();
        let mut verify = vec!["verify", "--did", &did];
        match options {
            [] => verify.extend(["--signature", signature.trim()]),
            _ => verify.extend(["--signature-file", signed.to_str().unwrap()]),
        }
        verify.extend(options);
        for (file, input) in [(Some(path), None), (None, Some(&file))] {
            let args = [&verify[..], file.as_slice()].concat();
            let (code, said, peak) = measured(home, &args, input);
            assert_eq!((code, said.as_str()), (0, "valid\n"));
            assert!(peak < SMALL, "{peak} KiB to verify {options:?}");
        }
        // Another message.
        let shorter = zeros(home, 199_999_999);
        let args = [&verify[..], &[shorter.to_str().unwrap()]].concat();
        assert_eq!(measured(home, &args, None).0, 1);
    }
}

#[test]
fn a_signature_for_a_context_takes_no_memory_for_its_message() {
    alone(|| {
        takes_little(&software(), &["--context", "large@coop.example"]);
        let hsm = SoftHsm::with_token("large");
        takes_little(&hsm.identity("large"), &["--context", "large@coop.example"]);
    });
}

#[test]
fn a_p256_key_signs_a_message_while_it_is_read() {
    alone(|| {
        let hsm = SoftHsm::with_token("large");
        let home = hsm.home();
        home.ok(&[&hsm.init("large")[..], &["--algorithm", "p256"]].concat(), b"");
        takes_little(&home, &[]);
        takes_little(&home, &["--context", "large@coop.example"]);
        // Of what is not whole chunks, the same as other software.
        let public = home.show()["public_key"]["hex"].as_str().unwrap().to_owned();
        for length in [0_usize, 1, 65_535, 65_536, 65_537, 200_000] {
            let message: Vec<u8> = (0..=255).cycle().take(length).collect();
            let signature = home.ok(&["sign"], &message);
            let dir = home.beside("");
            assert!(openssl_verifies(&dir, &public, &message, &signature), "{length}");
        }
        for reserved in [&b"icn-identity/x"[..], b"SSHSIG"] {
            home.fails(&["sign"], reserved, &["as what the identity signs itself does"]);
        }
    });
}

#[test]
fn a_p256_key_of_a_tpm_signs_a_message_while_it_is_read() {
    alone(|| {
        let tpm = Swtpm::start();
        let home = Home::new().with("ICN_PIN", "123456");
        let config = format!(
            "{FAST}\n[identity.tpm]\ndevice_path = \"{}\"\npin_work_factor = 10\n",
            tpm.tcti()
        );
        home.write("icn.toml", &config);
        let init = ["id", "init", "--backend", "tpm", "--algorithm", "p256"];
        home.ok(&[&init[..], &["--no-platform-binding"]].concat(), b"");
        takes_little(&home, &[]);
    });
}

#[test]
fn a_message_that_is_too_long_for_ed25519_is_told_before_anybody_is_asked() {
    alone(|| {
        let home = software();
        let longer = zeros(&home, MOST + 1);
        let path = longer.to_str().unwrap();
        let texts = ["the message is longer than 1024 MiB", "--context NAME", "P-256"];
        // No passphrase is there, and no terminal.
        let mut sign = home.command(&["sign", path]);
        let ran = run(sign.env_remove("ICN_PASSPHRASE"), b"");
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(texts.iter().all(|text| ran.err.contains(text)), "{}", ran.err);
        let did = home.show()["did"].as_str().unwrap().to_owned();
        let signature = home.ok(&["sign"], b"x");
        let verify = ["verify", "--did", &did, "--signature", signature.trim(), path];
        let ran = home.icnctl(&verify, b"");
        assert!(ran.code == 2 && ran.err.contains(texts[0]), "{}", ran.err);
        // Nothing of it is in memory.
        let (code, _, peak) = measured(&home, &["sign", path], None);
        assert!(code == 1 && peak < SMALL, "{peak} KiB");
        // Of a pipe it is told once more has come.
        let (code, printed, peak) = measured(&home, &["sign"], Some(&longer));
        assert_eq!((code, printed.as_str()), (1, ""));
        assert!(peak < (MOST / 1024) + SMALL, "{peak} KiB");
    });
}

/// An abort by signal before, or the kernel's killer.
#[test]
fn without_memory_for_a_message_it_is_told() {
    alone(|| {
        let home = software();
        let path = zeros(&home, 800_000_000);
        let command = home.command(&[]);
        for from in ["\"$1\"", "< \"$1\"", "- < \"$1\""] {
            let mut sh = Command::new("sh");
            sh.args(["-c", &format!("ulimit -v 400000; exec \"$0\" sign {from}")]);
            sh.arg(command.get_program()).arg(&path);
            sh.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            let ran = run(&mut sh, b"");
            assert_eq!(ran.code, 1, "{}", ran.err);
            // As much as the file has.
            let texts = ["the system has no memory for the message: 763 MiB were asked for"];
            for text in texts.into_iter().chain(["--context NAME"]) {
                assert!(ran.err.contains(text), "{}", ran.err);
            }
        }
    });
}

/// SoftHSM2 ends the process where it gets no memory: exit code 5, without a word.
#[test]
fn a_message_that_a_module_has_no_memory_for_is_told_before_a_pin_is_sent() {
    alone(|| {
        let hsm = SoftHsm::with_token("large");
        let home = hsm.faulty_identity("large");
        // Both copies of it do not fit, or the second one.
        let path = zeros(&home, 300_000_000);
        let command = home.command(&[]);
        let within = |kib: u64, args: &str| {
            let mut sh = Command::new("sh");
            sh.args(["-c", &format!("ulimit -v {kib}; exec \"$0\" sign {args} \"$1\"")]);
            sh.arg(command.get_program()).arg(&path).env_clear();
            sh.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            run(&mut sh, b"")
        };
        let (sent, mut signed) = (hsm.count("C_Login"), 0);
        for kib in (450_000..1_250_000).step_by(100_000) {
            let ran = within(kib, "");
            if ran.code == 0 {
                signed += 1;
                continue;
            }
            assert_eq!((ran.code, signed), (1, 0), "{kib}: {}", ran.err);
            for text in ["a PKCS#11 module may need 589 MiB more", "not asked", "--context NAME"] {
                assert!(ran.err.contains(text), "{kib}: {}", ran.err);
            }
            assert_eq!(hsm.count("C_Login"), sent, "{kib}");
        }
        assert!(signed > 0);
        // What it says does.
        assert_eq!(within(450_000, "--context large@coop.example").code, 0);
    });
}
