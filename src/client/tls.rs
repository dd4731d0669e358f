//! TLS under the DID of a daemon, by a key of this process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use zeroize::Zeroizing;

use super::answers::Certified;
use super::{ClientError, RemoteIdentity};
use crate::binding::{Binding, Instance, TlsPart, TlsSlot};
use crate::did::Did;
use crate::encoding::base64;
use crate::peer::{Certificate, SIGNATURE_PREFIX, SPKI_PREFIX};
use crate::secret::{SigningSeed, pkcs8};

/// A TLS key of this process, and the certificate by which it speaks for the DID of a
/// daemon ([`RemoteIdentity::tls`]).
///
/// The key was made here and never leaves this process; the key of the DID stays with the
/// daemon. It is replaced by each renewal, before the certificate ends: call
/// [`Self::renew_if_due`] from time to time, as each minute. Whoever steals it poses as the
/// DID until then, or until all instances are renewed.
pub struct RemoteTls {
    identity: RemoteIdentity,
    instance: Instance,
    slot: Arc<TlsSlot>,
    /// Renewals take turns.
    turn: Mutex<()>,
}

impl RemoteIdentity {
    /// **Blocks** on the daemon. Makes a TLS key, and has the daemon bind it to the DID, as
    /// another [`Instance`] than any there is. A client needs the permission `tls`.
    ///
    /// With the feature `tls` it serves and connects by rustls, as a bundle does:
    ///
    /// ```no_run
    /// # #[cfg(feature = "tls")] {
    /// use std::net::TcpStream;
    /// use std::sync::Arc;
    /// use std::time::SystemTime;
    ///
    /// use icn_identity::client::RemoteIdentity;
    /// use icn_identity::tls::{self, DidVerifier};
    /// use icn_identity::Did;
    ///
    /// let did = Did::parse("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")?;
    /// let peer = Did::parse("did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp")?;
    /// let own = RemoteIdentity::connect("/run/icnd/icnd.sock", did)?.tls()?;
    ///
    /// let client = own.tls_client(&Arc::new(DidVerifier::named()))?;
    /// let stream = tls::connect(TcpStream::connect("10.0.0.1:7443")?, &client, &peer)?;
    ///
    /// // Each minute; `client` uses the new certificate from its next connection on.
    /// own.renew_if_due(SystemTime::now())?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`ClientError::Certificate`] if peers would refuse what the daemon
    /// gives.
    pub fn tls(&self) -> Result<RemoteTls, ClientError> {
        self.tls_as(Instance::fresh()?)
    }

    /// **Blocks** on the daemon. As [`Self::tls`], as an instance that the program has kept: what it
    /// had before is refused by peers that have seen the new one. For programs that start
    /// often: a client has so many instances at a time, 4 as a rule
    /// ([`ProblemCode::TooManyInstances`](crate::daemon::ProblemCode::TooManyInstances)). It must be
    /// no other program's.
    ///
    /// # Errors
    ///
    /// As [`Self::tls`]; [`ProblemCode::InstanceInUse`](crate::daemon::ProblemCode::InstanceInUse)
    /// in it if it is the daemon's or another client's.
    pub fn tls_as(&self, instance: Instance) -> Result<RemoteTls, ClientError> {
        let slot = TlsSlot::new(Arc::new(certified(self, instance)?));
        Ok(RemoteTls { identity: self.clone(), instance, slot, turn: Mutex::default() })
    }
}

impl RemoteTls {
    /// The DID that it speaks for.
    #[must_use]
    pub fn did(&self) -> &Did {
        self.identity.did()
    }

    /// Which holder of the DID it is: the same for each of its keys.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The binding in use now.
    #[must_use]
    pub fn binding(&self) -> Binding {
        self.slot.current().binding.clone()
    }

    /// The certificate in use now: X.509 v3, DER.
    #[must_use]
    pub fn certificate_der(&self) -> Vec<u8> {
        self.slot.current().certificate.clone()
    }

    /// Certificate and private key (PKCS#8 v1, DER) in use now, which belong together, for
    /// another TLS library than rustls. What is made of them does not follow renewals.
    #[must_use]
    pub fn certificate_and_key_der(&self) -> (Vec<u8>, Zeroizing<Vec<u8>>) {
        let part = self.slot.current();
        (part.certificate.clone(), pkcs8::der(part.key.as_bytes()))
    }

    /// When the next renewal is due: two thirds of the validity.
    #[must_use]
    pub fn renewal_due_at(&self) -> SystemTime {
        self.slot.current().binding.renewal_due_at()
    }

    /// **Blocks** on the daemon. Makes another TLS key and has it bound, in place: whatever was
    /// made of this for TLS uses the new one from the next handshake on. One signature of the
    /// daemon.
    ///
    /// # Errors
    ///
    /// As [`RemoteIdentity::tls`]. The one in use stays then.
    pub fn renew(&self) -> Result<(), ClientError> {
        let turn = self.turn();
        self.replace(&turn)
    }

    /// **Blocks** on the daemon. Renews if that is due, or if the daemon says that a later epoch has
    /// begun, which has ended this certificate. Whether it has renewed.
    ///
    /// Made to be called often, as each minute: as long as nothing is due, it asks for the
    /// daemon's status, and no more.
    ///
    /// # Errors
    ///
    /// As [`Self::renew`].
    pub fn renew_if_due(&self, now: SystemTime) -> Result<bool, ClientError> {
        let turn = self.turn();
        let binding = self.binding();
        let is_due = binding.wants_renewal(now)
            || self.identity.status()?.epoch.is_some_and(|epoch| epoch > binding.epoch());
        if is_due {
            self.replace(&turn)?;
        }
        Ok(is_due)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, _: &MutexGuard<'_, ()>) -> Result<(), ClientError> {
        let part = certified(&self.identity, self.instance)?;
        self.slot.put(Arc::new(part));
        Ok(())
    }

    #[cfg(feature = "tls")]
    pub(crate) fn slot(&self) -> Arc<TlsSlot> {
        Arc::clone(&self.slot)
    }
}

impl fmt::Debug for RemoteTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTls").field("binding", &self.binding()).finish_non_exhaustive()
    }
}

/// A new key, and its certificate.
fn certified(identity: &RemoteIdentity, instance: Instance) -> Result<TlsPart, ClientError> {
    #[derive(Serialize)]
    struct Request {
        spki: String,
        instance: Instance,
    }
    let key = SigningSeed::generate()?;
    let public = key.verifying_key();
    let spki = [&SPKI_PREFIX[..], public.as_bytes()].concat();
    let request = Request { spki: base64::encode(&spki), instance };
    let told: Certified = identity.post("/v1/tls", &request)?.read()?;
    identity.is_of_did(&told.did)?;
    let start = told.certificate_start.as_slice();
    let malformed = ClientError::Malformed { expected: "`certificate_start`: a certificate" };
    let signature = key.sign(&public, to_be_signed(start).ok_or(malformed)?);
    let certificate = [start, &signature].concat();
    let proven = Certificate::read(&certificate).and_then(Certificate::prove);
    let binding = proven.map_err(ClientError::Certificate)?.into_binding();
    identity.is_of_did(binding.did().as_str())?;
    if binding.tls_spki() != spki || binding.instance() != Some(&instance) {
        let expected = "a certificate of the key and the instance of this process";
        return Err(ClientError::Malformed { expected });
    }
    Ok(TlsPart { key: Arc::new(key), public, certificate, binding })
}

/// The part of a certificate that is signed: behind tag and length (two bytes of it), and
/// before the algorithm. Nothing else is signed by the key.
fn to_be_signed(start: &[u8]) -> Option<&[u8]> {
    let signed = start.strip_suffix(&SIGNATURE_PREFIX)?.strip_prefix(&[0x30, 0x82])?.get(2..)?;
    signed.starts_with(&[0x30, 0x82]).then_some(signed)
}
