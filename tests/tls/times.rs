//! The edges of validity, to the second, by the verifier alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use icn_identity::tls::{DEFAULT_CLOCK_SKEW, DEFAULT_LONGEST_VALIDITY, DidVerifier};
use icn_identity::{IdentityBundle, Key, Software, Unlocked};
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier as _;

use crate::craft::{Craft, variant};

#[track_caller]
fn check(verifier: &DidVerifier, certificate: &[u8], at: u64) -> Result<(), String> {
    let (der, at) = (CertificateDer::from(certificate), Duration::from_secs(at));
    let at = UnixTime::since_unix_epoch(at);
    let as_server =
        verifier.verify_server_cert(&der, &[], &icn_identity::tls::server_name(), &[], at);
    let as_client = verifier.verify_client_cert(&der, &[], at);
    let as_server = as_server.map(drop).map_err(|error| variant(&error));
    let as_client = as_client.map(drop).map_err(|error| variant(&error));
    assert_eq!(as_server, as_client);
    as_server
}

#[test]
fn the_edges_of_the_clock_skew_are_inside() {
    let craft = Craft { not_before: 1_800_000_000, not_after: 1_800_600_000, ..Craft::new() };
    let good = craft.good();
    let any = || DidVerifier::deciding(|_| true);
    for (verifier, skew) in [
        (any(), DEFAULT_CLOCK_SKEW.as_secs()),
        (any().with_clock_skew(Duration::ZERO), 0),
        (any().with_clock_skew(Duration::from_secs(17)), 17),
    ] {
        // Twice: a certificate that is remembered is no exception.
        for _ in 0..2 {
            let at = |time| check(&verifier, &good, time);
            assert_eq!(at(craft.not_before - skew), Ok(()));
            assert_eq!(at(craft.not_before - skew - 1), Err("NotYetValid".into()));
            assert_eq!(at(craft.not_after + skew), Ok(()));
            assert_eq!(at(craft.not_after + skew + 1), Err("Expired".into()));
            assert_eq!(at(0), Err("NotYetValid".into()));
            assert_eq!(at(u64::MAX), Err("Expired".into()));
        }
    }
    assert_eq!(DEFAULT_CLOCK_SKEW.as_secs(), 300);
    // A skew without bounds is no overflow.
    let always = any().with_clock_skew(Duration::MAX);
    assert_eq!(check(&always, &good, 0), Ok(()));
    assert_eq!(check(&always, &good, u64::MAX), Ok(()));
}

#[test]
fn the_longest_validity_is_inside() {
    let craft = Craft { not_before: 1_800_000_000, not_after: 1_800_600_000, ..Craft::new() };
    let limit = |seconds| {
        let limit = Duration::from_secs(seconds);
        let verifier = DidVerifier::deciding(|_| true).with_longest_validity(limit);
        check(&verifier, &craft.good(), 1_800_000_001)
    };
    assert_eq!(limit(600_000), Ok(()));
    assert_eq!(limit(599_999), Err("ValidForTooLong".into()));
}

/// Whoever once had a binding signed that ends in 20 years gets nowhere with it.
#[test]
fn a_binding_without_an_end_in_sight_is_refused_by_default() {
    let valid_for = |seconds| {
        let good =
            Craft { not_before: 1_800_000_000, not_after: 1_800_000_000 + seconds, ..Craft::new() };
        check(&crate::anybody(), &good.good(), 1_800_000_001)
    };
    let longest = DEFAULT_LONGEST_VALIDITY.as_secs();
    assert_eq!(longest, 31 * 24 * 3600);
    assert_eq!(valid_for(longest), Ok(()));
    assert_eq!(valid_for(longest + 1), Err("ValidForTooLong".into()));
    assert_eq!(valid_for(20 * 365 * 24 * 3600), Err("ValidForTooLong".into()));
    let month = Duration::from_secs(30 * 24 * 3600);
    let bundle = IdentityBundle::issue_for(Key::<Software, Unlocked>::generate().unwrap(), month);
    let certificate = bundle.unwrap().certificate_der().to_vec();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(check(&crate::anybody(), &certificate, now), Ok(()));
}
