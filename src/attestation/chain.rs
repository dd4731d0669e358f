//! The way from a key's certificate to a maker's root.
//!
//! Our own: rustls-webpki refuses critical certificate policies, which makers' real chains
//! have. Issuer and subject are compared byte by byte, no network is used, and each step is
//! verified before the next is looked for.

use super::certificate::Certificate;
use super::{Anchors, AttestationRefusal as Refusal, DeviceClass, MAX_CERTIFICATES};

/// A way that was verified: the key's certificate, its issuers, and the root.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    certificates: Vec<Certificate<'a>>,
    leaf_has_expired: bool,
}

impl<'a> Chain<'a> {
    /// Builds and verifies the way from the first certificate of `shown` to an anchor of this
    /// class. The others of `shown` have to be its issuers, in order; where they end, the
    /// intermediates among the anchors are tried.
    pub(super) fn build(
        shown: &'a [Vec<u8>],
        anchors: &'a Anchors,
        class: DeviceClass,
        at: i64,
        forgives_expired_leaf: bool,
    ) -> Result<Self, Refusal> {
        if shown.len() > MAX_CERTIFICATES {
            return Err(Refusal::TooManyCertificates { limit: MAX_CERTIFICATES });
        }
        let mut read = shown.iter().enumerate().map(|(place, der)| Certificate::read(der, place));
        let leaf = read.next().unwrap_or(Err(Refusal::Malformed { place: 0 }))?;
        let mut rest = read.collect::<Result<Vec<_>, _>>()?.into_iter().peekable();
        // Said first, whatever else is wrong with it.
        leaf.check_not_sha1()?;
        if leaf.is_authority() {
            return Err(Refusal::Authority);
        }
        let leaf_has_expired = match leaf.check_validity(at) {
            Err(Refusal::Expired { .. }) if forgives_expired_leaf => true,
            checked => {
                checked?;
                false
            }
        };
        match class {
            // Its use is looked at later on.
            DeviceClass::Tpm | DeviceClass::TpmAk => leaf.check_critical_but_use()?,
            DeviceClass::YubiHsm | DeviceClass::YubiKeyPiv => leaf.check_critical()?,
        }
        let mut certificates = vec![leaf];
        loop {
            let Some(last) = certificates.last() else {
                return Err(Refusal::Malformed { place: 0 });
            };
            let place = certificates.len();
            let root = issuer_among(last, anchors.roots(class, last.issuer()), at);
            let (issuer, is_root) = match root {
                Ok(Some(root)) => (root, true),
                Ok(None) => (next(last, &mut rest, anchors, class, at)?, false),
                // A root of that name has another key, or may not be used: it may be another one
                // that is meant.
                Err(why) => (next(last, &mut rest, anchors, class, at).map_err(|_| why)?, false),
            };
            if place >= MAX_CERTIFICATES {
                return Err(Refusal::TooManyCertificates { limit: MAX_CERTIFICATES });
            }
            certificates.push(issuer);
            if is_root {
                break;
            }
        }
        // The root may be shown along with the others, and nothing else.
        let root = certificates.last().map(Certificate::der);
        match rest.find(|left| Some(left.der()) != root) {
            Some(left) => Err(Refusal::NotUsed { place: left.place() }),
            None => Ok(Self { certificates, leaf_has_expired }),
        }
    }

    /// The certificate of the attested key.
    pub(super) fn leaf(&self) -> Option<&Certificate<'a>> {
        self.certificates.first()
    }

    /// The one that issued it: the device's.
    pub(super) fn device(&self) -> Option<&Certificate<'a>> {
        self.certificates.get(1)
    }

    /// The last: an anchor.
    pub(super) fn root(&self) -> Option<&Certificate<'a>> {
        self.certificates.last()
    }

    pub(super) const fn leaf_has_expired(&self) -> bool {
        self.leaf_has_expired
    }
}

/// The next of those that were shown, or an intermediate that the relying party knows.
fn next<'a>(
    last: &Certificate<'_>,
    rest: &mut std::iter::Peekable<impl Iterator<Item = Certificate<'a>>>,
    anchors: &'a Anchors,
    class: DeviceClass,
    at: i64,
) -> Result<Certificate<'a>, Refusal> {
    if let Some(shown) = rest.next_if(|shown| shown.subject() == last.issuer()) {
        let shown = shown.at_place(last.place() + 1);
        last.check_signed_by(&shown)?;
        // Not passed over for one that is known: what is shown is on the way, or refused.
        return check_issuer(&shown, at).map(|()| shown);
    }
    let known = anchors.intermediates(class, last.issuer());
    if let Some(known) = issuer_among(last, known, at)? {
        return Ok(known);
    }
    // Said by name: which file is missing, or that it leads to another sort of device.
    let issuer = last.issuer_name();
    match anchors.class_of_root(last) {
        Some(found) => Err(Refusal::OtherClass { expected: class, found, issuer }),
        None => Err(Refusal::NoIssuer { class, place: last.place(), issuer }),
    }
}

/// That a certificate may issue the one below it, now.
fn check_issuer(issuer: &Certificate<'_>, at: i64) -> Result<(), Refusal> {
    issuer.check_authority(issuer.place().saturating_sub(1))?;
    issuer.check_validity(at)?;
    issuer.check_critical()
}

/// Of several with one name, the one whose key signed it and that may issue now, whatever their
/// order is: an authority that was renewed has two certificates for one key. If there is none,
/// why not: what is wrong with the one that signed it, else that none did.
fn issuer_among<'a>(
    last: &Certificate<'_>,
    candidates: impl Iterator<Item = &'a [u8]>,
    at: i64,
) -> Result<Option<Certificate<'a>>, Refusal> {
    let (mut unusable, mut not_signed) = (None, None);
    for der in candidates {
        let candidate = Certificate::read(der, last.place() + 1)?;
        if let Err(why) = last.check_signed_by(&candidate) {
            not_signed = Some(why);
            continue;
        }
        match check_issuer(&candidate, at) {
            Ok(()) => return Ok(Some(candidate)),
            Err(why) => unusable = Some(why),
        }
    }
    unusable.or(not_signed).map_or(Ok(None), Err)
}
