//! Whom a side of connections is, and whom it accepts.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme,
};

use super::config::ring;
use super::{Connection, DidVerifier, TlsError, TlsIdentity, server_name};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::signer::DidSigner;

/// The side that is called: an identity, and who may call it.
///
/// One is used for all connections: clones share everything. A certificate that was
/// renewed or replaced ([`TlsIdentity::replace`]) is used from the next handshake on.
#[derive(Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    verifier: Arc<DidVerifier>,
}

impl Server {
    /// With *ring* as the cryptography.
    ///
    /// # Errors
    ///
    /// None that is known: rustls checks that the provider has TLS 1.3.
    pub fn new(identity: &TlsIdentity, verifier: &Arc<DidVerifier>) -> Result<Self, TlsError> {
        Self::with_provider(identity, verifier, ring())
    }

    /// With other cryptography, **which is trusted** with what a handshake proves.
    /// Signatures are made and verified by this crate in any case.
    ///
    /// # Errors
    ///
    /// [`TlsError::Handshake`] if the provider has nothing for TLS 1.3.
    pub fn with_provider(
        identity: &TlsIdentity,
        verifier: &Arc<DidVerifier>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let config = identity.server_config_by(provider, verifier)?;
        Ok(Self { config: Arc::new(config), verifier: verifier.clone() })
    }

    /// Offers these protocols (ALPN, RFC 7301), the best first. A client that offers others
    /// only is refused.
    #[must_use]
    pub fn with_alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = collect(protocols);
        self
    }

    /// Who may call.
    #[must_use]
    pub const fn verifier(&self) -> &Arc<DidVerifier> {
        &self.verifier
    }

    /// This side of a new connection, for whoever moves its bytes. For a blocking stream
    /// there is [`accept`](super::accept).
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn connection(&self) -> Result<Connection, TlsError> {
        let connection = ServerConnection::new(self.config.clone())?;
        Ok(Connection::new(connection.into(), self.verifier.clone(), None))
    }
}

/// The side that calls: an identity, and what is demanded of the one that is called
/// beside that it has the DID that is named for each connection.
///
/// Clones share everything, as those of [`Server`].
#[derive(Clone)]
pub struct Client {
    config: ClientConfig,
    verifier: Arc<DidVerifier>,
}

impl Client {
    /// With *ring* as the cryptography. The verifier has to accept whom a connection
    /// names: of a book that is whoever is in it, [`DidVerifier::named`] accepts everybody
    /// who is named.
    ///
    /// # Errors
    ///
    /// As [`Server::new`].
    pub fn new(identity: &TlsIdentity, verifier: &Arc<DidVerifier>) -> Result<Self, TlsError> {
        Self::with_provider(identity, verifier, ring())
    }

    /// As [`Server::with_provider`].
    ///
    /// # Errors
    ///
    /// As [`Server::with_provider`].
    pub fn with_provider(
        identity: &TlsIdentity,
        verifier: &Arc<DidVerifier>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let config = identity.client_config_by(provider, verifier)?;
        Ok(Self { config, verifier: verifier.clone() })
    }

    /// As [`Server::with_alpn`].
    #[must_use]
    pub fn with_alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.config.alpn_protocols = collect(protocols);
        self
    }

    /// What is demanded of whoever is called.
    #[must_use]
    pub const fn verifier(&self) -> &Arc<DidVerifier> {
        &self.verifier
    }

    /// This side of a new connection to a DID, for whoever moves its bytes. For a blocking
    /// stream there is [`connect`](super::connect).
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn connection(&self, did: &Did) -> Result<Connection, TlsError> {
        let config = Arc::new(self.config_for(did));
        let connection = ClientConnection::new(config, server_name())?;
        Ok(Connection::new(connection.into(), self.verifier.clone(), Some(did.clone())))
    }

    /// For one connection.
    fn config_for(&self, did: &Did) -> ClientConfig {
        let mut config = self.config.clone();
        let expecting = Expecting { verifier: self.verifier.clone(), did: did.clone() };
        config.dangerous().set_certificate_verifier(Arc::new(expecting));
        config
    }
}

fn collect<P: AsRef<[u8]>>(protocols: impl IntoIterator<Item = P>) -> Vec<Vec<u8>> {
    protocols.into_iter().map(|protocol| protocol.as_ref().to_vec()).collect()
}

impl<S: DidSigner> IdentityBundle<S> {
    /// A server for mutual TLS. It uses each renewal of this bundle from the next
    /// handshake on.
    ///
    /// # Errors
    ///
    /// As [`Server::new`].
    pub fn tls_server(&self, verifier: &Arc<DidVerifier>) -> Result<Server, TlsError> {
        Server::new(&self.tls_identity(), verifier)
    }

    /// A client for mutual TLS, as [`Self::tls_server`].
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub fn tls_client(&self, verifier: &Arc<DidVerifier>) -> Result<Client, TlsError> {
        Client::new(&self.tls_identity(), verifier)
    }
}

/// The verifier, of one DID.
#[derive(Debug)]
struct Expecting {
    verifier: Arc<DidVerifier>,
    did: Did,
}

impl ServerCertVerifier for Expecting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier.accept_server(end_entity, intermediates, Some(&self.did), now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(&*self.verifier, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(&*self.verifier, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(&*self.verifier)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
