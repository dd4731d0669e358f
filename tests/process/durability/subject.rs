//! One identity, what is done to it, and what became of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use icn_identity::Passphrase;
use icn_identity::backend::AgeKeyStore;
use icn_identity::config::Config;
use icn_identity::error::KeystoreError;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{Did, DidMethod, Error};
use support::home::{FAST, Ran, run, write_private};
use tempfile::TempDir;

use super::trace::{Call, calls};
use super::{kill, shares};

pub(crate) const OLD: &str = "the old passphrase";
pub(crate) const NEW: &str = "the new passphrase";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// `icnctl id init`, where even the directory is not there.
    Init,
    /// `icnctl sign`, when the certificate is due for renewal.
    Renewal,
    /// `icnctl id change-passphrase`
    Change,
    /// The same, after an earlier one was cut off between header and payload.
    Again,
}

/// What is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// As before.
    Old,
    /// As after.
    New,
}

pub(crate) struct Subject {
    pub(crate) deed: Deed,
    dir: TempDir,
    did: Option<Did>,
    /// The sequence number of its first binding.
    first: u64,
}

impl Subject {
    pub(crate) fn new(deed: Deed) -> Self {
        let mut subject = Self { deed, dir: tempfile::tempdir().unwrap(), did: None, first: 0 };
        write_private(&subject.path("new"), NEW);
        if deed != Deed::Init {
            let backend = AgeKeyStore::with_config(subject.path("kept"), &age_config());
            let made = backend.create_identity(DidMethod::Icn, &Passphrase::new(OLD)).unwrap();
            subject.did = Some(made.did().clone());
            subject.first = made.binding().sequence();
        }
        subject.reset();
        subject
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Everything as it was before the deed.
    pub(crate) fn reset(&self) {
        let _ = std::fs::remove_dir_all(self.home());
        // Of the directory that the configuration is in.
        let _ = std::fs::remove_file(self.path(".lock"));
        write_private(&self.path("icn.toml"), FAST);
        if self.deed != Deed::Init {
            std::fs::create_dir(self.home()).unwrap();
            let ours: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            std::fs::set_permissions(self.home(), ours).unwrap();
            for name in [".lock", "identity.json", "identity.age"] {
                std::fs::copy(self.path("kept").join(name), self.home().join(name)).unwrap();
            }
        }
        if self.deed == Deed::Again {
            let (header, age) =
                (self.home().join("identity.json"), self.home().join("identity.age"));
            std::fs::copy(&header, self.home().join("identity.json.prev")).unwrap();
            std::fs::copy(age, self.home().join("identity.age.prev")).unwrap();
            let text = std::fs::read_to_string(&header).unwrap();
            std::fs::write(header, text.replace("\"generation\": 1", "\"generation\": 2")).unwrap();
        }
    }

    /// The deed, under `strace` with these options.
    fn command<T: AsRef<str>>(&self, options: &[T]) -> Command {
        let mut words = vec![];
        if self.deed == Deed::Renewal {
            words.extend(["faketime", "+5 days"]);
        }
        let (log, config) = (self.path("log"), self.path("icn.toml"));
        words.extend(["strace", "-o", log.to_str().unwrap()]);
        words.extend(options.iter().map(AsRef::as_ref));
        words.extend([env!("CARGO_BIN_EXE_icnctl"), "--config", config.to_str().unwrap()]);
        let new = self.path("new");
        words.extend(match self.deed {
            Deed::Init => vec!["id", "init"],
            Deed::Renewal => vec!["sign"],
            Deed::Change | Deed::Again => {
                vec!["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()]
            }
        });
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ICN_HOME", self.home())
            .env("ICN_PASSPHRASE", OLD);
        command
    }

    /// Does it under `strace`; gives what came of it and what was called.
    pub(crate) fn traced<T: AsRef<str>>(&self, options: &[T]) -> (Ran, Vec<Call>) {
        let ran = run(&mut self.command(options), b"hello");
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_else(|error| {
            panic!("apt-get install strace faketime: {error}: {}", ran.err)
        });
        (ran, calls(&log))
    }

    /// The calls of the deed when nothing is done to it.
    pub(crate) fn undisturbed(&self) -> Vec<Call> {
        let (ran, calls) = self.traced(&["-f", "-y"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(self.state(), State::New, "{:?}: {}", self.deed, ran.err);
        self.reset();
        calls
    }

    /// And whether it was killed. The log tells of renames, too.
    pub(crate) fn killed_before(&self, call: &Call) -> ((Ran, Vec<Call>), bool) {
        kill::before(call, Some("rename"), &self.path("log"), |options| self.traced(options))
    }

    pub(crate) fn store(&self) -> IdentityStore {
        IdentityStore::new(self.home()).with_age_config(age_config())
    }

    fn backend(&self) -> AgeKeyStore {
        AgeKeyStore::with_config(self.home(), &age_config())
    }

    /// Whether it was renewed. Opening it does not: by our clock, what was made
    /// in five days would have to be.
    fn opened(&self, passphrase: &str) -> Result<bool, Error> {
        let credentials = Credentials::passphrase(Passphrase::new(passphrase));
        let opened =
            self.store().open_without_renewal(&self.backend(), Pinned::Nobody, &credentials)?;
        if let Some(did) = &self.did {
            assert_eq!(opened.bundle.did(), did);
        }
        Ok(opened.bundle.binding().sequence() > self.first)
    }

    /// What is there; anything but the old or the new is a failure. Whatever was
    /// left behind is gone afterwards.
    pub(crate) fn state(&self) -> State {
        let old = self.opened(OLD);
        // Of the others there is no new one.
        let is_changed = matches!(self.deed, Deed::Change | Deed::Again);
        let new = is_changed.then(|| self.opened(NEW));
        let state = match (self.deed, &old, &new) {
            (Deed::Init, Ok(_), _) => {
                self.assert_pinned();
                State::New
            }
            (Deed::Init, Err(error), _) => {
                let none = matches!(
                    error,
                    Error::Keystore(
                        KeystoreError::NoIdentity { .. }
                            | KeystoreError::NeverMade { .. }
                            | KeystoreError::Incomplete { .. }
                    )
                );
                assert!(none, "{error}: {:?}", self.names());
                self.made_after_all();
                State::Old
            }
            (Deed::Renewal, Ok(renewed), _) => {
                if *renewed {
                    State::New
                } else {
                    State::Old
                }
            }
            (Deed::Change | Deed::Again, Ok(_), Some(Err(_))) => State::Old,
            (Deed::Change | Deed::Again, Err(_), Some(Ok(_))) => State::New,
            _ => panic!("{:?}: old {old:?}, new {new:?}, {:?}", self.deed, self.names()),
        };
        assert_eq!(self.names(), [".lock", "identity.age", "identity.json"], "{:?}", self.deed);
        state
    }

    /// The operator tries again, whatever is pinned by now.
    fn made_after_all(&self) {
        let traced = self.command::<&str>(&[]);
        let words = traced.get_args().skip_while(|word| *word != env!("CARGO_BIN_EXE_icnctl"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_icnctl"));
        command.args(words.skip(1)).env_clear();
        for (name, value) in traced.get_envs() {
            command.env(name, value.unwrap());
        }
        let mut made = run(&mut command, b"");
        if made.err.contains("unfinished.json says that it was never made") {
            // The configuration is outside of the home: the pin is a person's to remove.
            let config = self.config();
            let unpinned = config.lines().filter(|line| !line.starts_with("did = "));
            let unpinned: Vec<_> = unpinned.collect();
            assert!(made.err.contains("remove `did`") && unpinned.join("\n") != config.trim_end());
            write_private(&self.path("icn.toml"), &unpinned.join("\n"));
            made = run(&mut command, b"");
        }
        assert_eq!(made.code, 0, "{}: {:?}", made.err, self.names());
        self.opened(OLD).unwrap();
        self.assert_pinned();
    }

    pub(crate) fn config(&self) -> String {
        std::fs::read_to_string(self.path("icn.toml")).unwrap()
    }

    fn assert_pinned(&self) {
        let pin = format!("did = \"{}\"", self.store().header().unwrap().did());
        assert!(self.config().lines().any(|line| line == pin), "{pin}: {}", self.config());
    }

    /// What is in the directory, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.home()) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn age_config() -> icn_identity::config::AgeConfig {
    Config::parse(FAST).unwrap().identity.age
}

/// Does something for each of many, on a few subjects at once.
pub(crate) fn for_each<C: Sync, R: Send>(
    deed: Deed,
    many: &[C],
    work: impl Fn(&Subject, &C) -> R + Sync,
) -> Vec<R> {
    shares::for_each(
        many,
        || Subject::new(deed),
        |subject, one| {
            subject.reset();
            work(subject, one)
        },
    )
}
