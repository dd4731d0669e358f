//! `Home` on a token: what it wants, and that a PIN is sent once.

use std::fs;
use std::path::Path;

use icn_identity::Error;
use icn_identity::backend::{BackendKind, NewKey};
use icn_identity::config::Config;
use icn_identity::error::{ErrorKind, KeystoreError};
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
        assert_shows(refused, &["it has a PIN pad: enter the PIN there"]);
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
