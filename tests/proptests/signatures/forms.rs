//! A signer, in each form in which callers have it, and what it has to keep.

use icn_identity::daemon::reserved_form;
use icn_identity::statement::{RESERVED, is_reserved};
use icn_identity::{
    AlgorithmId, DidKey, DidSigner, ExternalSigner, Signature, SshSignature, VerifyingKey,
};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

use super::memory::other_than;
use super::routes::{self, Route, Verifies, is_for_openssl};
use super::table::Table;
use super::{CONTEXT, EDGES, OTHER_CONTEXT, Signer};
use crate::signers::BOTH;
use crate::signers::memory::InMemory;

/// By default, for each signer in each form.
const CASES: u32 = 8;

/// How much is asked of a form: the key behind all of them is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Each byte alone, programs of several messages, and 1 MiB.
    Whole,
    Brief,
}

/// Who is asked of a message, and what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    /// Those in this process, whether they take it.
    ToTake,
    /// The same of programs.
    ProgramsToTake,
    /// Those in this process, whether they refuse what it is not.
    ToRefuse,
    /// And programs whether they take it.
    ToRefuseAndProgramsToTake,
    /// Everybody everything, and by the key of each signer before.
    Everything,
}

impl Asked {
    const fn refuses(self, route: &Route) -> bool {
        match self {
            Self::ToTake | Self::ProgramsToTake => false,
            Self::ToRefuse | Self::ToRefuseAndProgramsToTake => !route.is_process,
            Self::Everything => true,
        }
    }

    const fn takes(self, route: &Route) -> bool {
        let of_programs = !matches!(self, Self::ToTake | Self::ToRefuse);
        of_programs || !route.is_process
    }
}

/// Of this length everything is asked.
const ALL_OF: usize = 65;
/// Of these programs are.
const BY_PROGRAMS: [usize; 4] = [0, 1, 64, 128];

pub(super) struct Forms {
    table: Table,
    /// Of each algorithm one, and each signer before: none of them has signed.
    strangers: Vec<VerifyingKey>,
}

impl Forms {
    pub(super) fn new() -> Self {
        let strangers =
            BOTH.map(|algorithm| InMemory::generate(algorithm).verifying_key()).to_vec();
        Self { table: Table::default(), strangers }
    }

    pub(super) fn into_table(self) -> Table {
        self.table
    }

    pub(super) fn sign_as(&mut self, name: &str, algorithm: AlgorithmId, signer: Signer) {
        let key = match signer {
            Signer::Daemon(signer) => {
                let key = *signer.verifying_key();
                self.sign(&signer, (name, "RemoteSigner"), Depth::Whole, true);
                let boxed: Box<dyn DidSigner> = Box::new(signer);
                self.sign(&boxed, (name, "Box<dyn DidSigner>"), Depth::Brief, true);
                key
            }
            Signer::Key(key) => {
                let public = *key.verifying_key();
                self.sign(&key, (name, "DidKey"), Depth::Whole, false);
                self.sign_typed(key, name);
                public
            }
        };
        assert_eq!(key.algorithm(), algorithm, "{name}");
        self.strangers.push(key);
    }

    fn sign_typed(&mut self, key: DidKey, name: &str) {
        macro_rules! each {
            ($($kind:ident)+) => {
                match key {
                    $(DidKey::$kind(key) => self.sign_static(key, (name, stringify!($kind))),)+
                    key => panic!("{key:?}"),
                }
            };
        }
        each!(Software TpmSealed DeviceHeld Hardware External DeviceHeldP256 HardwareP256 ExternalP256);
    }

    fn sign_static<S: DidSigner + 'static>(&mut self, key: S, who: (&str, &'static str)) {
        self.sign(&key, who, Depth::Brief, false);
        let boxed: Box<dyn DidSigner> = Box::new(key);
        self.sign(&boxed, (who.0, "Box<dyn DidSigner>"), Depth::Brief, false);
    }

    fn sign<S: DidSigner>(
        &mut self,
        signer: &S,
        (name, form): (&str, &'static str),
        depth: Depth,
        by_daemon: bool,
    ) {
        let strangers = self.strangers.clone();
        let mut trial = Trial { signer, by_daemon, strangers, table: &mut self.table, name, form };
        trial.refuses_what_is_reserved();
        for (number, length) in EDGES.into_iter().enumerate() {
            // No two of them begin alike.
            let message: Vec<u8> =
                (0..length).map(|at| (at * 7 + length).to_le_bytes()[0]).collect();
            let asked = match length {
                ALL_OF => Asked::Everything,
                _ if depth == Depth::Whole && BY_PROGRAMS.contains(&length) => {
                    Asked::ToRefuseAndProgramsToTake
                }
                _ => Asked::ToRefuse,
            };
            trial.signs(&message, number * 131, asked);
        }
        let all: Vec<u8> = (0..=u8::MAX).collect();
        trial.signs(&all, 1000, Asked::ToRefuse);
        if depth == Depth::Whole {
            for byte in all {
                trial.signs(&[byte], usize::from(byte), Asked::ToTake);
            }
            trial.signs(&vec![0xa5; 1 << 20], 8_000_000, Asked::ProgramsToTake);
        }
        let cases = match std::env::var_os("PROPTEST_CASES") {
            Some(_) => Config::default().cases,
            None => CASES,
        };
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let messages = (vec(any::<u8>(), 0..2000), any::<usize>());
        let trial = std::cell::RefCell::new(trial);
        let signed = TestRunner::new(config).run(&messages, |(message, bit)| {
            trial.borrow_mut().signs(&message, bit, Asked::ToRefuse);
            Ok(())
        });
        signed.unwrap_or_else(|error| panic!("{name} as {form}: {error}"));
    }
}

struct Trial<'a, S> {
    signer: &'a S,
    by_daemon: bool,
    strangers: Vec<VerifyingKey>,
    table: &'a mut Table,
    name: &'a str,
    form: &'static str,
}

impl<S: DidSigner> Trial<'_, S> {
    fn refuses_what_is_reserved(&self) {
        for prefix in RESERVED {
            let refused = self.signer.sign(&[prefix, b" and more"].concat());
            assert!(refused.is_err(), "{} as {}: {prefix:?}", self.name, self.form);
        }
    }

    /// A daemon refuses more: what somebody else could have made for another protocol, and
    /// what is longer than a request.
    fn may_sign(&self, message: &[u8]) -> bool {
        let by_daemon = reserved_form(message).is_none() && message.len() <= 49_140;
        !is_reserved(message) && (!self.by_daemon || by_daemon)
    }

    /// `bit` is the one of the message, and of the signature, that somebody changes.
    fn signs(&mut self, message: &[u8], bit: usize, asked: Asked) {
        let (name, form) = (self.name, self.form);
        let what = format!("{name} as {form}, {} bytes", message.len());
        let bare = self.signer.sign(message);
        if !self.may_sign(message) {
            assert!(bare.is_err(), "{what}");
        }
        let bare =
            self.may_sign(message).then(|| bare.unwrap_or_else(|error| panic!("{what}: {error}")));
        let for_context = self.signer.sign_for(CONTEXT, message).unwrap();
        let key = *self.signer.verifying_key();
        if let Some(bare) = bare
            && key.algorithm() == AlgorithmId::Ed25519
        {
            assert_eq!(
                self.signer.sign(message).unwrap(),
                bare,
                "{what}: Ed25519 has one signature"
            );
            let again = self.signer.sign_for(CONTEXT, message).unwrap();
            assert_eq!(again.to_bytes(), for_context.to_bytes(), "{what}");
        }
        let other = other_than(message, bit);
        for route in routes::of(key.algorithm()).filter(|route| asked.takes(route)) {
            match (route.verifies, bare) {
                (Verifies::Bare(verifies), Some(signature)) => {
                    self.meets(route, asked, &what, message, &other, |key, message, changed| {
                        let asks = !route.is_process || is_for_openssl(key, message);
                        let is_bare = changed != Changed::Context;
                        (asks && is_bare)
                            .then(|| verifies(key, message, &changed.of(signature, bit)))
                    });
                }
                (Verifies::Bare(_), None) => {}
                (Verifies::ForContext(verifies), _) => {
                    self.meets(route, asked, &what, message, &other, |key, message, changed| {
                        let context =
                            if changed == Changed::Context { OTHER_CONTEXT } else { CONTEXT };
                        let signature = changed.of_text(&for_context, bit)?;
                        Some(verifies(key, context, message, &signature))
                    });
                }
            }
        }
    }

    /// `None` where that is not to be asked.
    fn meets(
        &mut self,
        route: &Route,
        asked: Asked,
        what: &str,
        message: &[u8],
        other: &[u8],
        verifies: impl Fn(&VerifyingKey, &[u8], Changed) -> Option<bool>,
    ) {
        let key = self.signer.verifying_key();
        let count = self.table.count(self.name, self.form, route.name);
        match verifies(key, message, Changed::Nothing) {
            Some(verified) => assert!(verified, "{what}: {} refuses it", route.name),
            None => return,
        }
        count.accepted += 1;
        if !asked.refuses(route) {
            return;
        }
        let mut refused = |key: &VerifyingKey, message: &[u8], changed, but: &str| {
            if let Some(verified) = verifies(key, message, changed) {
                assert!(!verified, "{what}: {} takes it for {but}", route.name);
                count.refused += 1;
            }
        };
        refused(key, other, Changed::Nothing, "another message");
        refused(key, message, Changed::Signature, "another signature");
        refused(key, message, Changed::Context, "another context");
        let by_all = asked == Asked::Everything && !route.is_process;
        let strangers = if by_all { self.strangers.len() } else { BOTH.len() };
        for stranger in self.strangers.iter().take(strangers) {
            if stranger.algorithm() == key.algorithm() {
                refused(stranger, message, Changed::Nothing, "one of another key");
            } else if route.algorithms.contains(&stranger.algorithm()) {
                refused(stranger, message, Changed::Nothing, "one of another algorithm");
                refused(stranger, message, Changed::Algorithm, "one of another algorithm");
            }
        }
    }
}

/// What somebody does to a signature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changed {
    Nothing,
    Signature,
    /// The bytes are said to be of the other algorithm.
    Algorithm,
    Context,
}

impl Changed {
    fn of(self, signature: Signature, bit: usize) -> Signature {
        let mut bytes = *signature.as_bytes();
        match self {
            Self::Signature => {
                bytes[bit / 8 % 64] ^= 1 << (bit % 8);
                Signature::from_bytes(signature.algorithm(), bytes)
            }
            Self::Algorithm => {
                let others = BOTH.into_iter().find(|it| *it != signature.algorithm());
                Signature::from_bytes(others.unwrap(), bytes)
            }
            Self::Nothing | Self::Context => signature,
        }
    }

    /// Of an armored one the last bytes are those of the signature; one that is changed
    /// elsewhere may be none.
    fn of_text(self, signature: &SshSignature, bit: usize) -> Option<SshSignature> {
        match self {
            Self::Signature => {
                let mut bytes = signature.to_bytes();
                let at = bytes.len() - 1 - bit / 8 % 32;
                bytes[at] ^= 1 << (bit % 8);
                SshSignature::from_bytes(&bytes).ok()
            }
            Self::Nothing | Self::Context => Some(signature.clone()),
            Self::Algorithm => None,
        }
    }
}
