//! Backups, which bring an identity back where its key is.

use icn_identity::keystore::backup::{Backup, BackupRequest, RecoveryKeys};
use support::home::write_private;

use super::{signs, strangers};
use crate::conformance::Kept;
use crate::conformance::fixture::Shows;
use crate::conformance::kept::{given, identity, opened, shown};
use icn_identity::DidSigner as _;

const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

pub(crate) fn restores<F: Kept>(it: &F) {
    let home = it.home();
    let made = identity(it, &home, "identity").bundle;
    let (did, x25519) = (made.did().clone(), made.x25519_public_key());
    drop(made);
    let request = BackupRequest::new(vec![RECIPIENT.parse().unwrap()]).unwrap();
    let ready = |home| {
        let ready = icn_identity::home::Home::locate(home).unwrap().ask(given::<F>());
        ready.unwrap_or_else(|error| panic!("{}", shown(error)))
    };
    let file = ready(&opened(&home)).backup(&request).unwrap().file;
    let key = home.beside("recovery.key");
    write_private(&key, KEY);
    let keys = RecoveryKeys::read(&key).unwrap();
    let backup = || Backup::open(&file, &keys).unwrap();
    assert_eq!(*backup().did(), did);

    // As nobody else's.
    let elsewhere = it.home();
    let [stranger, _] = strangers();
    let mut vacant = opened(&elsewhere);
    vacant.restore(backup(), stranger.did(), None, given::<F>()).map(drop).unwrap_err();
    let restored = vacant.restore(backup(), &did, None, given::<F>());
    drop(restored.unwrap_or_else(|error| panic!("{}", shown(error))));
    let bundle = opened(&elsewhere).unlock(given::<F>()).unwrap().bundle;
    assert_eq!((bundle.did(), bundle.x25519_public_key()), (&did, x25519));
    // It is no more than it was.
    assert_eq!(Shows::of(&bundle), F::CUSTODY);
    signs(&bundle);
}
