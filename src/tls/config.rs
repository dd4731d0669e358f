//! Configurations of rustls for mutual TLS between DIDs.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use super::{DidVerifier, TlsIdentity};
use crate::bundle::IdentityBundle;
use crate::signer::DidSigner;

/// Ours alone: a default of the process is neither used nor set.
pub(super) fn ring() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl TlsIdentity {
    /// For a framework that wants a configuration of rustls; [`Server`](super::Server) is for all others.
    /// It demands a certificate of its clients, with *ring* as the cryptography.
    ///
    /// The verifier refuses whom it does not accept. **It does not tell who they are**: of a
    /// connection that somebody else has made it cannot be known whether the peer was
    /// verified, so a [`VerifiedDid`](crate::peer::VerifiedDid) is had from a [`Server`](super::Server) only.
    ///
    /// ALPN and limits are the caller's to set. **Do not** turn on sessions or
    /// early data: a resumed session passes the verifier by.
    ///
    /// # Errors
    ///
    /// None that is known: rustls checks that the provider has TLS 1.3.
    pub fn server_config(
        &self,
        verifier: &Arc<DidVerifier>,
    ) -> Result<ServerConfig, rustls::Error> {
        self.server_config_by(ring(), verifier)
    }

    /// As [`Self::server_config`], with other cryptography. Signatures are made
    /// and verified by this crate in any case.
    ///
    /// # Errors
    ///
    /// If the provider has nothing for TLS 1.3.
    pub fn server_config_by(
        &self,
        provider: Arc<CryptoProvider>,
        verifier: &Arc<DidVerifier>,
    ) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier.clone())
            .with_cert_resolver(Arc::new(self.clone()));
        // Said here, whatever rustls' defaults come to be.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }

    /// For a framework, as [`Self::server_config`]; [`Client`](super::Client) is for all others. For the
    /// server's name give [`super::server_name`]. **Any** DID that the verifier accepts may
    /// answer: pin the one that is meant.
    ///
    /// ALPN and limits are the caller's to set. **Do not** turn on resumption
    /// or early data: a resumed session passes the verifier by.
    ///
    /// # Errors
    ///
    /// As [`Self::server_config`].
    pub fn client_config(
        &self,
        verifier: &Arc<DidVerifier>,
    ) -> Result<ClientConfig, rustls::Error> {
        self.client_config_by(ring(), verifier)
    }

    /// As [`Self::client_config`], with other cryptography.
    ///
    /// # Errors
    ///
    /// As [`Self::server_config_by`].
    pub fn client_config_by(
        &self,
        provider: Arc<CryptoProvider>,
        verifier: &Arc<DidVerifier>,
    ) -> Result<ClientConfig, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(Arc::new(self.clone()));
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        // The name is not the server's, and nobody's business.
        config.enable_sni = false;
        Ok(config)
    }
}

impl<S: DidSigner> IdentityBundle<S> {
    /// TLS key and certificate as a handle, which follows the renewals of this bundle.
    #[must_use]
    pub fn tls_identity(&self) -> TlsIdentity {
        TlsIdentity::new(self)
    }

    /// A configuration of rustls, as [`TlsIdentity::server_config`].
    ///
    /// # Errors
    ///
    /// As [`TlsIdentity::server_config`].
    pub fn tls_server_config(
        &self,
        verifier: &Arc<DidVerifier>,
    ) -> Result<ServerConfig, rustls::Error> {
        self.tls_identity().server_config(verifier)
    }

    /// A configuration of rustls, as [`TlsIdentity::client_config`].
    ///
    /// # Errors
    ///
    /// As [`TlsIdentity::client_config`].
    pub fn tls_client_config(
        &self,
        verifier: &Arc<DidVerifier>,
    ) -> Result<ClientConfig, rustls::Error> {
        self.tls_identity().client_config(verifier)
    }
}
