//! Another key in the place of one.

use icn_identity::ErrorKind;

use crate::conformance::Fixture;
use crate::conformance::kept::shown;

/// Whoever has the DID of one key gets no signature of another, and hears why.
pub(crate) fn nothing_is_signed<F: Fixture>(it: &F) {
    let exchanged = it.exchanged();
    assert!(!exchanged.is_empty());
    for (how, signed) in exchanged {
        let error = signed.err().unwrap_or_else(|| panic!("{how}: it signed"));
        let fits = matches!(
            error.kind(),
            ErrorKind::OtherIdentity | ErrorKind::Untrusted | ErrorKind::Damaged
        );
        assert!(fits, "{how}: {:?}: {}", error.kind(), shown(error));
    }
}
