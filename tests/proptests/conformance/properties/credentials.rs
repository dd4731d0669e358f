//! Credentials: tried once, and never shown.

use icn_identity::{Error, ErrorKind};

use super::signs;
use crate::conformance::kept::{self, shown, try_open};
use crate::conformance::{Kept, OpenKey};

pub(crate) fn is_sent_once<F: Kept>(it: &F) {
    let mut at_rest = kept::open(it, "one").close();
    let (_, did) = kept::place(it, "one");
    // Sent to the device once; and once it is known to be wrong, no more.
    for sent in [1, 0] {
        let (refused, seen) = it.sent(|| try_open::<F::Key>(at_rest, F::WRONG).unwrap_err());
        assert_eq!(seen, F::IS_SENT.then_some(sent));
        let (given_back, reason) = refused.into_parts();
        let error = Error::from(reason);
        assert_eq!(error.kind(), ErrorKind::WrongCredential, "{error}");
        assert!(error.is_wrong_credential() && error.help().is_some(), "{error}");
        let text = shown(error);
        assert!(!text.contains(F::WRONG) && !text.contains(F::RIGHT), "{text}");
        assert_eq!(*F::Key::did_of(&given_back), did);
        at_rest = given_back;
    }
    // The key is as it was.
    let (key, _) = it.sent(|| try_open::<F::Key>(at_rest, F::RIGHT));
    signs(&key.unwrap_or_else(|refused| panic!("{}", shown(refused.into_parts().1))));
}
