//! Certificates as others might make them, good but for one thing.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use icn_identity::tls::{DidVerifier, refusal_of};
use icn_identity::{Did, Key, Software, Unlocked};
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SanType, SignatureAlgorithm,
    SigningKey,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use time::OffsetDateTime;

use crate::wire::{Ended, handshake};
use crate::{anybody, bundle};

/// The binding's extension, as docs/tls.md has it.
pub(crate) const BINDING: [u64; 14] =
    [1, 2, 840, 113556, 1, 8000, 2554, 18289, 6608, 53410, 17251, 36997, 13032357, 5397894];
pub(crate) const DAY: u64 = 24 * 3600;

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A TLS key, and what its certificate and binding say.
#[derive(Clone)]
pub(crate) struct Craft {
    pub(crate) did: Did,
    pub(crate) signer: Arc<Key<Software, Unlocked>>,
    pub(crate) tls: TlsKey,
    pub(crate) x25519: [u8; 32],
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) sequence: u64,
    pub(crate) instance: [u8; 16],
    pub(crate) epoch: u64,
}

#[derive(Clone)]
pub(crate) struct TlsKey(pub(crate) ed25519_dalek::SigningKey, [u8; 32]);

impl TlsKey {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let public = key.verifying_key().to_bytes();
        Self(key, public)
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.1
    }

    /// The same, showing another public key.
    pub(crate) fn showing(&self, public: [u8; 32]) -> Self {
        Self(self.0.clone(), public)
    }

    fn pkcs8(&self) -> PrivatePkcs8KeyDer<'static> {
        let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        [&prefix[..], &self.0.to_bytes()].concat().into()
    }
}

impl PublicKeyData for TlsKey {
    fn der_bytes(&self) -> &[u8] {
        &self.1
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl SigningKey for TlsKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(ed25519_dalek::Signer::sign(&self.0, message).to_bytes().to_vec())
    }
}

impl Craft {
    pub(crate) fn new() -> Self {
        let signer = Key::<Software, Unlocked>::generate().unwrap();
        Self {
            did: signer.did().clone(),
            signer: Arc::new(signer),
            tls: TlsKey::new(),
            x25519: [0x25; 32],
            not_before: now() - 60,
            not_after: now() + DAY,
            sequence: 5,
            instance: [0x17; 16],
            epoch: 0,
        }
    }

    /// The DID key's signature over what is said here.
    pub(crate) fn binding_signature(&self) -> [u8; 64] {
        let prefix = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        let spki = [&prefix[..], &self.tls.public()].concat();
        let mut statement = self.statement_of_the_old_form(&spki);
        statement.extend(self.instance);
        statement.extend(self.epoch.to_be_bytes());
        self.sign_by_did(&statement)
    }

    /// As before bindings named instances.
    pub(crate) fn old_binding_signature(&self) -> [u8; 64] {
        let prefix = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        let spki = [&prefix[..], &self.tls.public()].concat();
        self.sign_by_did(&self.statement_of_the_old_form(&spki))
    }

    fn statement_of_the_old_form(&self, spki: &[u8]) -> Vec<u8> {
        let mut statement = b"icn-identity/binding/v1\0".to_vec();
        for field in [self.did.as_str().as_bytes(), spki] {
            statement.extend(u64::try_from(field.len()).unwrap().to_be_bytes());
            statement.extend(field);
        }
        statement.extend(self.x25519);
        for number in [self.not_before, self.not_after, self.sequence] {
            statement.extend(number.to_be_bytes());
        }
        statement
    }

    fn sign_by_did(&self, statement: &[u8]) -> [u8; 64] {
        let signing = ed25519_dalek::SigningKey::from_bytes(self.signer.expose_secret());
        ed25519_dalek::Signer::sign(&signing, statement).to_bytes()
    }

    /// The binding's value, with whatever signature.
    pub(crate) fn value(&self, signature: &[u8; 64]) -> Vec<u8> {
        let holder = [&[4, 16][..], &self.instance, &integer(self.epoch)].concat();
        self.value_with(&holder, signature)
    }

    /// The same, with anything between the sequence number and the keys.
    pub(crate) fn value_with(&self, holder: &[u8], signature: &[u8; 64]) -> Vec<u8> {
        let body = [&[2, 1, 1][..], &integer(self.sequence), holder, &[4, 32], &self.x25519];
        let body = [&body.concat()[..], &[4, 64], signature].concat();
        let length = u8::try_from(body.len()).unwrap();
        let head = if length < 128 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
        [head, body].concat()
    }

    pub(crate) fn extension(&self) -> CustomExtension {
        CustomExtension::from_oid_content(&BINDING, self.value(&self.binding_signature()))
    }

    /// What a good certificate has.
    pub(crate) fn params(&self) -> CertificateParams {
        let date = |at: u64| OffsetDateTime::from_unix_timestamp(at.try_into().unwrap()).unwrap();
        let mut params = CertificateParams::default();
        params.not_before = date(self.not_before);
        params.not_after = date(self.not_after);
        params.serial_number = Some(rcgen::SerialNumber::from(7_u64));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_identifier_method = KeyIdMethod::PreSpecified(vec![7; 16]);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "crafted");
        params.subject_alt_names = vec![uri(self.did.as_str())];
        params.custom_extensions = vec![self.extension()];
        params
    }

    /// Signs a certificate by its own key.
    pub(crate) fn sign(&self, params: &CertificateParams) -> Vec<u8> {
        params.self_signed(&self.tls).unwrap().der().to_vec()
    }

    /// A good certificate.
    pub(crate) fn good(&self) -> Vec<u8> {
        self.sign(&self.params())
    }

    /// Good but for what is done to it.
    pub(crate) fn with(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = self.params();
        change(&mut params);
        self.sign(&params)
    }

    /// As rustls shows them.
    pub(crate) fn certified(&self, chain: &[Vec<u8>]) -> Arc<SingleCertAndKey> {
        let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
        let key = ring::sign::any_eddsa_type(&self.tls.pkcs8()).unwrap();
        Arc::new(CertifiedKey::new(chain, key).into())
    }

    /// A server that shows these certificates, and takes everybody.
    pub(crate) fn server(&self, chain: &[Vec<u8>]) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
        let builder = builder.with_client_cert_verifier(anybody());
        Arc::new(builder.with_cert_resolver(self.certified(chain)))
    }

    /// A client that shows these certificates, and takes everybody.
    pub(crate) fn client(&self, chain: &[Vec<u8>]) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
        let builder = builder.with_protocol_versions(&[&TLS13]).unwrap().dangerous();
        let builder = builder.with_custom_certificate_verifier(anybody());
        Arc::new(builder.with_client_cert_resolver(self.certified(chain)))
    }

    /// Shows them to a server and to a client of ours; gives what these say.
    pub(crate) fn show(
        &self,
        chain: &[Vec<u8>],
        verifier: &Arc<DidVerifier>,
    ) -> [Result<(), rustls::Error>; 2] {
        let ours = bundle();
        let server = ours.tls_server(verifier).unwrap();
        let client = ours.tls_client(verifier).unwrap();
        let as_client = match handshake(&server, &self.client(chain)) {
            Ok((server, _)) => {
                assert_eq!(server.peer().unwrap().did(), &self.did);
                Ok(())
            }
            Err(Ended::ByServer(error)) => Err(error),
            Err(other) => panic!("{other:?}"),
        };
        let as_server = match handshake(&self.server(chain), &(&client, &self.did)) {
            Ok((_, client)) => {
                assert_eq!(client.peer().unwrap().did(), &self.did);
                Ok(())
            }
            Err(Ended::ByClient(error)) => Err(error),
            Err(other) => panic!("{other:?}"),
        };
        [as_client, as_server]
    }

    #[track_caller]
    pub(crate) fn assert_accepted(&self, certificate: Vec<u8>, verifier: &Arc<DidVerifier>) {
        for shown in self.show(&[certificate], verifier) {
            shown.unwrap();
        }
    }

    /// Refused on both sides, for this reason (of the enum's variant).
    #[track_caller]
    pub(crate) fn assert_refused(
        &self,
        chain: &[Vec<u8>],
        verifier: &Arc<DidVerifier>,
        reason: &str,
    ) {
        for shown in self.show(chain, verifier) {
            let error = shown.expect_err("it was accepted");
            assert_eq!(variant(&error), reason, "{error}");
        }
    }

    /// Refused by who takes everybody.
    #[track_caller]
    pub(crate) fn refused(&self, certificate: Vec<u8>, reason: &str) {
        self.assert_refused(&[certificate], &anybody(), reason);
    }
}

/// A DER INTEGER: as short as it can be, and not negative.
fn integer(number: u64) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    while bytes.len() > 1 && bytes[0] == 0 && bytes[1] < 128 {
        bytes.remove(0);
    }
    if bytes[0] >= 128 {
        bytes.insert(0, 0);
    }
    [&[2, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
}

/// The name of the reason.
#[track_caller]
pub(crate) fn variant(error: &rustls::Error) -> String {
    let refusal = refusal_of(error).unwrap_or_else(|| panic!("no refusal of ours: {error:?}"));
    assert!(refusal.help().is_some());
    let debug = format!("{refusal:?}");
    debug.split([' ', '(', '{']).next().unwrap().to_owned()
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(Ia5String::try_from(text).unwrap())
}
