//! A PIN that is sent once more under an open identity, whose login was lost: from the look
//! at the token's flags to its answer no other process sends one, and threads of this one
//! that wait for the connection are not waited for.

mod since;

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use icn_identity::Error;
use icn_identity::backend::{BackendKind, Locator, NewKey};
use icn_identity::config::Config;
use icn_identity::error::{DeviceError, ErrorKind, KeystoreError, Pkcs11Error};
use icn_identity::home::{CredentialSource, Home, HomeOptions};
use support::home::write_private;
use support::softhsm::{PIN, SoftHsm, alone};
use support::workers::{Worker, serve};

use crate::{TOKEN, did_at, faulty, faulty_config};

const RIGHT: &str = "right-51830274";
/// Of other groups of PINs, or they would be taken for the one that is on its way.
const WRONG: [&str; 2] = ["wrong-51830275", "wrong-51830276"];
const TOKEN_IS: &str = "pin-is right-51830274\ntries 3\nwrong-pin CKR_PIN_INCORRECT\n";

const DONE: &str = "done";
/// The next `C_Login` of each process takes that long, before the token looks at it.
const HELD: &str = "on C_Login 1 sleep 4000\n";

/// Two homes on one token.
fn made(hsm: &SoftHsm) {
    hsm.token(TOKEN);
    hsm.script("");
    home_with(hsm, "one", "first").create(&NewKey::default(), given()).unwrap();
    with_second(hsm);
}

/// The key of the first one wants its PIN for each signature.
fn made_with_a_pin_each_time(hsm: &SoftHsm) {
    hsm.token(TOKEN);
    hsm.script("");
    let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--always-auth"];
    hsm.pkcs11_tool_on(TOKEN, &[&make[..], &["--id", "0a", "--label", "first"]].concat());
    let locator = faulty(hsm).find_by_label("first").unwrap();
    let did = did_at(&faulty(hsm), &locator);
    home_with(hsm, "one", "first").adopt(&Locator::Pkcs11(locator), &did, given()).unwrap();
    with_second(hsm);
}

fn with_second(hsm: &SoftHsm) {
    home_with(hsm, "two", "second").create(&NewKey::default(), given()).unwrap();
    write_private(&hsm.path("right"), RIGHT);
    hsm.script(TOKEN_IS);
}

fn home_with(hsm: &SoftHsm, name: &str, label: &str) -> Home {
    let mut config = Config::default();
    config.identity.backend = BackendKind::Pkcs11;
    config.identity.age.work_factor = 10;
    let mut token = faulty_config(hsm);
    token.key_label = Some(label.to_owned());
    config.identity.pkcs11 = Some(token);
    HomeOptions::new().with_config(config).open(hsm.path(name)).unwrap()
}

fn given() -> CredentialSource<'static> {
    CredentialSource::given(PIN.to_owned())
}

/// Opens it, signs, and does something with what signs.
fn open<T>(
    hsm: &SoftHsm,
    (home, file): (&str, &str),
    then: impl FnOnce(Box<dyn Fn() -> Result<(), Error>>) -> T,
) -> Result<T, Error> {
    let options = HomeOptions::new().with_state_directory(hsm.path("state"));
    let opened = options.open(hsm.path(home))?.unlock(CredentialSource::file(hsm.path(file)))?;
    opened.bundle.sign(b"hello")?;
    Ok(then(Box::new(move || Ok(opened.bundle.sign(b"hello").map(drop)?))))
}

/// What the module was sent: whether it was right, and the tries that were left before.
fn sent(hsm: &SoftHsm) -> Vec<(bool, i64)> {
    let lines = fs::read_to_string(hsm.path("pins")).unwrap_or_default();
    let parse = |line: &str| {
        let mut words = line.rsplit(' ');
        (words.next().unwrap() == "true", words.next().unwrap().parse().unwrap())
    };
    lines.lines().map(parse).collect()
}

/// If this is one: keeps the first home open, and signs when it is told to.
fn is_service(hsm: &SoftHsm) -> bool {
    let kept = RefCell::new(None);
    serve(|line| {
        let did = match line {
            "open" => open(hsm, ("one", "right"), |sign| *kept.borrow_mut() = Some(sign)),
            _ => kept.borrow().as_ref().unwrap()(),
        };
        did.map_or_else(|error| error.to_string(), |()| DONE.to_owned())
    })
}

fn service(test: &str) -> Worker {
    let worker = Worker::start(&format!("sent_again::{test}"), &[]);
    assert_eq!(worker.ask("open").as_deref(), Some(DONE));
    worker
}

/// Until a process has noted that it sends its PIN, and is in the module.
fn wait_for_note(home: &Path) {
    let begun = Instant::now();
    while !home.join("refused.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no PIN is sent");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
}

/// A wrong one was counted before, and somebody sends another while the service is between
/// its look at the flags and its PIN: that would leave one try, and the right PIN go on it.
fn sends_its_pin_alone(hsm: &SoftHsm, service: &Worker, rule: &str, wrong: &str) {
    write_private(&hsm.path("wrong"), wrong);
    fs::write(hsm.path("tries"), "1").unwrap();
    fs::remove_file(hsm.path("pins")).unwrap();
    hsm.script(&format!("{TOKEN_IS}{HELD}{rule}"));
    std::thread::scope(|scope| {
        let signed = scope.spawn(|| service.ask("sign"));
        wait_for_note(&hsm.path("one"));
        hsm.script(TOKEN_IS);
        let refused = open(hsm, ("two", "wrong"), drop).unwrap_err();
        assert!(refused.is_wrong_pin(), "{rule}: {refused:?}");
        assert_eq!(signed.join().unwrap().as_deref(), Some(DONE), "{rule}");
    });
    assert_eq!(sent(hsm), [(true, 2), (false, 3)], "{rule}");
    open(hsm, ("two", "right"), drop).unwrap();
    assert_eq!(sent(hsm).last(), Some(&(true, 2)), "{rule}");
}

#[test]
fn between_the_flags_and_the_pin_of_a_recovery_no_other_process_sends_one() {
    alone(|hsm| {
        if is_service(hsm) {
            return;
        }
        made(hsm);
        let service =
            service("between_the_flags_and_the_pin_of_a_recovery_no_other_process_sends_one");
        // This process has begun before the token is written to.
        open(hsm, ("two", "right"), drop).unwrap();
        for (loss, wrong) in ["kill-all", "logout"].into_iter().zip(WRONG) {
            sends_its_pin_alone(hsm, &service, &format!("on C_SignInit 1 {loss}"), wrong);
        }
    });
}

#[test]
fn between_the_flags_and_the_pin_for_one_signature_no_other_process_sends_one() {
    alone(|hsm| {
        if is_service(hsm) {
            return;
        }
        made_with_a_pin_each_time(hsm);
        let service =
            service("between_the_flags_and_the_pin_for_one_signature_no_other_process_sends_one");
        open(hsm, ("two", "right"), drop).unwrap();
        sends_its_pin_alone(hsm, &service, "", WRONG[0]);
    });
}

/// As of a first login: the token shows each wrong PIN, and shows none.
#[test]
fn a_recovery_that_a_kill_ends_leaves_no_right_pin_in_doubt() {
    alone(|hsm| {
        if is_service(hsm) {
            return;
        }
        made(hsm);
        let service = service("a_recovery_that_a_kill_ends_leaves_no_right_pin_in_doubt");
        open(hsm, ("two", "right"), drop).unwrap();
        hsm.script(&format!("{TOKEN_IS}on C_Login 1 sleep 60000\non C_SignInit 1 kill-all"));
        std::thread::scope(|scope| {
            scope.spawn(|| service.ask("sign"));
            wait_for_note(&hsm.path("one"));
            service.kill();
        });
        hsm.script(TOKEN_IS);
        for home in ["two", "one"] {
            open(hsm, (home, "right"), drop).unwrap();
        }
        assert!(!hsm.path("one/refused.json").exists());
    });
}

/// Until it is done: what is lost while an identity is opened may fail that. But nobody is
/// ever refused for the sake of somebody who waits.
fn at_last(work: impl Fn() -> Result<(), Error>) {
    let begun = Instant::now();
    while let Err(error) = work() {
        assert!(!matches!(error, Error::Keystore(_)), "{error:?}");
        assert_ne!(error.kind(), ErrorKind::InUse, "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{error:?}");
    }
}

/// A thread that opens has its turn and waits for the connection, which the recovery has.
#[test]
fn threads_that_open_and_threads_that_recover_wait_for_each_other_for_no_time() {
    alone(|hsm| {
        made(hsm);
        let options = HomeOptions::new().with_state_directory(hsm.path("state"));
        let home = options.open(hsm.path("one")).unwrap();
        let opened = home.unlock(CredentialSource::file(hsm.path("right"))).unwrap();
        fs::remove_file(hsm.path("pins")).unwrap();
        let losses = (1..=20).map(|number| format!("on C_SignInit {} logout\n", number * 13));
        // So that the others come while a login is on its way.
        let slow = format!("{TOKEN_IS}on C_Login all sleep 30\n");
        hsm.script(&format!("{slow}{}", losses.collect::<String>()));
        let begun = Instant::now();
        let barrier = Barrier::new(8);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (barrier, bundle) = (&barrier, &opened.bundle);
                scope.spawn(move || {
                    barrier.wait();
                    for turn in 0..25 {
                        let home = if (number + turn) % 2 == 0 { "one" } else { "two" };
                        at_last(|| match number % 2 {
                            0 => Ok(bundle.sign(b"hello").map(drop)?),
                            _ => open(hsm, (home, "right"), drop),
                        });
                    }
                });
            }
        });
        // Whoever waits for somebody who waits gives up after half a minute.
        assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
        let sent = sent(hsm);
        assert!(sent.len() >= 10, "{sent:?}");
        assert!(sent.iter().all(|sent| *sent == (true, 3)), "{sent:?}");
        hsm.script(&slow);
        opened.bundle.sign(b"hello").unwrap();
        assert!(!hsm.path("one/refused.json").exists());
    });
}

/// By somebody who tidied up. The next refusal is noted there all the same.
#[test]
fn a_state_directory_that_is_gone_is_made_anew_for_the_next_refusal() {
    alone(|hsm| {
        if is_service(hsm) {
            return;
        }
        made(hsm);
        let service = service("a_state_directory_that_is_gone_is_made_anew_for_the_next_refusal");
        fs::remove_dir_all(hsm.path("state")).unwrap();
        fs::remove_file(hsm.path("pins")).unwrap();
        // It has another PIN by now.
        let other = TOKEN_IS.replace(RIGHT, "right-elsewhere");
        hsm.script(&format!("{other}on C_SignInit 1 kill-all"));
        let said = service.ask("sign").unwrap();
        assert_ne!(said, DONE);
        assert_eq!(sent(hsm), [(false, 3)], "{said}");
        hsm.script(&other);
        // Another home has nothing but that directory in common with it.
        for _ in 0..2 {
            let refused = open(hsm, ("two", "right"), drop).unwrap_err();
            assert!(refused.is_wrong_credential(), "{refused:?}");
        }
        assert_eq!(sent(hsm), [(false, 3)]);
        let mode = fs::metadata(hsm.path("state")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    });
}
