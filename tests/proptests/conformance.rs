//! One suite for every signer and every backend: what a type promises, it has to keep
//! whatever is behind it.
//!
//! A property is a function in [`properties`], generic over the fixture that it is asked of. A
//! fixture is a signer with what it needs around it ([`Fixture`]), and one that a backend keeps
//! says how it is made, opened and sealed ([`Kept`]). `conformance!` makes a module of tests
//! of it, each with a token, a TPM or a home of its own; what a signer does not have is in the
//! table of [`table`] with its reason, which is compared with the tests that are there.
//!
//! # A backend more
//!
//! One file, like [`tpm`], and its `mod` line here:
//!
//! 1. Implement [`Fixture`] and [`Kept`]. A key type that is new implements [`OpenKey`].
//! 2. `conformance! { kept NAME: Fixture }` makes the tests.
//! 3. `cargo test --all-features --test proptests conformance::` runs them. The test of the
//!    table prints the row that is missing.

mod fixture;
mod kept;
mod properties;
mod table;

mod daemon;
mod dialects;
mod external;
mod software;
mod tokens;
mod tpm;

use self::fixture::Fixture;
use self::kept::{Kept, OpenKey};

/// The tests of a fixture, in a module of its name.
///
/// `signer`: whatever signs by itself. `kept`: what a backend keeps, and a credential opens.
/// `device`: of those, one whose device shows evidence, which may change. `remote`: what
/// another process has.
macro_rules! conformance {
    ($($group:ident $name:ident: $fixture:ty;)+) => {$(
        mod $name {
            use super::*;
            use crate::conformance::properties;

            conformance!(@$group $fixture);
        }
    )+};
    (@remote $fixture:ty) => {
        conformance! { @tests $fixture:
            threads_sign_at_once = keys::threads_sign;
            another_key_in_its_place_is_refused = mismatch::nothing_is_signed;
            provenance_never_rises_without_evidence = provenance::is_as_shown;
            no_statement_is_signed_for_a_caller = remote::signs_no_statement;
            it_is_met_over_tls = remote::meets;
            its_document_verifies_and_no_other_does = remote::has_a_document;
        }
    };
    (@signer $fixture:ty) => {
        conformance! { @tests $fixture:
            threads_sign_at_once = keys::threads_sign;
            another_key_in_its_place_is_refused = mismatch::nothing_is_signed;
            provenance_never_rises_without_evidence = provenance::is_as_shown;
            no_statement_is_signed_for_a_caller = bundle::signs_no_statement;
            a_bundle_is_bound_and_renewed = bundle::is_bound_and_renewed;
            it_is_met_over_tls = bundle::meets;
            its_document_verifies_and_no_other_does = bundle::has_a_document;
            it_hands_over_and_takes_over = rotation::goes_on;
        }
    };
    (@kept $fixture:ty) => {
        conformance!(@signer $fixture);
        conformance! { @tests $fixture:
            a_key_is_made_sealed_opened_and_found_again = keys::lives;
            a_wrong_credential_is_sent_once_and_the_key_given_back = credentials::is_sent_once;
            a_new_process_opens_it_and_sends_a_wrong_credential_once = processes::open_it;
            threads_open_it_at_once = keys::threads_open;
            a_header_that_claims_more_is_refused = provenance::header_is_not_believed;
            a_backup_restores_it = backup::restores;
        }
    };
    (@device $fixture:ty) => {
        conformance!(@kept $fixture);
        conformance! { @tests $fixture:
            evidence_that_changes_is_refused = evidence::is_refused;
        }
    };
    (@tests $fixture:ty: $($test:ident = $module:ident::$property:ident;)+) => {$(
        #[test]
        fn $test() {
            <$fixture as $crate::conformance::Fixture>::alone(|it| {
                properties::$module::$property::<$fixture>(it);
            });
        }
    )+};
}
use conformance;

/// What all of them sign, and for which context.
const MESSAGE: &[u8] = b"100 to Ada";
const CONTEXT: &str = "payments@coop.example";
