//! A signer, with what it needs around it.

use std::fmt::Debug;

use icn_identity::{
    AlgorithmId, Assurance, Custody, DidSigner, DidSignerExt as _, Error, ProvenanceKind, Signature,
};

/// A signer for one test.
pub(crate) trait Fixture: Sized + Sync {
    /// Its type, as it is known when the code is compiled.
    type Key: DidSigner + Debug + 'static;
    /// The type that code has which learns of it when it runs.
    type Erased: DidSigner + Debug + 'static;

    const ALGORITHM: AlgorithmId;
    /// What is known of it, by evidence that was read.
    const CUSTODY: Shows;

    /// Runs the body of a test with one of its own. `B` is the closure of the test itself, by
    /// which a process of its own is started where there has to be one.
    fn alone<B: FnOnce(&Self)>(body: B);

    /// The key with this name: the same for the same name.
    fn key(&self, name: &str) -> Self::Key;

    fn erase(key: Self::Key) -> Self::Erased;

    /// What came of each way to put another key in the place of one, and have that sign.
    fn exchanged(&self) -> Vec<(&'static str, Result<Signature, Error>)>;
}

/// What is known of a signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    Evidence(ProvenanceKind, Assurance),
    /// Somebody else's word.
    Nothing(Custody),
}

impl Shows {
    pub(crate) fn of<S: DidSigner + ?Sized>(signer: &S) -> Self {
        match signer.custody() {
            Custody::Shown(shown) => Self::Evidence(shown.provenance(), shown.assurance()),
            nothing => Self::Nothing(nothing),
        }
    }

    pub(crate) const fn provenance(self) -> ProvenanceKind {
        match self {
            Self::Evidence(provenance, _) => provenance,
            Self::Nothing(_) => ProvenanceKind::External,
        }
    }

    pub(crate) const fn assurance(self) -> Assurance {
        match self {
            Self::Evidence(_, assurance) => assurance,
            Self::Nothing(_) => Assurance::None,
        }
    }
}

/// Does something with a key of a fixture in each form in which callers have it: by its own
/// type, erased, and as a `Box<dyn DidSigner>`.
macro_rules! in_each_form {
    ($it:expr, $fixture:ident, $key:ident => $does:expr) => {{
        {
            let $key = $it.key("one");
            $does
        }
        {
            let $key = <$fixture as $crate::conformance::Fixture>::erase($it.key("one"));
            $does
        }
        {
            let $key: Box<dyn icn_identity::DidSigner> = Box::new($it.key("one"));
            $does
        }
    }};
}
pub(crate) use in_each_form;
