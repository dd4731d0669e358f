//! `Home` on a token: what it wants, and that a PIN is sent once.

use std::fs;
use std::path::Path;

use icn_identity::Error;
use icn_identity::backend::{BackendKind, Credentials, NewKey};
use icn_identity::config::Config;
use icn_identity::error::{DeviceError, ErrorKind, KeystoreError};
use icn_identity::home::{CredentialSource, Home, HomeOptions, Prompt, PromptError, Wanted};
use icn_identity::secret::LockedText;
use support::home::write_private;
use support::softhsm::{PIN, SoftHsm, alone, count};

use crate::pins::WRONG;
use crate::{TOKEN, assert_shows, faulty_config};

fn made(hsm: &SoftHsm) -> Home {
    hsm.token(TOKEN);
    let mut config = Config::default();
    config.identity.backend = BackendKind::Pkcs11;
    config.identity.pkcs11 = Some(faulty_config(hsm));
    let options = HomeOptions::new().with_config(config);
    let mut home = options.open(hsm.path("home")).unwrap();
    home.create(&NewKey::default(), CredentialSource::given(PIN.to_owned())).unwrap();
    Home::open(hsm.path("home")).unwrap()
}

fn file(hsm: &SoftHsm, pin: &str) -> CredentialSource<'static> {
    let path = hsm.path("pin");
    write_private(&path, pin);
    CredentialSource::file(path)
}

fn logins<T>(hsm: &SoftHsm, work: impl FnOnce() -> T) -> (T, usize) {
    let (result, calls) = hsm.calls(work);
    (result, count(&calls, "C_Login"))
}

#[test]
fn a_home_on_a_token_is_pinned_to_it_and_opened_by_its_pin_alone() {
    alone(|hsm| {
        let home = made(hsm);
        let config = home.config().identity.clone();
        let token = config.pkcs11.unwrap();
        assert_eq!(token.token.as_deref(), Some(TOKEN));
        assert!(token.serial.is_some() && config.did.is_some());
        let wants = home.wants().unwrap();
        let pin = wants.pin().unwrap();
        assert!(wants.passphrase().is_none() && pin.is_pin() && !pin.is_new());
        assert_eq!(pin.to_string(), "PIN of token node-1");
        assert_eq!(pin.device().unwrap().label, TOKEN);
        assert_eq!(pin.tries_left(), None, "a token does not tell");
        let (opened, logins) = logins(hsm, || home.unlock(file(hsm, PIN)).unwrap());
        assert_eq!((Some(opened.bundle.did()), logins), (config.did.as_ref(), 1));
    });
}

#[test]
fn what_the_device_says_of_its_pin_is_told_and_heeded_before_anybody_is_asked() {
    alone(|hsm| {
        let home = made(hsm);
        let asked = |text: &str, allowed: bool| {
            hsm.script(text);
            let config = Config::edit(&read(home.config_path()), |config| {
                config.identity.pkcs11.as_mut().unwrap().allow_final_try = allowed;
            });
            let config = Config::parse(&config.unwrap()).unwrap();
            let home = HomeOptions::new().with_config(config).open(home.directory()).unwrap();
            let (mut shown, logins) = (String::new(), hsm.count("C_Login"));
            let unlocked = home.unlock(CredentialSource::prompt(|wanted| {
                shown = wanted.to_string();
                Ok::<_, PromptError>(PIN.to_owned())
            }));
            // What stays open needs no login any more.
            let unlocked = unlocked.map(drop);
            (unlocked, shown, hsm.count("C_Login") - logins, home.wants().unwrap())
        };
        let (opened, shown, sent, _) = asked("flag count-low", false);
        assert_eq!((opened.is_ok(), sent), (true, 1));
        assert_eq!(shown, "PIN of token node-1 (a wrong PIN was entered before)");

        let (refused, shown, sent, wants) = asked("flag final-try", false);
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind(), sent, shown.as_str()), (ErrorKind::LockedOut, 0, ""));
        assert_shows(refused, &["one PIN try left", "allow_final_try"]);
        assert!(wants.pin().unwrap().is_final_try());
        let (opened, shown, sent, _) = asked("flag final-try", true);
        assert_eq!((opened.is_ok(), sent), (true, 1));
        assert_eq!(shown, "PIN of token node-1 (LAST TRY: a wrong PIN locks the token)");

        let (refused, shown, sent, wants) = asked("flag pin-locked", true);
        assert_eq!((refused.unwrap_err().kind(), sent), (ErrorKind::LockedOut, 0));
        assert!(shown.is_empty() && wants.pin().unwrap().is_locked());
    });
}

/// It may be another token of that name by then: one that shows keys is not asked for a key
/// that is hidden.
#[test]
fn no_pin_is_sent_for_a_hidden_key_to_a_token_that_shows_others() {
    alone(|hsm| {
        let home = made(hsm);
        let (error, logins) =
            logins(hsm, || home.relocate_within_login(file(hsm, PIN)).unwrap_err());
        assert_shows(error, &[TOKEN, "hidden without a login", "it shows others"]);
        assert_eq!(logins, 0);
    });
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

struct Pad(bool);

impl Prompt for &mut Pad {
    fn ask(&mut self, wanted: &Wanted) -> Result<LockedText, PromptError> {
        panic!("asked for the {wanted}")
    }

    fn point_to_pin_pad(&mut self, wanted: &Wanted) {
        assert!(wanted.is_at_pin_pad());
        self.0 = true;
    }
}

#[test]
fn the_pin_pad_of_a_token_is_used_and_nothing_else_is_sent_to_it() {
    alone(|hsm| {
        let home = made(hsm);
        let none = home.unlock(CredentialSource::pin_pad()).unwrap_err();
        assert_shows(none, &["it has no PIN pad"]);
        hsm.script("flag protected-path");
        let (refused, sent) = logins(hsm, || home.unlock(file(hsm, PIN)).unwrap_err());
        assert_eq!(sent, 0);
        assert_shows(refused, &["it has a PIN pad, and a PIN was given", "enter it at the token"]);
        home.unlock(CredentialSource::pin_pad()).unwrap();
        let mut pad = Pad(false);
        home.unlock(CredentialSource::prompter(&mut pad)).unwrap();
        assert!(pad.0);
    });
}

/// By another value of the same process, too.
#[test]
fn a_refused_file_is_not_sent_again_until_it_is_written_anew() {
    alone(|hsm| {
        let home = made(hsm);
        let (refused, sent) = logins(hsm, || home.unlock(file(hsm, WRONG)).unwrap_err());
        assert_eq!((refused.kind(), sent), (ErrorKind::WrongCredential, 1));
        assert!(read(&home.directory().join("refused.json")).contains("/pin"));
        for home in [home, Home::open(hsm.path("home")).unwrap()] {
            let source = CredentialSource::file(hsm.path("pin"));
            let (refused, sent) = logins(hsm, || home.unlock(source).unwrap_err());
            assert_eq!(sent, 0);
            let before = matches!(refused, Error::Keystore(KeystoreError::RefusedBefore { .. }));
            assert!(before, "{refused}");
            assert_shows(refused, &["was not sent again", "HomeOptions::retry_refused"]);
        }
        Home::open(hsm.path("home")).unwrap().unlock(file(hsm, PIN)).unwrap();
        assert!(!hsm.path("home/refused.json").exists());
    });
}

#[test]
fn of_many_threads_that_open_a_home_one_sends_a_wrong_pin() {
    alone(|hsm| {
        let home = made(hsm);
        let path = hsm.path("pin");
        write_private(&path, WRONG);
        let (kinds, sent) = logins(hsm, || {
            std::thread::scope(|scope| {
                let unlock = || home.unlock(CredentialSource::file(&path)).unwrap_err().kind();
                let threads: Vec<_> = (0..6).map(|_| scope.spawn(unlock)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            })
        });
        assert_eq!(sent, 1);
        assert!(kinds.iter().all(|kind| *kind == ErrorKind::WrongCredential), "{kinds:?}");
    });
}

fn source(hsm: &SoftHsm, name: &str, pin: &str) -> CredentialSource<'static> {
    write_private(&hsm.path(name), pin);
    CredentialSource::file(hsm.path(name))
}

fn is_refused_before(error: &Error) -> bool {
    matches!(error, Error::Keystore(KeystoreError::RefusedBefore { .. }))
}

#[test]
fn a_refusal_that_the_callers_work_keeps_to_itself_is_noted() {
    alone(|hsm| {
        let home = made(hsm);
        let ready = home.locate().unwrap().ask(source(hsm, "first", WRONG)).unwrap();
        let (kept, sent) = logins(hsm, || {
            ready.with(|located, credentials| Ok(located.open(credentials).map(drop)))
        });
        let refused = kept.unwrap().unwrap_err();
        assert_eq!((refused.kind(), sent), (ErrorKind::WrongCredential, 1));
        let again = home.unlock(CredentialSource::file(hsm.path("first"))).unwrap_err();
        assert!(is_refused_before(&again), "{again}");

        // And one of the PIN alone, by another error.
        let other = format!("{WRONG}9");
        let kept = home.with_pin(source(hsm, "second", &other), |pin| {
            let token = home.backend()?.as_pkcs11().unwrap();
            let refused = token.log_in(&Credentials::pin(pin.clone())).map(drop);
            assert!(refused.is_err());
            Err::<(), _>(DeviceError::NoTpm.into())
        });
        assert_eq!(kept.unwrap_err().kind(), ErrorKind::Unsupported);
        let second = CredentialSource::file(hsm.path("second"));
        let again = home.with_pin(second, |_| Ok(())).unwrap_err();
        assert!(is_refused_before(&again), "{again}");
    });
}

#[test]
fn what_was_refused_is_forgotten_once_the_token_has_accepted_a_pin_and_not_before() {
    alone(|hsm| {
        let home = made(hsm);
        let note = home.directory().join("refused.json");
        drop(home.unlock(source(hsm, "wrong", WRONG)).unwrap_err());
        let given = || CredentialSource::given(PIN.to_owned());
        let (sent_nothing, sent) = logins(hsm, || {
            for right in [source(hsm, "right", PIN), given()] {
                home.locate().unwrap().ask(right).unwrap().with(|_, _| Ok(())).unwrap();
            }
        });
        assert_eq!((sent_nothing, sent), ((), 0));
        assert!(note.exists(), "no PIN was accepted");
        for right in [source(hsm, "right", PIN), given()] {
            let _ = home.unlock(source(hsm, "wrong", WRONG));
            let forgotten = home.locate().unwrap().ask(right).unwrap().with(|located, pin| {
                drop(located.open(pin)?);
                Err::<(), _>(DeviceError::NoTpm.into())
            });
            assert_eq!(forgotten.unwrap_err().kind(), ErrorKind::Unsupported);
            assert!(!note.exists(), "a PIN was accepted");
        }
    });
}

#[test]
fn a_home_that_was_moved_records_nothing_until_it_is_relocated() {
    alone(|hsm| {
        let home = made(hsm);
        let old = home.header().unwrap().locator().unwrap().clone();
        let mut new = old.clone();
        new.serial = "NEW0001".to_owned();
        hsm.script("serial NEW0001");
        let moved = || Home::open(hsm.path("home")).unwrap().moved_to(new.clone());
        let ready = |home: &Home| {
            let (config, before) = (read(home.config_path()), home.header().unwrap().generation());
            drop(home.locate().unwrap().ask(file(hsm, PIN)).unwrap().renew().unwrap());
            let header = home.header().unwrap();
            assert_eq!(header.generation(), before + 1);
            (header.locator().unwrap().clone(), config == read(home.config_path()))
        };
        assert_eq!(ready(&moved()), (old.clone(), true));
        let opened = moved().unlock(file(hsm, PIN)).unwrap();
        opened.bundle.renew().unwrap();
        drop(opened);
        assert_eq!(moved().header().unwrap().locator(), Some(&old));
        // So it opens where it was.
        hsm.script("");
        drop(Home::open(hsm.path("home")).unwrap().unlock(file(hsm, PIN)).unwrap());
        hsm.script("serial NEW0001");
        let home = moved();
        drop(home.locate().unwrap().ask(file(hsm, PIN)).unwrap().relocate().unwrap());
        let home = Home::open(hsm.path("home")).unwrap();
        assert_eq!(home.header().unwrap().locator(), Some(&new));
        assert_eq!(ready(&home), (new.clone(), true));
    });
}

/// Another try would send the PIN again, and find no more.
#[test]
fn that_a_key_is_not_there_within_a_login_is_final() {
    alone(|hsm| {
        hsm.token("node-2");
        let mut config = made(hsm).config().clone();
        let token = config.identity.pkcs11.as_mut().unwrap();
        (token.token, token.serial) = (Some("node-2".to_owned()), None);
        let home = HomeOptions::new().with_config(config).open(hsm.path("home")).unwrap();
        let (refused, sent) =
            logins(hsm, || home.relocate_within_login(file(hsm, PIN)).unwrap_err());
        assert_eq!((refused.kind(), sent), (ErrorKind::NotFound, 1));
        assert!(!refused.is_transient());
        assert_shows(refused, &["no token has the key of", "node-2"]);
    });
}

/// The PIN is changed under a service. Whoever gave it, and from where, is told.
#[test]
fn a_pin_that_is_refused_under_an_open_identity_is_noted_for_each_file_that_it_came_from() {
    alone(|hsm| {
        let home = made(hsm);
        let files = ["pin", "other"].map(|name| hsm.path(name));
        files.iter().for_each(|file| write_private(file, PIN));
        let unlock = |file: &Path| home.unlock(CredentialSource::file(file));
        let (opened, sent) = logins(hsm, || files.each_ref().map(|file| unlock(file).unwrap()));
        assert_eq!(sent, 1, "the second one is compared");
        for (answer, refused) in [("CKR_GENERAL_ERROR", false), ("CKR_PIN_INCORRECT", true)] {
            hsm.script(&format!("on C_SignInit 1 kill-all\non C_Login all return {answer}"));
            let (_, sent) = logins(hsm, || opened[0].bundle.sign(b"hello").unwrap_err());
            assert_eq!(sent, 1, "{answer}");
            let noted = read(&hsm.path("home/refused.json"));
            let noted: serde_json::Value = serde_json::from_str(&noted).unwrap();
            // A PIN that was refused is noted once; one in doubt for each file.
            let expected = if refused { 1 } else { 2 };
            assert_eq!(noted["refused"].as_array().unwrap().len(), expected, "{noted}");
            hsm.script("");
            for file in &files {
                let (error, sent) = logins(hsm, || unlock(file).unwrap_err());
                assert_eq!(sent, 0, "{answer}: {error}");
                let known = match error {
                    Error::Keystore(KeystoreError::RefusedBefore { .. }) => refused,
                    Error::Keystore(KeystoreError::PinInDoubt { .. }) => !refused,
                    _ => false,
                };
                assert!(known, "{answer}: {error:?}");
            }
            if !refused {
                // Given anew, by a person.
                let given = home.unlock(CredentialSource::given(PIN.to_owned()));
                drop(given.unwrap());
                assert!(!hsm.path("home/refused.json").exists());
                opened[0].bundle.sign(b"hello").unwrap();
            }
        }
    });
}
