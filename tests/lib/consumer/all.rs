//! Everything: tokens, TPMs, TLS, async.
#![deny(warnings)]

use std::num::NonZeroUsize;
use std::path::Path;

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::tpm::TpmBackend;
use icn_identity::backend::{Backend, PcrValues};
use icn_identity::home::{CredentialSource, HomeOptions};
use icn_identity::nonblocking::{AsyncHome, AsyncSigner};
use icn_identity::signer::AsSigner;
use icn_identity::tls::rustls::{ClientConfig, ServerConfig};
use icn_identity::tls::{DidVerifier, TlsError};
use icn_identity::{
    DidKey, DidSigner, DidSignerExt, Error, Hardware, IdentityBundle, Key, P256, Unlocked,
};

pub type TpmKey = Key<Hardware, Unlocked, P256>;

pub fn backends(token: &Pkcs11Backend, tpm: &TpmBackend) -> usize {
    let both: [&dyn Backend; 2] = [token, tpm];
    both.len()
}

pub fn pcrs(text: &str) -> Result<PcrValues, Error> {
    Ok(text.parse::<PcrValues>()?)
}

pub fn adapt<S: DidSigner>(signer: &S) -> AsSigner<'_, S> {
    signer.as_signer()
}

pub fn configurations(
    bundle: &IdentityBundle<DidKey>,
    verifier: &std::sync::Arc<DidVerifier>,
) -> Result<(ServerConfig, ClientConfig), TlsError> {
    Ok((bundle.tls_server_config(verifier)?, bundle.tls_client_config(verifier)?))
}

pub async fn serve(directory: &Path) -> Result<AsyncSigner<IdentityBundle<DidKey>>, Error> {
    let home = AsyncHome::open(directory, HomeOptions::new()).await?;
    let opened = home.unlock(CredentialSource::systemd("pin")).await?;
    Ok(AsyncSigner::new(opened.bundle, NonZeroUsize::MIN).expect("a thread"))
}

pub fn is_send<T: Send>(_: T) {}

pub fn futures(home: &'static AsyncHome, signer: &'static AsyncSigner<dyn DidSigner>) {
    is_send(home.unlock(CredentialSource::nothing()));
    is_send(signer.sign_for("greetings@coop.example", "hello"));
}
