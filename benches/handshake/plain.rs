//! The baseline: rustls with one pinned certificate, compared byte by byte.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

#[derive(Debug)]
struct Exactly(CertificateDer<'static>, CryptoProvider);

impl Exactly {
    fn compare(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        if *shown == self.0 {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.compare(shown)?;
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.1.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.1.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Exactly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.compare(shown)?;
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}

/// A key that *ring* keeps, and a certificate of it.
struct Own(PrivatePkcs8KeyDer<'static>, CertificateDer<'static>);

impl Own {
    fn new() -> Self {
        // Any Ed25519 key and its self-signed certificate will do.
        let key = icn_identity::Key::<icn_identity::Software, icn_identity::Unlocked>::generate();
        let bundle = icn_identity::IdentityBundle::issue(key.unwrap()).unwrap();
        Self(
            bundle.companions().tls_private_key_der().to_vec().into(),
            bundle.certificate_der().to_vec().into(),
        )
    }
}

/// As ours in everything else: TLS 1.3, no resumption, no name.
pub(crate) fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let (server, client) = (Own::new(), Own::new());
    let exactly = |own: &Own| Arc::new(Exactly(own.1.clone(), ring::default_provider()));
    let provider = || Arc::new(ring::default_provider());
    let mut at_server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(exactly(&client))
        .with_single_cert(vec![server.1.clone()], server.0.clone_key().into())
        .unwrap();
    at_server.send_tls13_tickets = 0;
    let mut at_client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(exactly(&server))
        .with_client_auth_cert(vec![client.1.clone()], client.0.clone_key().into())
        .unwrap();
    at_client.resumption = Resumption::disabled();
    at_client.enable_sni = false;
    (Arc::new(at_server), Arc::new(at_client))
}
