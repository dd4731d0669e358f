//! Threads that share a token, in many orders of their steps ([`crate::sync::orders`]). The
//! token is SoftHSM 2 behind the module that injects faults: a call of it is one step.

mod last_one;
mod pins;
mod pool;

use std::fs;
use std::num::NonZeroU16;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use support::softhsm::{self, SoftHsm};

use super::Pkcs11Backend;
use super::pool::Lease;
use super::token::{Token, Wanted};
use crate::backend::{Backend as _, KeyAtRest, Locator, Pkcs11Locator};
use crate::config::Pkcs11Config;
use crate::did::{Did, DidMethod};
use crate::error::Error;
use crate::key::DidKey;
use crate::secret::Pin;
use crate::sync::Arc;
use crate::sync::orders::in_many_orders;

const TOKEN: &str = "node-1";

/// A key that wants the PIN once, and one that wants it for each signature.
#[derive(Clone, Copy)]
enum Which {
    Plain,
    Always,
}

/// The token of one order. To the library it is another one than any before.
struct World {
    hsm: Arc<SoftHsm>,
    serial: String,
}

/// Runs a test with a token in many orders, in a process of its own.
fn with_token<F: Fn(&World) + Send + Sync + 'static>(test: F) {
    softhsm::alone_as::<F>(move |hsm| {
        hsm.token(TOKEN);
        hsm.born(TOKEN, "plain", "0a", false);
        hsm.born(TOKEN, "always", "0b", true);
        let hsm = Arc::new(hsm);
        in_many_orders(move || test(&World::new(&hsm)));
    });
}

impl World {
    fn new(hsm: &Arc<SoftHsm>) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let serial = format!("{:016x}", NUMBER.fetch_add(1, Ordering::SeqCst));
        let world = Self { hsm: Arc::clone(hsm), serial };
        for name in ["tries", "pins"] {
            let _ = fs::remove_file(hsm.path(name));
        }
        world.script("");
        // Nobody may wait for another one in there.
        keys(&world.backend());
        world
    }

    /// What the token does from now on.
    fn script(&self, text: &str) {
        self.hsm.script(&format!("serial {}\nmax-sessions 60\n{text}", self.serial));
    }

    fn config(&self) -> Pkcs11Config {
        Pkcs11Config::new(self.hsm.fault_module())
            .with_token(TOKEN)
            .with_sessions(NonZeroU16::new(2).unwrap())
    }

    fn backend(&self) -> Pkcs11Backend {
        Pkcs11Backend::open(&self.config()).unwrap()
    }

    fn token(&self) -> Token {
        let backend = self.backend();
        Token::select_now(&backend.module, &Wanted::from_config(&self.config())).unwrap()
    }

    /// Opens a key by a backend of its own.
    fn open(&self, which: Which, pin: &str) -> Result<DidKey, Error> {
        let backend = self.backend();
        let (mut locator, did) = keys(&backend)[which as usize].clone();
        locator.serial.clone_from(&self.serial);
        match backend.find(&Locator::Pkcs11(locator), &did)? {
            KeyAtRest::Device(key) => Ok(key.unseal(&Pin::new(pin))?),
            other => panic!("{other:?}"),
        }
    }

    /// The PINs that the token was sent, and whether each was right.
    fn sent(&self) -> Vec<(String, bool)> {
        let text = fs::read_to_string(self.hsm.path("pins")).unwrap_or_default();
        let sent = text.lines().map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [serial, pin, _, right] => {
                assert_eq!(serial, self.serial);
                (pin.to_owned(), right == "true")
            }
            _ => panic!("{line}"),
        });
        sent.collect()
    }

    /// How often a PIN was sent that was not the right one.
    fn refusals(&self, pin: &str) -> usize {
        self.sent().iter().filter(|(sent, right)| sent == pin && !right).count()
    }

    /// The token forgets the session that somebody has borrowed.
    fn kill(&self, lease: &Lease) {
        let session: &cryptoki::session::Session = lease.objects().unwrap().session;
        // No step lies between.
        self.script("on C_GetSessionInfo 1 kill-session");
        session.get_session_info().unwrap_err();
        self.script("");
    }

    /// How many sessions are open, by the token's word.
    fn sessions(&self) -> u64 {
        self.token().info().unwrap().sessions.unwrap()
    }
}

/// Found once.
fn keys(backend: &Pkcs11Backend) -> &'static [(Pkcs11Locator, Did); 2] {
    static KEYS: OnceLock<[(Pkcs11Locator, Did); 2]> = OnceLock::new();
    KEYS.get_or_init(|| {
        ["plain", "always"].map(|label| {
            let locator = backend.find_by_label(label).unwrap();
            let key = backend.public_key(&locator).unwrap();
            (locator, Did::from_key(DidMethod::Icn, &key).unwrap())
        })
    })
}
