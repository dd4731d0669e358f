//! Ed25519 pairs, generated in the token.

use cryptoki::error::Error;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};

use super::object::Objects;
use super::template;
use crate::error::DeviceError;

/// What a token needs for keys of ours.
pub(super) const NEEDED: [MechanismType; 2] =
    [MechanismType::EDDSA, MechanismType::ECC_EDWARDS_KEY_PAIR_GEN];

/// What a token needs for keys that are there.
pub(super) const NEEDED_TO_SIGN: [MechanismType; 1] = [MechanismType::EDDSA];

/// Names of the curve for `CKA_EC_PARAMS`, in the order in which they are
/// tried. Modules take one or another.
const CURVES: [(&str, &[u8]); 3] = [
    ("OID 1.3.101.112 (RFC 8410)", &[0x06, 0x03, 0x2b, 0x65, 0x70]),
    // PKCS#11 v3.0. YubiHSM 2 takes no other.
    ("PrintableString \"edwards25519\"", b"\x13\x0cedwards25519"),
    // Luna.
    (
        "OID 1.3.6.1.4.1.11591.15.1",
        &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01],
    ),
];

/// Names of the templates, in the order in which they are tried.
const TEMPLATES: [&str; 3] = ["all attributes", "without MODIFIABLE and COPYABLE", "plain"];

/// A pair that was generated, and how the token wanted to be asked for it.
pub(super) struct Generated {
    pub(super) public: ObjectHandle,
    pub(super) private: ObjectHandle,
    pub(super) curve: &'static str,
    pub(super) template: &'static str,
}

/// How long a pair is to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Until it is destroyed.
    Token,
    /// As long as the session that made it.
    Session,
}

impl Objects<'_> {
    /// # Errors
    ///
    /// [`DeviceError::LabelTaken`] if any key that this session sees has it.
    pub(super) fn label_is_free(self, label: &str) -> Result<(), DeviceError> {
        for class in [ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY] {
            let named = [Attribute::Class(class), Attribute::Label(label.into())];
            if !self.find(&named)?.is_empty() {
                let (token, label) = (self.token.name(), label.to_owned());
                return Err(DeviceError::LabelTaken { token, label });
            }
        }
        Ok(())
    }

    /// Generates a pair with this id and label; leaves nothing if it fails.
    pub(super) fn generate(self, id: &[u8], label: &str) -> Result<(), DeviceError> {
        self.generate_pair(id, label, Lifetime::Token).map(drop)
    }

    /// The same, for a pair that may be gone with its session.
    pub(super) fn generate_pair(
        self,
        id: &[u8],
        label: &str,
        lifetime: Lifetime,
    ) -> Result<Generated, DeviceError> {
        let token = Attribute::Token(lifetime == Lifetime::Token);
        let mut needed = template::confined(id, label);
        needed.extend([token.clone(), Attribute::Sign(true)]);
        let usages_off = [
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
            Attribute::SignRecover(false),
        ];
        let shown = [
            token,
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::Id(id.to_owned()),
            Attribute::Label(label.into()),
        ];
        let shown_usages_off =
            [Attribute::Encrypt(false), Attribute::Wrap(false), Attribute::VerifyRecover(false)];
        let publics = template::from_strict_to_plain(&shown, &shown_usages_off);
        let privates = template::from_strict_to_plain(&needed, &usages_off);
        let mut first_error = None;
        for ((public, private), template) in publics.into_iter().zip(privates).zip(TEMPLATES) {
            for (curve, params) in CURVES {
                let mut public = public.clone();
                public.push(Attribute::EcParams(params.to_vec()));
                let mechanism = Mechanism::EccEdwardsKeyPairGen;
                match self.session.generate_key_pair(&mechanism, &public, &private) {
                    Ok((public, private)) => {
                        return Ok(Generated { public, private, curve, template });
                    }
                    Err(error) => {
                        // Some modules leave half a pair behind.
                        self.remove(id)?;
                        if !template::is_about_the_template(&error) {
                            return Err(self.token.failed("C_GenerateKeyPair")(error));
                        }
                        first_error.get_or_insert(error);
                    }
                }
            }
        }
        match first_error {
            Some(error) => Err(self.token.failed("C_GenerateKeyPair")(error)),
            None => Err(self.token.failed("C_GenerateKeyPair")(Error::NotSupported)),
        }
    }

    /// Destroys every object with this id. The session must be a writing one.
    pub(super) fn remove(self, id: &[u8]) -> Result<(), DeviceError> {
        // An empty id is that of every object which was given none.
        if id.is_empty() {
            return Ok(());
        }
        let objects = self.find(&[Attribute::Id(id.to_owned())])?;
        let mut result = Ok(());
        for object in objects {
            let removed = self.session.destroy_object(object);
            result = result.and(removed.map_err(self.token.failed("C_DestroyObject")));
        }
        result
    }

    /// The same in a session of its own: this one may have an operation
    /// pending, beside which a token does nothing else.
    pub(super) fn remove_afresh(self, id: &[u8]) -> Result<(), DeviceError> {
        let session = self.token.writing_session()?;
        Objects { token: self.token, session: &session }.remove(id)
    }
}
