//! `Home`: an identity by its configuration, opened with one call.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use icn_identity::backend::NewKey;
use icn_identity::config::Config;
use icn_identity::error::{CredentialError, ErrorKind, KeystoreError};
use icn_identity::home::{CredentialSource, Home, HomeOptions, Wanted};
use icn_identity::keystore::backup::{Backup, BackupRequest, RecoveryKeys};
use icn_identity::{AlgorithmId, Did, Error};
use support::home::{FAST, PASSPHRASE, write_private};
use tempfile::TempDir;

const RECOVERY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const RECOVERY_KEY: &str =
    "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

struct Place {
    dir: TempDir,
}

impl Place {
    /// With a configuration that has comments and what is not ours.
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(place.home()).unwrap();
        fs::set_permissions(place.home(), fs::Permissions::from_mode(0o700)).unwrap();
        place.configure(&format!("# of node 7\n{FAST}\n[network] # theirs\nport = 1\n"));
        place
    }

    fn made() -> (Self, Did) {
        let place = Self::new();
        let did = place.make().unwrap();
        (place, did)
    }

    fn make(&self) -> Result<Did, Error> {
        Ok(self.open().create(&NewKey::default(), given())?.bundle.did().clone())
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn config(&self) -> String {
        fs::read_to_string(self.home().join("icn.toml")).unwrap()
    }

    fn configure(&self, text: &str) {
        write_private(&self.home().join("icn.toml"), text);
    }

    fn open(&self) -> Home {
        Home::open(self.home()).unwrap()
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("passphrase");
        write_private(&path, text);
        path
    }
}

fn given() -> CredentialSource<'static> {
    CredentialSource::given(PASSPHRASE.to_owned())
}

#[test]
fn a_home_makes_pins_and_opens_an_identity() {
    let place = Place::new();
    let mut home = place.open();
    let vacant = home.unlock(given()).unwrap_err();
    assert_eq!(vacant.kind(), ErrorKind::NotFound, "{vacant}");
    assert!(home.wants_for_new().unwrap().passphrase().unwrap().is_new());
    let made = home.create(&NewKey::default(), given()).unwrap().bundle;
    // The same value opens it, as does one that reads what was written.
    for home in [&home, &place.open()] {
        let wants = home.wants().unwrap();
        assert!(wants.pin().is_none() && !wants.is_nothing());
        assert_eq!(wants.passphrase().unwrap().to_string(), "passphrase");
        let file = place.file(&format!("{PASSPHRASE}\n"));
        let opened = home.unlock(CredentialSource::file(file)).unwrap();
        assert_eq!(opened.bundle.did(), made.did());
        opened.bundle.sign_for("greetings@coop.example", b"hello").unwrap();
        let wrong = home.unlock(CredentialSource::given("wrong".to_owned())).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::WrongCredential, "{wrong}");
    }
    let again = place.make().unwrap_err();
    assert!(matches!(again, Error::Keystore(KeystoreError::Exists { .. })), "{again}");
}

#[test]
fn what_was_in_the_configuration_stays_when_an_identity_is_pinned() {
    let place = Place::new();
    let before = place.config();
    let did = place.make().unwrap();
    let after = place.config();
    for line in before.lines() {
        assert!(after.contains(line), "{line:?} is not in {after}");
    }
    let config = Config::parse(&after).unwrap();
    assert_eq!(config.identity.did, Some(did));
    assert_eq!(config.identity.age.work_factor, 10);
}

#[test]
fn a_configuration_that_was_given_is_written_where_there_was_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("elsewhere.toml");
    let mut config = Config::default();
    config.identity.age.work_factor = 11;
    let options = HomeOptions::new().with_config_file(&path);
    let mut home = options.clone().with_config(config).open(dir.path().join("home")).unwrap();
    let made = home.create(&NewKey::default(), given()).unwrap().bundle;
    let home = options.open(dir.path().join("home")).unwrap();
    assert_eq!(home.config_path(), path);
    assert_eq!(home.config().identity.age.work_factor, 11);
    assert_eq!(home.unlock(given()).unwrap().bundle.did(), made.did());
    assert!(!home.directory().join("icn.toml").exists());
}

#[test]
fn a_home_that_pins_nobody_is_refused_with_the_line_that_pins() {
    let (place, did) = Place::made();
    let pinned = place.config();
    let unpinned = Config::edit(&pinned, |config| config.identity.did = None).unwrap();
    place.configure(&unpinned);
    let error = place.open().unlock(given()).unwrap_err();
    assert!(
        matches!(&error, Error::Keystore(KeystoreError::Unpinned { found, .. }) if *found == did)
    );
    let help = error.help().unwrap();
    let (_, line) = help.split_once(":\n").unwrap();
    let opened = HomeOptions::new().allow_unpinned().open(place.home()).unwrap().unlock(given());
    assert_eq!(opened.unwrap().bundle.did(), &did);
    // Following the help is enough.
    place.configure(&unpinned.replace("[identity]\n", &format!("[identity]\n{line}\n")));
    drop(place.open().unlock(given()).unwrap());

    let other = Place::made().1;
    let text = Config::edit(&unpinned, |config| config.identity.did = Some(other)).unwrap();
    place.configure(&text);
    for options in [HomeOptions::new(), HomeOptions::new().allow_unpinned()] {
        let error = options.open(place.home()).unwrap().locate().unwrap_err();
        assert!(matches!(error, Error::Keystore(KeystoreError::NotPinned { .. })), "{error}");
    }
}

#[test]
fn an_identity_that_lost_its_files_is_not_made_anew() {
    let (place, did) = Place::made();
    for name in ["identity.age", "identity.json"] {
        fs::remove_file(place.home().join(name)).unwrap();
    }
    let error = place.make().unwrap_err();
    let Error::Keystore(KeystoreError::PinnedNotThere { did: pinned, note: None, .. }) = &error
    else {
        panic!("{error}")
    };
    assert_eq!(*pinned, did);
    assert!(error.help().unwrap().contains("backup"));
}

#[test]
fn nothing_is_left_where_the_configuration_cannot_be_written() {
    let place = Place::new();
    let missing = place.dir.path().join("missing/icn.toml");
    let options = HomeOptions::new().with_config_file(missing);
    let mut home = options.open(place.home()).unwrap();
    let error = home.create(&NewKey::default(), given()).unwrap_err();
    let Error::Keystore(KeystoreError::PinNotWritten { lines: None, .. }) = &error else {
        panic!("{error}")
    };
    assert!(home.check_vacant().is_ok() && home.header().is_err());
}

#[test]
fn a_new_passphrase_is_asked_for_twice_and_has_to_be_the_same() {
    let place = Place::new();
    for (typed, fits) in [(["one", "another"], false), (["one", "one"], true)] {
        let (mut typed, mut asked) = (typed.into_iter(), Vec::new());
        let source = CredentialSource::prompt(|wanted| {
            asked.push(wanted.to_string());
            typed.next().map(str::to_owned).ok_or("nobody is there")
        });
        let made = place.open().create(&NewKey::default(), source);
        assert_eq!(asked, ["new passphrase", "the same passphrase again"]);
        match made {
            Ok(_) => assert!(fits),
            Err(error) => {
                assert!(!fits && !place.home().join("identity.json").exists());
                let differ = matches!(error, Error::Credential(CredentialError::Differ { .. }));
                assert!(differ, "{error}");
            }
        }
    }
    // To open it, once is enough.
    let mut asked = 0;
    let source = CredentialSource::prompt(|wanted: &Wanted| {
        asked += 1;
        assert!(!wanted.is_new() && !wanted.is_pin());
        Ok::<_, io::Error>("one".to_owned())
    });
    drop(place.open().unlock(source).unwrap());
    assert_eq!(asked, 1);
}

#[test]
fn a_source_that_has_nothing_says_what_is_missing() {
    let (place, _) = Place::made();
    let unlock = |source| match place.open().unlock(source).unwrap_err() {
        Error::Credential(error) => {
            assert!(error.help().is_some(), "{error}");
            error.to_string()
        }
        error => panic!("{error}"),
    };
    assert_eq!(unlock(CredentialSource::nothing()), "no passphrase was given");
    assert_eq!(unlock(CredentialSource::pin_pad()), "no passphrase was given");
    assert_eq!(unlock(CredentialSource::given(String::new())), "the passphrase is empty");
    assert_eq!(unlock(CredentialSource::file(place.file("\n"))), "the passphrase is empty");
    let variable = "ICN_TEST_NO_SUCH_VARIABLE";
    let not_set = format!("${variable} is not set");
    assert_eq!(unlock(CredentialSource::variable(variable)), not_set);
    assert_eq!(unlock(CredentialSource::systemd("pin")), "$CREDENTIALS_DIRECTORY is not set");
    let nobody = CredentialSource::prompt(|_: &Wanted| Err::<String, _>("no terminal"));
    assert_eq!(unlock(nobody), "nobody could be asked for the passphrase");
    let path = place.file(PASSPHRASE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = place.open().unlock(CredentialSource::file(path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
}

#[test]
fn what_a_source_holds_is_not_shown() {
    let source = given().and_passphrase(given());
    assert!(!format!("{source:?}").contains(PASSPHRASE));
    assert!(format!("{:?}", CredentialSource::file("/run/pin")).contains("/run/pin"));
}

#[test]
fn a_home_renews_backs_up_and_changes_the_passphrase() {
    let (place, did) = Place::made();
    let home = place.open();
    let ready = || home.locate().unwrap().ask(given()).unwrap();
    let sequence = ready().unlock_without_renewal().unwrap().bundle.binding().sequence();
    assert_eq!(ready().renew().unwrap().binding().sequence(), sequence + 1);
    let epoch = ready().renew_all_instances().unwrap().binding().epoch();
    assert_eq!(ready().join_epoch(epoch).unwrap().binding().epoch(), epoch);

    let ours = home.identity_config().unwrap().unwrap();
    assert!(ours.contains("# of node 7") && !ours.contains("[network]"), "{ours}");
    let key = place.dir.path().join("recovery.key");
    write_private(&key, RECOVERY_KEY);
    let request =
        BackupRequest::new(vec![RECOVERY.parse().unwrap()]).unwrap().with_config(Some(ours));
    let made = ready().backup(&request).unwrap();
    let backup = Backup::open(&made.file, &RecoveryKeys::read(&key).unwrap()).unwrap();
    let config = backup.config().unwrap().to_owned();
    let options = HomeOptions::new().with_config(Config::parse(&config).unwrap());
    let mut elsewhere = options.open(place.dir.path().join("elsewhere")).unwrap();
    drop(elsewhere.restore(backup, &did, Some(&config), given()).unwrap());
    let elsewhere = Home::open(elsewhere.directory()).unwrap();
    assert_eq!(elsewhere.unlock(given()).unwrap().bundle.did(), &did);
    assert!(fs::read_to_string(elsewhere.config_path()).unwrap().contains("# of node 7"));

    let new = || CredentialSource::given("new".to_owned());
    ready().change_passphrase(&new().new_passphrase().unwrap()).unwrap();
    home.unlock(given()).unwrap_err();
    assert_eq!(home.unlock(new()).unwrap().bundle.did(), &did);
}

#[test]
fn an_algorithm_that_the_backend_has_not_is_refused_before_anybody_is_asked() {
    let place = Place::new();
    let source = CredentialSource::prompt(|wanted: &Wanted| -> Result<String, io::Error> {
        panic!("asked for the {wanted}")
    });
    let request = NewKey::default().with_algorithm(AlgorithmId::P256);
    let error = place.open().create(&request, source).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

/// In a process of its own, as a service.
#[test]
fn a_credential_of_systemd_opens_a_home() {
    const HOME: &str = "ICN_TEST_HOME_OF_A_SERVICE";
    if let Some(home) = std::env::var_os(HOME) {
        let home = Home::open(PathBuf::from(home)).unwrap();
        let opened = home.unlock(CredentialSource::systemd("passphrase")).unwrap();
        fs::write(home.directory().join("opened"), opened.bundle.did().as_str()).unwrap();
        return;
    }
    let (place, did) = Place::made();
    let directory = place.dir.path().join("credentials");
    fs::create_dir(&directory).unwrap();
    write_private(&directory.join("passphrase"), PASSPHRASE);
    let ran = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "home::a_credential_of_systemd_opens_a_home"])
        .env(HOME, place.home())
        .env("CREDENTIALS_DIRECTORY", &directory)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert_eq!(fs::read_to_string(place.home().join("opened")).unwrap(), did.as_str());
}
