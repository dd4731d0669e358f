//! Whom a relying party believes: the certificate authorities of makers.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::certificate::Certificate;
use super::evidence::ders;
use super::{AttestationError, AttestationRefusal, DeviceClass, RootCertificate};

#[cfg(feature = "keystore")]
mod load;

/// Yubico's published certificates, as they were published at
/// `https://developers.yubico.com/YubiHSM2/Concepts/` and `https://developers.yubico.com/PIV/`:
/// public certificates, no data of any device. Their SHA-256 is compared by a test.
const YUBICO: [(DeviceClass, Use, &[u8]); 3] = [
    // CN=Yubico YubiHSM Root CA
    (DeviceClass::YubiHsm, Use::Root, include_bytes!("roots/yubihsm-root.der")),
    // CN=Yubico YubiHSM 6742036 Sub-CA, published as E45DA5F361B091B30D8F2C6FA040DB6FEF57918E.pem
    (DeviceClass::YubiHsm, Use::Intermediate, include_bytes!("roots/yubihsm-e45da5f3.der")),
    // CN=Yubico PIV Root CA Serial 263751
    (DeviceClass::YubiKeyPiv, Use::Root, include_bytes!("roots/yubikey-piv-263751.der")),
];

/// What a certificate is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Believed.
    Root,
    /// Helps to find the way to a root, and is worth what a root says of it.
    Intermediate,
}

#[derive(Clone)]
struct Anchor {
    class: DeviceClass,
    purpose: Use,
    subject: Vec<u8>,
    der: Vec<u8>,
    is_built_in: bool,
}

/// The certificate authorities that a relying party believes, each for one class of devices.
///
/// An authority of one class vouches for nothing of another. A root is believed whatever it is
/// signed with; it has to be valid, and one of a certificate authority.
#[derive(Clone, Default)]
pub struct Anchors(Vec<Anchor>);

impl Anchors {
    /// None: nothing is believed until one is [added](Self::add).
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Yubico's, as far as they are known here: "Yubico YubiHSM Root CA" with the sub-CA
    /// `E45DA5F361B091B30D8F2C6FA040DB6FEF57918E`, and "Yubico PIV Root CA Serial 263751".
    ///
    /// **Not in it**: further sub-CAs of the YubiHSM, which Yubico publishes one by one under
    /// their key identifier at `https://developers.yubico.com/YubiHSM2/Concepts/`, and
    /// "Yubico Attestation Root 1" (`https://developers.yubico.com/PKI/yubico-ca-1.pem`, SHA-256
    /// `62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8` of its DER) with its
    /// intermediates (`https://developers.yubico.com/PKI/yubico-intermediate.pem`), under which are
    /// YubiKeys from firmware 5.7.4 on, and newer YubiHSMs. Add that root by [`Self::add`] and these by
    /// [`Self::add_intermediate`]; a refusal names the issuer that is missing. The file
    /// `yubico-ca-certs.txt` beside them is **not** for this: it has the roots of all of Yubico's
    /// products, and each would be believed.
    #[must_use]
    pub fn yubico() -> Self {
        let known = YUBICO.iter().filter_map(|(class, purpose, der)| {
            let read = Certificate::read(der, 0).ok()?;
            let (class, purpose, subject) = (*class, *purpose, read.subject().to_vec());
            Some(Anchor { class, purpose, subject, der: der.to_vec(), is_built_in: true })
        });
        Self(known.collect())
    }

    /// Believes the certificate authority of this certificate, or of each in a PEM file, for
    /// one class of devices.
    ///
    /// # Errors
    ///
    /// [`AttestationError::NoCertificate`] if there is none, [`AttestationError::Anchor`] if one
    /// cannot be read or is none of an authority. Then none is added.
    pub fn add(&mut self, class: DeviceClass, certificate: &[u8]) -> Result<(), AttestationError> {
        self.add_all(class, certificate, |_| Ok(Use::Root))
    }

    /// Knows certificates that lead to a root, for where the other side does not show them.
    /// Nothing is believed for it.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn add_intermediate(
        &mut self,
        class: DeviceClass,
        certificate: &[u8],
    ) -> Result<(), AttestationError> {
        self.add_all(class, certificate, |_| Ok(Use::Intermediate))
    }

    fn add_all(
        &mut self,
        class: DeviceClass,
        certificates: &[u8],
        purpose: impl Fn(&Certificate<'_>) -> Result<Use, AttestationRefusal>,
    ) -> Result<(), AttestationError> {
        let mut added = Vec::new();
        for (place, der) in ders(certificates)?.into_iter().enumerate() {
            let read = Certificate::read(&der, place).map_err(AttestationError::anchor)?;
            read.check_authority(0).map_err(AttestationError::anchor)?;
            let purpose = purpose(&read).map_err(AttestationError::anchor)?;
            let subject = read.subject().to_vec();
            added.push(Anchor { class, purpose, subject, der, is_built_in: false });
        }
        self.0.extend(added);
        Ok(())
    }

    /// The roots of a class that have this name, in DER.
    pub(super) fn roots<'a>(
        &'a self,
        class: DeviceClass,
        name: &[u8],
    ) -> impl Iterator<Item = &'a [u8]> {
        self.named(name)
            .filter(move |it| it.class == class && it.purpose == Use::Root)
            .map(Anchor::der)
    }

    /// Of the intermediates.
    pub(super) fn intermediates<'a>(
        &'a self,
        class: DeviceClass,
        name: &[u8],
    ) -> impl Iterator<Item = &'a [u8]> {
        self.named(name)
            .filter(move |it| it.class == class && it.purpose == Use::Intermediate)
            .map(Anchor::der)
    }

    /// What is told of a root of a class.
    pub(super) fn told_of(&self, class: DeviceClass, root: &Certificate<'_>) -> RootCertificate {
        let is_it = |anchor: &Anchor| {
            anchor.class == class && anchor.purpose == Use::Root && anchor.der == root.der()
        };
        RootCertificate {
            subject: root.subject_name(),
            sha256: Sha256::digest(root.der()).into(),
            is_built_in: self.named(root.subject()).any(|it| it.is_built_in && is_it(it)),
        }
    }

    fn named<'a>(&'a self, name: &[u8]) -> impl Iterator<Item = &'a Anchor> {
        self.0.iter().filter(move |anchor| anchor.subject == name)
    }

    /// The class of the root that signed a certificate, whichever that is.
    pub(super) fn class_of_root(&self, signed: &Certificate<'_>) -> Option<DeviceClass> {
        let by = |root: &&Anchor| {
            root.purpose == Use::Root
                && Certificate::read(&root.der, 0)
                    .is_ok_and(|root| signed.check_signed_by(&root).is_ok())
        };
        self.named(signed.issuer()).find(by).map(|root| root.class)
    }
}

impl Anchor {
    fn der(&self) -> &[u8] {
        &self.der
    }
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|anchor| (anchor.class, anchor.purpose));
        f.debug_list().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::hex;

    #[test]
    fn yubicos_certificates_are_those_that_it_published() {
        let found = YUBICO.map(|(_, _, der)| hex::encode(&Sha256::digest(der)));
        let published = [
            "094a3ac493c2bdcd65a54bdf40190f52bb03f7156397a3fc69d8aa9a392fb724",
            "d7c6d8f45208e2a53996fb5a8f4d631b33ebabb64956b37b2ac151fbdbaf4ae9",
            "63ece914e54dd87915f34033c85af4c0696ba1512f8add66ced738331207b546",
        ];
        assert_eq!(found, published);
        assert_eq!(Anchors::yubico().0.len(), 3, "each is read");
    }

    #[test]
    fn a_root_is_built_in_for_its_class_alone_and_where_nobody_has_added_it() {
        let known = Anchors::yubico();
        let [(class, _, der), ..] = YUBICO;
        let read = Certificate::read(der, 0).unwrap();
        let told = known.told_of(class, &read);
        assert_eq!((told.subject(), told.is_built_in()), ("CN=Yubico YubiHSM Root CA", true));
        assert_eq!(*told.sha256(), <[u8; 32]>::from(Sha256::digest(der)));
        assert!(!known.told_of(DeviceClass::YubiKeyPiv, &read).is_built_in());
        let mut own = Anchors::none();
        own.add(class, der).unwrap();
        assert!(!own.told_of(class, &read).is_built_in());
    }
}
