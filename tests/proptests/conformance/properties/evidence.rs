//! Evidence that is another one later.

use icn_identity::ErrorKind;

use crate::conformance::Kept;
use crate::conformance::kept::shown;

/// A kept key whose device may say something else of it later.
pub(crate) trait ChangesEvidence: Kept {
    /// What came of each change: a signature, or the type that it claims, by which the key
    /// would be more than is shown now.
    fn change(&self) -> Vec<(String, Result<(), icn_identity::Error>)>;
}

pub(crate) fn is_refused<F: ChangesEvidence>(it: &F) {
    let changed = it.change();
    assert!(changed.len() > 1);
    for (how, done) in changed {
        let error = done.err().unwrap_or_else(|| panic!("{how}: passed over"));
        let fits = matches!(
            error.kind(),
            ErrorKind::Requirement | ErrorKind::Untrusted | ErrorKind::Damaged
        );
        assert!(fits, "{how}: {:?}: {}", error.kind(), shown(error));
    }
}
