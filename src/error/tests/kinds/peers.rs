use super::{boxed, check, did};
use crate::algorithm::{BadSignature, InvalidVerifyingKey};
use crate::binding::Instance;
use crate::did::InvalidDid;
use crate::error::ErrorKind as K;
use crate::peer::{BookError, Refusal, SequenceError};

#[test]
fn of_refusals() {
    use Refusal as E;
    let oid = || "1.2.3".to_owned();
    let instance = Instance::fresh().unwrap();
    check(
        "peer/refusal.rs",
        vec![
            (E::Intermediates { count: 1 }, K::Untrusted),
            (E::TooLarge { length: 1 }, K::Untrusted),
            (E::Malformed, K::Untrusted),
            (E::TrailingBytes, K::Untrusted),
            (E::Version, K::Untrusted),
            (E::KeyAlgorithm, K::Untrusted),
            (E::Key(InvalidVerifyingKey::SmallOrder), K::Untrusted),
            (E::SignatureAlgorithm, K::Untrusted),
            (E::SelfSignature(BadSignature::new()), K::Untrusted),
            (E::DuplicateExtension { oid: oid() }, K::Untrusted),
            (E::UnknownCriticalExtension { oid: oid() }, K::Untrusted),
            (E::Authority, K::Untrusted),
            (E::KeyUsage, K::Untrusted),
            (E::ExtendedKeyUsage { role: "serverAuth" }, K::Untrusted),
            (E::Names, K::Untrusted),
            (E::Did(InvalidDid::TooLong), K::Untrusted),
            (E::NoBinding, K::Untrusted),
            (E::NoInstance, K::Untrusted),
            (E::MalformedBinding, K::Untrusted),
            (E::BindingVersion { found: 2 }, K::Unsupported),
            (E::BindingSignature { did: did(), source: BadSignature::new() }, K::Untrusted),
            (E::Expired { did: did(), ago: 1 }, K::Expired),
            (E::NotYetValid { did: did(), wait: 1 }, K::Clock),
            (E::ValidForTooLong { did: did(), seconds: 2, limit: 1 }, K::Untrusted),
            (E::NotExpected { did: did() }, K::OtherIdentity),
            (E::EarlierEpoch { did: did(), shown: 1, highest: 2 }, K::Superseded),
            (E::Superseded { did: did(), instance, shown: 1, highest: 2 }, K::Superseded),
            (E::Book(Box::new(BookError::Full { limit: 1 })), K::Storage),
            (E::Sequences(boxed()), K::Io),
            (E::Sequences(Box::new(in_use())), K::InUse),
            (E::HandshakeSignature, K::Untrusted),
            (E::Tls12, K::Unsupported),
        ],
    );
}

#[test]
fn of_sequences() {
    use SequenceError as E;
    check(
        "peer/sequence.rs",
        vec![
            (E::EarlierEpoch { highest: 1 }, K::Superseded),
            (E::Lower { highest: 1 }, K::Superseded),
            (E::Store(boxed()), K::Io),
            (E::Store(Box::new(in_use())), K::InUse),
        ],
    );
}

fn in_use() -> BookError {
    BookError::InUse { directory: "peers".into(), holder: "other".into() }
}

#[test]
fn of_books() {
    use BookError as E;
    let home = || "peers".into();
    let held = crate::error::KeystoreError::InUse { home: home(), holder: "other".into() };
    let newer = crate::error::FormatError::Newer { what: "the book", found: 2, known: 1 };
    check(
        "peer/book_error.rs",
        vec![
            (
                E::Files(crate::error::KeystoreError::NotADirectory { path: home() }),
                K::InvalidInput,
            ),
            (E::from(held), K::InUse),
            (E::Newer(newer), K::Unsupported),
            (E::Damaged { path: home(), source: boxed() }, K::Damaged),
            (E::Replaced { did: did(), present: did() }, K::Superseded),
            (E::Name { limit: 1 }, K::InvalidInput),
            (E::Full { limit: 1 }, K::Storage),
            (E::Rotation(crate::rotation::RotationError::Empty), K::InvalidInput),
        ],
    );
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use rustls::{CertificateError, OtherError};

    use super::*;
    use crate::error::Error;
    use crate::tls::{PeerError, ReplaceError, TlsError};

    #[test]
    fn of_connections() {
        use PeerError as E;
        check(
            "tls/error.rs",
            vec![
                (E::Handshaking, K::Misuse),
                (E::NotTls13, K::Misuse),
                (E::Resumed, K::Misuse),
                (E::NoCertificate, K::Misuse),
                (E::Refused(Refusal::NoBinding), K::Untrusted),
            ],
        );
    }

    #[test]
    fn of_replacements() {
        use ReplaceError as E;
        check(
            "tls/identity.rs",
            vec![
                (E::OtherDid { expected: did(), found: did() }, K::OtherIdentity),
                (E::EarlierEpoch { current: 2, found: 1 }, K::Superseded),
                (E::Older { current: 2, found: 1 }, K::Superseded),
            ],
        );
    }

    #[test]
    fn of_streams() {
        use TlsError as E;
        let refusal = || Refusal::Expired { did: did(), ago: 1 };
        let other = CertificateError::Other(OtherError(Arc::new(refusal())));
        let refused = rustls::Error::InvalidCertificate(other);
        check(
            "tls/error.rs",
            vec![
                (E::Transport(std::io::ErrorKind::ConnectionReset.into()), K::Io),
                (E::Transport(std::io::ErrorKind::WouldBlock.into()), K::Busy),
                (E::Transport(std::io::Error::other(refused.clone())), K::Expired),
                (E::Handshake(rustls::Error::NoCertificatesPresented), K::Untrusted),
                (E::Handshake(refused.clone()), K::Expired),
                (E::Peer(PeerError::Refused(refusal())), K::Expired),
                (E::Peer(PeerError::Handshaking), K::Misuse),
            ],
        );
        // The reason is what is shown, once.
        for error in [E::Handshake(refused), E::Peer(PeerError::Refused(refusal()))] {
            assert!(error.to_string().ends_with("ended 1 seconds ago"), "{error}");
            assert!(std::error::Error::source(&error).is_none());
        }
    }

    #[test]
    fn what_rustls_says_of_a_refused_peer_has_the_kind_and_help_of_the_refusal() {
        let refusal = Refusal::Expired { did: did(), ago: 1 };
        let help = refusal.help();
        let other = CertificateError::Other(OtherError(Arc::new(refusal)));
        let error = Error::from(rustls::Error::InvalidCertificate(other));
        assert_eq!(error.kind(), K::Expired);
        assert_eq!(error.help(), help);
        for (error, kind) in [
            (rustls::Error::FailedToGetRandomBytes, K::Randomness),
            (rustls::Error::NoCertificatesPresented, K::Untrusted),
            (rustls::Error::General("x".into()), K::Misuse),
        ] {
            let error = Error::from(error);
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(error.help().is_some());
        }
    }
}
