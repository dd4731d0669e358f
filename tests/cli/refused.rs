//! A refused PIN is sent once, by whoever shares a home or a state directory: whatever PINs
//! come from one source, whatever the device is called, and whatever the note looks like.

mod state;
mod unread;
mod which;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use support::home::{Home, Ran, run, write_private};
use support::softhsm::{PIN, SoftHsm};
use support::swtpm::Swtpm;
use support::tpm2_pkcs11::Tpm2Token;

use crate::tpm::node;

const WRONG: &str = "0001pin-11112222";
const WRONG_TOO: &str = "0001pin-33334444";

/// Counts PINs by itself.
struct Token {
    hsm: SoftHsm,
    home: Home,
}

impl Token {
    fn new(script: &str) -> Self {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1").with("PKCS11_FAULT_PIN", PIN);
        hsm.script(&format!("pin-is {PIN}\ntries 10\n{script}"));
        Self { hsm, home }
    }

    fn sent(&self) -> usize {
        fs::read_to_string(self.hsm.path("pins")).unwrap_or_default().lines().count()
    }

    fn file(&self, name: &str, pin: &str) -> String {
        let path = self.home.beside(name);
        write_private(&path, pin);
        path.to_str().unwrap().to_owned()
    }

    fn signs_with(&self, pin: &str) -> Ran {
        self.with_variables(&[("ICN_PIN", pin)])
    }

    fn with_variables(&self, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.home.command(&["sign", "/dev/null"]);
        run(command.envs(variables.iter().copied()), b"")
    }

    fn with_file(&self, file: &str, args: &[&str]) -> Ran {
        self.home.icnctl(&[args, &["--pin-file", file, "sign", "/dev/null"]].concat(), b"")
    }
}

#[test]
fn each_pin_of_a_variable_a_pipe_or_a_credential_is_sent_once() {
    let token = Token::new("");
    let turns = [WRONG, WRONG_TOO, WRONG, WRONG_TOO];
    assert!(turns.iter().all(|pin| token.signs_with(pin).code == 77));
    assert_eq!(token.sent(), 2);

    let token = Token::new("");
    for pin in turns {
        let args = ["--pin-file", "/dev/stdin", "sign", "/dev/null"];
        assert_eq!(token.home.icnctl(&args, pin.as_bytes()).code, 77);
    }
    assert_eq!(token.sent(), 2);

    let token = Token::new("");
    let directory = token.home.beside("credentials");
    fs::create_dir(&directory).unwrap();
    let file = directory.join("pin");
    for pin in turns {
        let _ = fs::remove_file(&file);
        write_private(&file, pin);
        let mut command = token.home.command(&["sign", "/dev/null"]);
        command.env_remove("ICN_PIN").env("CREDENTIALS_DIRECTORY", &directory);
        command.args(["--pin-file", file.to_str().unwrap()]);
        assert_eq!(run(&mut command, b"").code, 77);
    }
    assert_eq!(token.sent(), 2);
    // And the right one is none of them.
    assert_eq!(token.signs_with(PIN).code, 0);
}

#[test]
fn of_all_that_share_a_home_or_a_state_directory_one_sends_a_refused_pin() {
    let token = Token::new("");
    let state = |name: &str| token.home.beside(name).to_str().unwrap().to_owned();
    // By an operator, then by a service without a home, and each with another directory.
    let all: Vec<_> = (0..8).map(|at| state(&format!("s{at}"))).collect();
    let started =
        |state: &str| token.with_variables(&[("ICN_PIN", WRONG), ("XDG_STATE_HOME", state)]);
    let ended: Vec<Ran> = std::thread::scope(|scope| {
        let running: Vec<_> = all.iter().map(|state| scope.spawn(|| started(state))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ended.iter().all(|ran| ran.code == 77), "{ended:?}");
    assert_eq!(token.sent(), 1);
    assert_eq!(token.signs_with(WRONG).code, 77);
    assert_eq!(token.sent(), 1);
    // What is taken without such a directory counts with it, too.
    token.hsm.script(&format!("pin-is {WRONG}\ntries 10"));
    let insisting = token.home.command(&["--retry-pin", "sign", "/dev/null"]);
    let mut insisting = insisting;
    let insisted = run(insisting.env("ICN_PIN", WRONG).env("PKCS11_FAULT_PIN", PIN), b"");
    assert_eq!(insisted.code, 0, "{}", insisted.err);
    for state in &all {
        let ran = started(state);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
}

#[test]
fn a_directory_of_a_token_that_others_can_read_is_named_and_no_pin_is_sent() {
    let token = Token::new("");
    let state = token.home.beside("state");
    let set = [("ICN_PIN", WRONG), ("XDG_STATE_HOME", state.to_str().unwrap())];
    assert_eq!(token.with_variables(&set).code, 77);
    let of_token = fs::read_dir(state.join("icn-identity")).unwrap().next().unwrap().unwrap();
    fs::set_permissions(of_token.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = token.with_variables(&set);
    assert!(ran.code != 0 && ran.err.contains("chmod 700"), "{}", ran.err);
    assert!(ran.err.contains(of_token.path().to_str().unwrap()), "{}", ran.err);
    assert_eq!(token.sent(), 1);
}

/// As tpm2-pkcs11 names all its tokens.
#[test]
fn two_tokens_of_one_name_have_a_memory_each() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.token_with_pin("node-2", WRONG_TOO);
    let (module, state) = (hsm.fault_module(), hsm.path("state"));
    hsm.script("serial same\nlabel same");
    let slots = hsm.softhsm2_util(&["--show-slots"]);
    let slots: Vec<u64> =
        slots.lines().filter_map(|line| line.strip_prefix("Slot ")?.trim().parse().ok()).collect();
    let homes = slots.iter().map(|slot| {
        let home = hsm.home().with("XDG_STATE_HOME", state.to_str().unwrap());
        home.write(
            "icn.toml",
            &format!(
                "[identity]\nbackend = \"pkcs11\"\n[identity.pkcs11]\nmodule = \"{module}\"\nslot = {slot}\n"
            ),
        );
        home
    });
    // The last slot has no token yet.
    let made: Vec<(Home, &str)> = homes
        .filter_map(|home| {
            let pin = [PIN, WRONG_TOO].into_iter().find(|pin| {
                run(home.command(&["--retry-pin", "id", "init"]).env("ICN_PIN", pin), b"").code == 0
            })?;
            Some((home, pin))
        })
        .collect();
    let [(one, of_one), (other, of_other)] = &made[..] else { panic!("{}", made.len()) };
    let sends = |home: &Home, pin: &str| {
        let before = hsm.count("C_Login");
        let ran = run(home.command(&["sign", "/dev/null"]).env("ICN_PIN", pin), b"");
        (ran.code, hsm.count("C_Login") - before)
    };
    assert_eq!(sends(one, of_one), (0, 1));
    assert_eq!(sends(one, WRONG), (77, 1));
    assert_eq!(sends(one, of_other), (77, 1), "of the other one");
    for _ in 0..2 {
        assert_eq!(sends(other, of_other), (0, 1), "it is right there");
        assert_eq!(sends(one, WRONG), (77, 0));
        assert_eq!(sends(one, of_other), (77, 0));
    }
    assert_eq!(sends(one, of_one), (0, 1));
}

#[test]
fn two_tokens_of_tpm2_pkcs11_have_a_memory_each() {
    let tokens = [Tpm2Token::new("node-1"), Tpm2Token::new("node-1")];
    let state = tokens[0].home().beside("state");
    let homes = tokens.each_ref().map(|token| {
        crate::tpm2_pkcs11::identity(token).with("XDG_STATE_HOME", state.to_str().unwrap())
    });
    let signs = |home: &Home, pin: &str| {
        run(home.command(&["sign", "/dev/null"]).env("ICN_PIN", pin), b"").code
    };
    assert_eq!(signs(&homes[0], "pin-11112222"), 77);
    // It may be right there.
    assert_eq!(signs(&homes[1], "pin-11112222"), 77);
    for _ in 0..2 {
        homes[1].ok(&["sign"], b"");
        assert_eq!(signs(&homes[0], "pin-11112222"), 77);
    }
    let counted = tokens.each_ref().map(|token| token.tpm.lockout_counter());
    assert_eq!(counted, [1, 1]);
}

/// Where the flags do not show that none was counted.
#[test]
fn a_wrong_pin_that_is_answered_by_a_loss_is_in_doubt_and_sent_once() {
    for code in [
        "CKR_DEVICE_REMOVED",
        "CKR_TOKEN_NOT_PRESENT",
        "CKR_TOKEN_NOT_RECOGNIZED",
        "CKR_SLOT_ID_INVALID",
        "CKR_SESSION_HANDLE_INVALID",
        "CKR_SESSION_CLOSED",
        "CKR_CRYPTOKI_NOT_INITIALIZED",
    ] {
        for flags in [
            "manufacturer Some_Works\non C_GetTokenInfo 4..999 return CKR_TOKEN_NOT_PRESENT",
            "manufacturer Some_Works",
        ] {
            let token = Token::new("");
            // It counts, and does not show that.
            token.hsm.script(&format!("pin-is {PIN}\nwrong-pin {code}\n{flags}"));
            for _ in 0..3 {
                let ran = token.signs_with(WRONG);
                assert_eq!(ran.code, 77, "{code} {flags}: {}", ran.err);
            }
            assert_eq!(token.sent(), 1, "{code} {flags}");
        }
    }
}

/// `ulimit -v` of a service.
#[test]
fn without_memory_to_compare_them_no_pin_is_sent() {
    let token = Token::new("");
    let config = token.home.read("icn.toml");
    token.home.write("icn.toml", &config.replace("work_factor = 10", "work_factor = 15"));
    let limited = |pin: &str, args: &str| {
        let script = format!("ulimit -v 60000; exec \"$0\" {args} sign /dev/null");
        let icnctl = token.home.command(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(icnctl.get_program()).env_clear();
        command.envs(icnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        run(command.env("ICN_PIN", pin), b"")
    };
    assert_eq!(limited(PIN, "").code, 0, "there is enough for a right one");
    assert_eq!(token.signs_with(WRONG).code, 77);
    let before = token.sent();
    let ran = limited(WRONG, "");
    assert!(ran.code != 0 && ran.err.contains("32 MiB of memory"), "{}", ran.err);
    assert!(ran.err.contains("ulimit -v") && ran.err.contains("--retry-pin"), "{}", ran.err);
    assert_eq!(token.sent(), before);
    // What was noted without memory may be any.
    let ran = limited(WRONG_TOO, "--retry-pin");
    assert_eq!((ran.code, token.sent()), (77, before + 1), "{}", ran.err);
    let ran = token.signs_with("0001pin-55556666");
    assert!(ran.code == 77 && ran.err.contains("--retry-pin"), "{}", ran.err);
    assert_eq!(token.sent(), before + 1);
    let file = token.file("right", PIN);
    assert_eq!(token.with_file(&file, &["--retry-pin"]).code, 0);
    assert_eq!(token.with_file(&file, &[]).code, 0);
}

#[test]
fn a_tpm_is_the_same_by_each_of_its_names() {
    let tpm = Swtpm::start();
    let home = node::home_on(&tpm);
    home.ok(&["id", "init"], b"");
    let tcti = tpm.tcti();
    let (host, port) = tcti.strip_prefix("swtpm:").unwrap().split_once(',').unwrap();
    let state = home.beside("state");
    for (tcti, state) in [
        (tcti.clone(), None),
        (format!("swtpm:{port},{host}"), None),
        (format!("swtpm:{port},{host}"), Some(&state)),
    ] {
        node::set(&home, "device_path", &format!("{tcti:?}"));
        let mut command = home.command(&["sign", "/dev/null"]);
        if let Some(state) = state {
            command.env("XDG_STATE_HOME", state);
        }
        let ran = run(command.env("ICN_PIN", node::WRONG), b"");
        assert_eq!(ran.code, 77, "{tcti}: {}", ran.err);
        assert_eq!(tpm.lockout_counter(), 1, "{tcti}");
    }
}

#[test]
fn a_token_with_a_new_label_has_refused_what_it_refused_before() {
    let token = Token::new("");
    assert_eq!(token.signs_with(WRONG).code, 77);
    token.hsm.script(&format!("pin-is {PIN}\ntries 10\nlabel another"));
    let mut relocate = token.home.command(&["id", "relocate"]);
    let ran = run(relocate.env("ICN_PIN", WRONG), b"");
    assert_eq!(ran.code, 77, "{}", ran.err);
    assert!(ran.err.contains("was not sent again"), "{}", ran.err);
    assert_eq!(token.sent(), 1);
}

/// `pass show` waits for a person.
#[test]
fn while_a_pin_is_on_its_way_through_a_pipe_others_go_on() {
    let token = Token::new("");
    let mut waits = token.home.command(&["--pin-file", "/dev/stdin", "sign", "/dev/null"]);
    let mut waits = waits.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let begun = std::time::Instant::now();
    assert_eq!(token.signs_with(PIN).code, 0);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
    waits.stdin.take().unwrap().write_all(PIN.as_bytes()).unwrap();
    assert!(waits.wait().unwrap().success());
}

#[test]
fn a_note_that_is_not_understood_has_no_pin_sent_until_an_operator_says_so() {
    let token = Token::new("");
    assert_eq!(token.signs_with(WRONG).code, 77);
    let noted = token.home.read("refused.json");
    for damaged in [noted.replacen("\"at\": ", "\"at\": -", 1), noted[..noted.len() / 2].to_owned()]
    {
        token.home.write("refused.json", &damaged);
        token.home.chmod("refused.json", 0o600);
        let note = token.home.path("refused.json");
        for pin in [WRONG, WRONG_TOO, PIN] {
            let ran = token.signs_with(pin);
            assert_ne!(ran.code, 0, "{}", ran.err);
            let remove = format!("rm -f {}", note.display());
            for text in ["cannot be understood", "--retry-pin", &remove] {
                assert!(ran.err.contains(text), "no {text}: {}", ran.err);
            }
        }
        assert_eq!(token.sent(), 1);
    }
    let file = token.file("right", PIN);
    assert_eq!(token.with_file(&file, &["--retry-pin"]).code, 0);
    assert_eq!(token.with_file(&file, &[]).code, 0);
}
