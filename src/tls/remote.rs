//! TLS by a key whose certificate a daemon has made.

use std::sync::Arc;

use super::{Client, DidVerifier, Server, TlsError, TlsIdentity};
use crate::client::RemoteTls;

impl RemoteTls {
    /// TLS key and certificate as a handle, which follows the renewals of this one: with it
    /// configurations of rustls are made ([`TlsIdentity::server_config`]).
    #[must_use]
    pub fn tls_identity(&self) -> TlsIdentity {
        TlsIdentity::following(self.did(), self.slot())
    }

    /// A server for mutual TLS. It uses each renewal from the next handshake on.
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
