//! What any signer of this crate signs, every other implementation verifies; and nothing else
//! that could be taken for it.
//!
//! A signer is an entry ([`Fixture`], in a module for each kind), a verifier another one
//! ([`routes`]). Each signer meets each verifier of its algorithm, in each form that callers
//! have it in, and the table of that is counted: nobody is left out without a word.
//!
//! `PROPTEST_CASES` sets how many arbitrary messages each signer signs in each form.

mod devices;
mod forms;
mod memory;
mod remote;
mod routes;
mod table;

use icn_identity::client::RemoteSigner;
use icn_identity::{AlgorithmId, DidKey};

use self::forms::Forms;
use self::table::Table;

/// The context that all of them sign for.
const CONTEXT: &str = "proptests@coop.example";
const OTHER_CONTEXT: &str = "login@coop.example";

/// Around the blocks of SHA-256 and SHA-512, and where their padding takes another one.
const EDGES: [usize; 15] = [0, 1, 55, 56, 63, 64, 65, 111, 112, 119, 120, 127, 128, 129, 256];

/// What signs.
enum Signer {
    Key(DidKey),
    Daemon(RemoteSigner),
}

/// One signer, made when its turn comes: a token speaks one dialect at a time.
struct Fixture<'a> {
    name: String,
    algorithm: AlgorithmId,
    make: Box<dyn Fn() -> Signer + 'a>,
}

impl<'a> Fixture<'a> {
    fn new(name: &str, algorithm: AlgorithmId, make: impl Fn() -> Signer + 'a) -> Self {
        Self { name: format!("{name}, {algorithm}"), algorithm, make: Box::new(make) }
    }

    fn of_key(name: &str, algorithm: AlgorithmId, make: impl Fn() -> DidKey + 'a) -> Self {
        Self::new(name, algorithm, move || Signer::Key(make()))
    }
}

/// Has each of them sign; `pairs` is how many a signer in a form and a verifier there are.
#[allow(clippy::print_stdout, reason = "the figures, for who asks for them by --nocapture")]
fn round_trip(fixtures: &[Fixture<'_>], pairs: usize) {
    let mut forms = Forms::new();
    for fixture in fixtures {
        let signer = (fixture.make)();
        forms.sign_as(&fixture.name, fixture.algorithm, signer);
    }
    let table: Table = forms.into_table();
    println!("{table}");
    assert_eq!(table.signers(), fixtures.len(), "{table}");
    assert_eq!(table.pairs(), pairs, "{table}");
}
