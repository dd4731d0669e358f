use super::{boxed, check, did};
use crate::algorithm::{BadSignature, InvalidVerifyingKey};
use crate::binding::Instance;
use crate::did::InvalidDid;
use crate::error::ErrorKind as K;
use crate::peer::Refusal;

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
            (E::Sequences(boxed()), K::Io),
            (E::HandshakeSignature, K::Untrusted),
            (E::Tls12, K::Unsupported),
        ],
    );
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use rustls::{CertificateError, OtherError};

    use super::*;
    use crate::error::Error;
    use crate::tls::{PeerError, ReplaceError, SequenceError};

    #[test]
    fn of_connections() {
        use PeerError as E;
        check(
            "tls/session.rs",
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
    fn of_sequences() {
        use SequenceError as E;
        check(
            "tls/sequence.rs",
            vec![
                (E::EarlierEpoch { highest: 1 }, K::Superseded),
                (E::Lower { highest: 1 }, K::Superseded),
                (E::Store(boxed()), K::Io),
            ],
        );
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
