//! `Home` on a TPM.

use std::fs;

use icn_identity::backend::BackendKind;
use icn_identity::config::Config;
use icn_identity::error::ErrorKind;
use icn_identity::home::{CredentialSource, Home, HomeOptions, NewPin, PromptError};
use support::home::write_private;

use super::*;

fn made(node: &Node, config: TpmConfig, source: CredentialSource<'_>) -> Home {
    let mut whole = Config::default();
    whole.identity.backend = BackendKind::Tpm;
    whole.identity.tpm = Some(config);
    let mut home = HomeOptions::new().with_config(whole).open(node.home()).unwrap();
    drop(home.create(&NewKey::default(), source).unwrap());
    Home::open(node.home()).unwrap()
}

#[test]
fn a_home_whose_tpm_opens_it_by_its_state_wants_nothing() {
    let node = Node::new();
    let home = made(&node, node.config(), CredentialSource::nothing());
    assert!(home.wants().unwrap().is_nothing());
    let opened = home.unlock(CredentialSource::nothing()).unwrap();
    assert_eq!(Some(opened.bundle.did()), home.config().identity.did.as_ref());
    let tpm = home.config().identity.tpm.clone().unwrap();
    assert!(tpm.parent_name.is_some() && !tpm.pin, "{tpm:?}");
}

#[test]
fn a_home_on_a_tpm_tells_how_many_tries_are_left_and_spends_one_for_a_wrong_pin() {
    let node = Node::new();
    let (mut asked, mut typed) = (Vec::new(), [PIN, PIN].into_iter());
    let home = made(
        &node,
        node.with_pin(),
        CredentialSource::prompt(|wanted| {
            asked.push(wanted.to_string());
            typed.next().map(str::to_owned).ok_or("nobody is there")
        }),
    );
    assert_eq!(asked, ["new PIN", "the same PIN again"]);
    let wants = home.wants().unwrap();
    let before = wants.pin().unwrap().tries_left().unwrap();
    assert!(wants.passphrase().is_none());
    let file = node.tpm.path("pin");
    write_private(&file, WRONG);
    let refused = home.unlock(CredentialSource::file(&file)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WrongCredential, "{refused}");
    for home in [&home, &Home::open(node.home()).unwrap()] {
        let again = home.unlock(CredentialSource::file(&file)).unwrap_err();
        assert_shows(again, &["was not sent again"]);
    }
    assert_eq!(node.tpm.lockout_counter(), 1);
    assert_eq!(home.wants().unwrap().pin().unwrap().tries_left(), Some(before - 1));
    write_private(&file, PIN);
    drop(home.unlock(CredentialSource::file(&file)).unwrap());
}

/// The count of a TPM does not fall by a right PIN: each time would spend a try.
#[test]
fn a_right_pin_has_a_tpm_sent_no_refused_one_again() {
    let node = Node::new();
    let home = made(&node, node.with_pin(), CredentialSource::given(PIN.to_owned()));
    let (right, wrong) = (node.tpm.path("right"), node.tpm.path("wrong"));
    write_private(&right, PIN);
    write_private(&wrong, WRONG);
    for round in 0..3 {
        drop(home.unlock(CredentialSource::file(&right)).unwrap());
        let refused = home.unlock(CredentialSource::file(&wrong)).unwrap_err();
        let part = if round == 0 { "refused the PIN" } else { "was not sent again" };
        assert_shows(refused, &[part]);
    }
    assert_eq!(node.tpm.lockout_counter(), 1);
    // With the PIN that was given too early.
    let new = NewPin::To(Pin::new(WRONG));
    let given = CredentialSource::given(PIN.to_owned());
    home.locate().unwrap().ask(given).unwrap().reseal(&new, None).unwrap();
    let home = Home::open(node.home()).unwrap();
    drop(home.unlock(CredentialSource::file(&wrong)).unwrap());
    assert_eq!(node.tpm.lockout_counter(), 1);
}

/// As each update of the firmware wants.
#[test]
fn a_key_that_is_sealed_anew_with_the_same_pin_has_refused_what_it_refused_before() {
    let node = Node::new();
    made(&node, node.with_pin(), CredentialSource::given(PIN.to_owned()));
    let (right, wrong) = (node.tpm.path("right"), node.tpm.path("wrong"));
    write_private(&right, PIN);
    write_private(&wrong, WRONG);
    let open = || Home::open(node.home()).unwrap();
    open().unlock(CredentialSource::file(&wrong)).unwrap_err();
    let reseal = |new: &NewPin| {
        let home = open();
        let ready = home.locate().unwrap().ask(CredentialSource::file(&right)).unwrap();
        drop(ready.reseal(new, None).unwrap());
    };
    let harder = node.home().join("icn.toml");
    for round in 0..3 {
        match round {
            0 => reseal(&NewPin::AsConfigured),
            // By another path to the same PIN, and with more work for it.
            1 => reseal(&NewPin::To(Pin::new(PIN))),
            _ => {
                let mut config = Config::load(&harder).unwrap();
                config.identity.tpm.as_mut().unwrap().pin_work_factor += 1;
                fs::write(&harder, config.to_toml().unwrap()).unwrap();
                reseal(&NewPin::AsConfigured);
            }
        }
        let refused = open().unlock(CredentialSource::file(&wrong)).unwrap_err();
        assert_shows(refused, &["was not sent again"]);
        drop(open().unlock(CredentialSource::file(&right)).unwrap());
    }
    assert_eq!(node.tpm.lockout_counter(), 1);
    reseal(&NewPin::To(Pin::new(WRONG)));
    drop(open().unlock(CredentialSource::file(&wrong)).unwrap());
}

#[test]
fn a_refusal_by_a_tpm_that_the_callers_work_keeps_to_itself_is_noted() {
    for algorithm in [AlgorithmId::Ed25519, AlgorithmId::P256] {
        let node = Node::new();
        let mut whole = Config::default();
        whole.identity.backend = BackendKind::Tpm;
        whole.identity.tpm = Some(node.with_pin());
        let mut home = HomeOptions::new().with_config(whole).open(node.home()).unwrap();
        let key = NewKey::default().with_algorithm(algorithm);
        drop(home.create(&key, CredentialSource::given(PIN.to_owned())).unwrap());
        let home = Home::open(node.home()).unwrap();
        let file = node.tpm.path("pin");
        let note = node.home().join("refused.json");
        write_private(&file, WRONG);
        let ready = home.locate().unwrap().ask(CredentialSource::file(&file)).unwrap();
        let kept = ready.with(|located, pin| Ok(located.open(pin).map(drop))).unwrap();
        assert_eq!(kept.unwrap_err().kind(), ErrorKind::WrongCredential);
        assert!(note.exists(), "{algorithm:?}");
        // One that is accepted forgets nothing, whatever comes of it.
        let given = CredentialSource::given(PIN.to_owned());
        let ready = home.locate().unwrap().ask(given).unwrap();
        let failed = ready.with(|located, pin| {
            drop(located.open(pin)?);
            Err::<(), _>(icn_identity::error::DeviceError::NoPkcs11.into())
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unsupported);
        let again = home.unlock(CredentialSource::file(&file)).unwrap_err();
        assert_shows(again, &["was not sent again"]);
        assert_eq!(node.tpm.lockout_counter(), 1);
    }
}

#[test]
fn the_last_try_of_a_tpm_is_not_asked_for() {
    let node = Node::new();
    node.tpm.set_dictionary_attack(2, 600, 600);
    let home = made(&node, node.with_pin(), CredentialSource::given(PIN.to_owned()));
    drop(home.unlock(CredentialSource::given(WRONG.to_owned())).unwrap_err());
    let home = Home::open(node.home()).unwrap();
    assert!(home.wants().unwrap().pin().unwrap().is_final_try());
    let nobody = CredentialSource::prompt(|wanted| -> Result<String, PromptError> {
        panic!("asked for the {wanted}")
    });
    let refused = home.unlock(nobody).unwrap_err();
    assert_eq!((refused.kind(), node.tpm.lockout_counter()), (ErrorKind::LockedOut, 1));
    // As the help says.
    let path = home.config_path();
    let allowed = Config::edit(&fs::read_to_string(path).unwrap(), |config| {
        config.identity.tpm.as_mut().unwrap().allow_final_try = true;
    });
    write_private(path, &allowed.unwrap());
    let home = Home::open(node.home()).unwrap();
    drop(home.unlock(CredentialSource::given(PIN.to_owned())).unwrap());
}

#[test]
fn a_home_on_a_tpm_is_sealed_under_another_pin() {
    let node = Node::new();
    let home = made(&node, node.with_pin(), CredentialSource::given(PIN.to_owned()));
    let given = |pin: &str| CredentialSource::given(pin.to_owned());
    let new = NewPin::To(Pin::new("7-new-owls"));
    home.locate().unwrap().ask(given(PIN)).unwrap().reseal(&new, None).unwrap();
    let home = Home::open(node.home()).unwrap();
    drop(home.unlock(given("7-new-owls")).unwrap());
    let same = home.locate().unwrap().ask(given("7-new-owls")).unwrap();
    same.reseal(&NewPin::AsConfigured, None).unwrap();
    let path = home.config_path();
    let without = Config::edit(&fs::read_to_string(path).unwrap(), |config| {
        config.identity.tpm.as_mut().unwrap().pin = false;
    });
    write_private(path, &without.unwrap());
    let home = Home::open(node.home()).unwrap();
    let none = home.locate().unwrap().ask(given("7-new-owls")).unwrap();
    none.reseal(&NewPin::AsConfigured, None).unwrap();
    assert!(home.wants().unwrap().is_nothing());
    drop(home.unlock(CredentialSource::nothing()).unwrap());
}
