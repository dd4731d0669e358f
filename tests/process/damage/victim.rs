//! An identity whose files are damaged, through the library.

use std::error::Error as _;
use std::path::PathBuf;

use icn_identity::backend::AgeKeyStore;
use icn_identity::config::Config;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{DidMethod, Error, Passphrase};
use tempfile::TempDir;

pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

pub(crate) struct Victim {
    _dir: TempDir,
    backend: AgeKeyStore,
    store: IdentityStore,
}

/// The bytes of both files.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) age: Vec<u8>,
    pub(crate) json: Vec<u8>,
}

impl Victim {
    pub(crate) fn new(work_factor: u8) -> Self {
        let victim = Self::empty(work_factor);
        let made = victim.backend.create_identity(DidMethod::Icn, &Passphrase::new(PASSPHRASE));
        drop(made.unwrap());
        victim
    }

    /// The same identity in another directory.
    pub(crate) fn of(files: &Files) -> Self {
        let victim = Self::empty(10);
        std::fs::create_dir(victim.backend.home()).unwrap();
        let ours = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(victim.backend.home(), ours).unwrap();
        victim.put("identity.age", &files.age);
        victim.put("identity.json", &files.json);
        victim
    }

    fn empty(work_factor: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::parse(&format!("[identity.age]\nwork_factor = {work_factor}\n"));
        let config = config.unwrap().identity.age;
        let home = dir.path().join("icn");
        let store = IdentityStore::new(&home).with_age_config(config.clone());
        Self { _dir: dir, backend: AgeKeyStore::with_config(home, &config), store }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.backend.home().join(name)
    }

    pub(crate) fn files(&self) -> Files {
        let read = |name| std::fs::read(self.path(name)).unwrap();
        Files { age: read("identity.age"), json: read("identity.json") }
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
        let ours = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.path(name), ours).unwrap();
    }

    pub(crate) fn open(&self) -> Result<(), Error> {
        let credentials = Credentials::passphrase(Passphrase::new(PASSPHRASE));
        self.store.open(&self.backend, Pinned::Nobody, &credentials).map(drop)
    }

    /// The error and its causes, which hold no secret.
    pub(crate) fn refused(&self, what: &str) -> String {
        let Err(error) = self.open() else { panic!("{what}: opened") };
        let mut text = format!("{error:?} {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        assert!(error.help().is_some(), "{what}: no help for {text}");
        assert!(!text.contains(PASSPHRASE), "{what}: {text}");
        text
    }
}

/// Most memory that this process has had, in MiB.
pub(crate) fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// Does something for each of many numbers, on a few victims at once.
pub(crate) fn for_each(files: &Files, numbers: &[usize], work: impl Fn(&Victim, usize) + Sync) {
    const THREADS: usize = 4;
    std::thread::scope(|scope| {
        for start in 0..THREADS {
            let work = &work;
            scope.spawn(move || {
                let victim = Victim::of(files);
                assert!(victim.open().is_ok());
                for number in numbers.iter().skip(start).step_by(THREADS) {
                    work(&victim, *number);
                }
            });
        }
    });
}
