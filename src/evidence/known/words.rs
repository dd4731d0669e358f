//! Whose word the attributes of a token's keys are.
//!
//! Found by reading the sources of each library, named beside it. A library that is
//! not in the list gives its own word.

use super::super::DeviceIdentity;
use super::super::fact::Word::{self, Device, Module, Nobody};
use super::super::fact::Words;
use super::Strings;
use super::place::{PROXY, is_somewhere_else};

/// By what a library is recognised.
enum Sign {
    /// A name in its strings (`CK_INFO`).
    Library(&'static str),
    /// A name in its token's manufacturer or model, whatever is in front of it.
    Token(&'static str),
    /// What its token's model begins with, before a number.
    Numbered(&'static str),
    /// A part of the name of its file.
    File(&'static str),
    /// The whole model of its token, behind a library with this name in its strings.
    Behind(&'static str, &'static str),
}

/// Each of the five, in the order `CKA_LOCAL`, `CKA_SENSITIVE`, `CKA_ALWAYS_SENSITIVE`,
/// `CKA_EXTRACTABLE`, `CKA_NEVER_EXTRACTABLE`. A constant that is true of the whole family
/// of devices is the module's word; one that is given for any key is nobody's.
const KNOWN: [(Sign, [Word; 5]); 18] = [
    // Constants for the cards whose PKCS#15 structure it makes up, PIV and OpenPGP among
    // them (`src/libopensc/pkcs15-syn.c`), and for others what a host wrote to the card
    // (`src/libopensc/pkcs15-prkey.c`, `src/pkcs11/framework-pkcs15.c`).
    (Sign::Library("opensc"), MADE_UP),
    // The models that it gives its tokens, seen also through a proxy.
    (Sign::Token("pkcs15"), MADE_UP),
    // The same constants (`src/pkcs11/privatekeyobject.c`).
    (Sign::Library("cardcontact"), MADE_UP),
    (Sign::Token("cardcontact"), MADE_UP),
    // From its store, a file on the host, which repeats what is written there
    // (`src/lib/object.c`). Asked directly, a TPM says itself what its key is.
    (Sign::Library("tpm2"), MADE_UP),
    // Constants, of imported keys too (`pkcs11/src/backend/db/object.rs`).
    (Sign::Library("nitrokey"), MADE_UP),
    // `CKA_LOCAL` is what a host writes there, else false, also of a key that it has made
    // (`lib/softoken/pkcs11.c`, `sftk_handleKeyObject`); in the other two, what a host has
    // written in looks like what was made (run: 3.87.1, 3.125).
    (Sign::Token("mozilla"), MADE_UP),
    (Sign::Numbered("nss"), MADE_UP),
    (Sign::Library("mozilla"), MADE_UP),
    (Sign::File("softokn"), MADE_UP),
    // Kept by the host for every kind of token (`usr/lib/common/key_mgr.c`). Its soft
    // token is the host.
    (Sign::Behind("cca", "opencryptoki"), MADE_UP),
    (Sign::Behind("icsf", "opencryptoki"), MADE_UP),
    (Sign::Behind("ep11", "opencryptoki"), MADE_UP),
    // Origin and capabilities are the device's, and fixed when a key is made
    // (`pkcs11/util_pkcs11.c`). No key of one leaves it in the clear.
    (Sign::Token("yubihsm"), [Device, Module, Module, Device, Device]),
    // Whether a key was made in the card is asked of the card: by its attestation, else by
    // its metadata (`ykcs11/objects.c`). No card gives a key out.
    (Sign::Token("yubikeyyk"), [Device, Module, Module, Module, Module]),
    // The library is the token, with its keys.
    (Sign::Token("softhsm"), ITSELF),
    (Sign::Token("kryoptic"), ITSELF),
    (Sign::Token("wolfpkcs11"), ITSELF),
];

const MADE_UP: [Word; 5] = [Nobody, Module, Nobody, Module, Nobody];
const ITSELF: [Word; 5] = [Device; 5];

impl DeviceIdentity {
    /// Whether nobody's word is what this token's module says of the history of a key, whatever
    /// the operator believes.
    #[doc(hidden)]
    #[must_use]
    pub fn makes_up_history(&self) -> bool {
        words(self).local == Nobody
    }
}

pub(in super::super) fn words(device: &DeviceIdentity) -> Words {
    let Strings { manufacturer, model, library, module, .. } = Strings::of(device);
    let known = KNOWN.iter().find(|(sign, _)| match sign {
        Sign::Library(name) => library.names(name),
        Sign::Token(name) => manufacturer.names(name) || model.names(name),
        Sign::Numbered(name) => model.begins_with_number_of(name),
        Sign::File(part) => module.squeezed().contains(part),
        Sign::Behind(whole, name) => model.squeezed() == *whole && library.names(name),
    });
    // What makes up the answers may be behind it, unless the token is known.
    let hidden = library.names(PROXY);
    let words = match known {
        Some((_, words)) => *words,
        None if hidden => MADE_UP,
        None => [Module; 5],
    };
    // Whether it asks the device cannot be seen of what answers behind a forwarder.
    let passed_on = is_somewhere_else(device);
    let [local, sensitive, always_sensitive, extractable, never_extractable] =
        words.map(|word| if passed_on && word == Device { Module } else { word });
    Words { local, sensitive, always_sensitive, extractable, never_extractable }
}
