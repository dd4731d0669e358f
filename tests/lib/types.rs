//! What each key type is and is not, checked when this file is compiled; and
//! what `Debug` shows.

use icn_identity::backend::{BackendConfig, Credentials};
use icn_identity::key::{Observed, SigningObserver};
use icn_identity::keystore::age::WorkFactor;
use icn_identity::{
    AtRest, Confined, DeviceHeld, DidKey, DidSigner, Ed25519, Evidence, ExposeSecret, External,
    Hardware, HardwareBacked, HardwareKey, Holds, IdentityBundle, Key, KeyPair, Locked,
    NeverExposed, P256, Passphrase, Pin, Provenance, Refused, Sealed, SealedKey, Software,
    TpmSealed, Unlocked,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};

/// Every key that exists.
macro_rules! every_key {
    ($($key:ty),+ $(,)?) => {$(
        assert_impl_all!($key: Send, Sync, std::fmt::Debug, Unpin);
        assert_not_impl_any!(
            $key: Clone, Copy, Default, Serialize, DeserializeOwned, PartialEq, PartialOrd,
            std::ops::Deref, std::ops::DerefMut, std::fmt::Display, AsRef<[u8]>, AsRef<[u8; 32]>,
            std::borrow::Borrow<[u8]>, std::hash::Hash
        );
        // Errors that give keys back stay small.
        const_assert!(size_of::<$key>() <= 2 * size_of::<usize>());
    )+};
}

every_key!(
    Key<Software, Locked>,
    Key<Software, Unlocked>,
    Key<TpmSealed, Sealed>,
    Key<TpmSealed, Unlocked>,
    Key<DeviceHeld, Sealed>,
    Key<DeviceHeld, Unlocked>,
    Key<DeviceHeld, Sealed, P256>,
    Key<DeviceHeld, Unlocked, P256>,
    Key<Hardware, Sealed>,
    Key<Hardware, Unlocked>,
    Key<Hardware, Sealed, P256>,
    Key<Hardware, Unlocked, P256>,
    Key<External, Unlocked>,
    Key<External, Unlocked, P256>,
);

// And no other: those that do not exist cannot be named to say so.
assert_impl_all!(Software: Holds<Locked>, Holds<Unlocked>, Provenance);
assert_not_impl_any!(Software: Holds<Sealed>, Provenance<P256>);
assert_not_impl_any!(Software: Holds<Locked, P256>, Holds<Sealed, P256>, Holds<Unlocked, P256>);
assert_impl_all!(TpmSealed: Holds<Sealed>, Holds<Unlocked>, Provenance);
assert_not_impl_any!(TpmSealed: Holds<Locked>, Provenance<P256>);
assert_not_impl_any!(TpmSealed: Holds<Locked, P256>, Holds<Sealed, P256>, Holds<Unlocked, P256>);
assert_impl_all!(DeviceHeld: Provenance, Provenance<P256>, Holds<Sealed>, Holds<Sealed, P256>);
assert_not_impl_any!(DeviceHeld: Holds<Locked>, Holds<Locked, P256>);
assert_impl_all!(Hardware: Provenance, Provenance<P256>, Holds<Sealed>, Holds<Sealed, P256>);
assert_not_impl_any!(Hardware: Holds<Locked>, Holds<Locked, P256>);
assert_impl_all!(External: Provenance, Provenance<P256>);
assert_not_impl_any!(External: Holds<Locked>, Holds<Sealed>);
assert_not_impl_any!(External: Holds<Locked, P256>, Holds<Sealed, P256>);

// The table of `icn_identity::key`, row by row.
assert_not_impl_any!(Key<Software, Locked>: ExposeSecret, Confined, NeverExposed, DidSigner);
assert_impl_all!(Key<Software, Unlocked>: ExposeSecret, DidSigner);
assert_not_impl_any!(Key<Software, Unlocked>: Confined, NeverExposed);
assert_not_impl_any!(Key<TpmSealed, Sealed>: ExposeSecret, Confined, NeverExposed, DidSigner);
assert_impl_all!(Key<TpmSealed, Unlocked>: DidSigner);
assert_not_impl_any!(Key<TpmSealed, Unlocked>: ExposeSecret, Confined, NeverExposed);
assert_not_impl_any!(Key<DeviceHeld, Sealed>: ExposeSecret, Confined, NeverExposed, DidSigner);
assert_impl_all!(Key<DeviceHeld, Unlocked>: Confined, DidSigner);
assert_not_impl_any!(Key<DeviceHeld, Unlocked>: ExposeSecret, NeverExposed);
assert_not_impl_any!(Key<Hardware, Sealed>: ExposeSecret, Confined, NeverExposed, DidSigner);
assert_impl_all!(Key<Hardware, Unlocked>: Confined, NeverExposed, DidSigner);
assert_not_impl_any!(Key<Hardware, Unlocked>: ExposeSecret);
assert_impl_all!(Key<External, Unlocked>: DidSigner);
assert_not_impl_any!(Key<External, Unlocked>: ExposeSecret, Confined, NeverExposed);
// The last three again, for P-256.
assert_not_impl_any!(
    Key<DeviceHeld, Sealed, P256>: ExposeSecret, Confined, NeverExposed, DidSigner
);
assert_impl_all!(Key<DeviceHeld, Unlocked, P256>: Confined, DidSigner);
assert_not_impl_any!(Key<DeviceHeld, Unlocked, P256>: ExposeSecret, NeverExposed);
assert_not_impl_any!(Key<Hardware, Sealed, P256>: ExposeSecret, Confined, NeverExposed, DidSigner);
assert_impl_all!(Key<Hardware, Unlocked, P256>: Confined, NeverExposed, DidSigner);
assert_not_impl_any!(Key<Hardware, Unlocked, P256>: ExposeSecret);
assert_impl_all!(Key<External, Unlocked, P256>: DidSigner);
assert_not_impl_any!(Key<External, Unlocked, P256>: ExposeSecret, Confined, NeverExposed);
assert_impl_all!(DidKey: DidSigner, Send, Sync);
assert_not_impl_any!(DidKey: ExposeSecret, Confined, NeverExposed, Clone, Serialize);
assert_not_impl_any!(SealedKey: ExposeSecret, Confined, NeverExposed, Clone, DidSigner);
assert_not_impl_any!(Box<dyn DidSigner>: ExposeSecret, Confined, NeverExposed);

assert_impl_all!(HardwareKey: Confined, NeverExposed, DidSigner, TryFrom<DidKey>);
assert_not_impl_any!(HardwareKey: ExposeSecret, Clone, Serialize, From<DidKey>);
assert_impl_all!(DidKey: From<HardwareKey>);
// A wrapper promises what its key promises, and a bundle too.
macro_rules! promises_what_its_key_does {
    ($($wrapper:ident),+) => {$(
        assert_impl_all!($wrapper<HardwareKey>: Confined, NeverExposed, DidSigner);
        assert_impl_all!($wrapper<Key<DeviceHeld, Unlocked>>: Confined, DidSigner);
        assert_not_impl_any!($wrapper<Key<DeviceHeld, Unlocked>>: NeverExposed, ExposeSecret);
        assert_not_impl_any!($wrapper<Key<Software, Unlocked>>: Confined, ExposeSecret);
        assert_not_impl_any!($wrapper<Key<TpmSealed, Unlocked>>: Confined, NeverExposed);
        assert_not_impl_any!($wrapper<DidKey>: Confined, NeverExposed, Clone);
        assert_not_impl_any!($wrapper<Box<dyn DidSigner>>: Confined, NeverExposed);
    )+};
}
struct Nobody;
impl SigningObserver for Nobody {}
type Watched<K> = Observed<K, Nobody>;
promises_what_its_key_does!(HardwareBacked, IdentityBundle, Watched);

/// What is unlocked goes into a `DidKey` freely, and back by a check only.
macro_rules! erased_and_back {
    ($($provenance:ident<$algorithm:ident>),+ $(,)?) => {$(
        assert_impl_all!(DidKey: From<Key<$provenance, Unlocked, $algorithm>>);
        assert_impl_all!(Key<$provenance, Unlocked, $algorithm>: TryFrom<DidKey>);
        assert_not_impl_any!(
            Key<$provenance, Unlocked, $algorithm>: From<DidKey>, From<SealedKey>,
            TryFrom<SealedKey>
        );
    )+};
}

erased_and_back!(
    Software<Ed25519>,
    TpmSealed<Ed25519>,
    DeviceHeld<Ed25519>,
    DeviceHeld<P256>,
    Hardware<Ed25519>,
    Hardware<P256>,
    External<Ed25519>,
    External<P256>,
);

/// What is sealed comes from a `SealedKey` by a check, or a refusal that gives
/// it back, and opens to the same key.
macro_rules! demanded {
    ($($provenance:ident<$algorithm:ident>),+ $(,)?) => {$(
        assert_impl_all!(
            SealedKey: TryInto<Key<$provenance, Sealed, $algorithm>, Error = Refused<SealedKey>>
        );
        assert_impl_all!(
            Key<$provenance, Sealed, $algorithm>:
            AtRest<Credential = Pin, Opened = Key<$provenance, Unlocked, $algorithm>>
        );
        assert_not_impl_any!(SealedKey: Into<Key<$provenance, Sealed, $algorithm>>);
        assert_not_impl_any!(
            DidKey: From<Key<$provenance, Sealed, $algorithm>>,
            TryInto<Key<$provenance, Sealed, $algorithm>>
        );
    )+};
}

demanded!(
    TpmSealed<Ed25519>,
    DeviceHeld<Ed25519>,
    DeviceHeld<P256>,
    Hardware<Ed25519>,
    Hardware<P256>,
);
assert_not_impl_any!(SealedKey: TryInto<Key<Software, Locked>>);

// One thing converts into a pair.
assert_impl_all!(KeyPair: From<Key<Software, Unlocked>>, ExposeSecret);
assert_not_impl_any!(
    KeyPair: From<Key<TpmSealed, Unlocked>>, From<Key<DeviceHeld, Unlocked>>,
    From<Key<Hardware, Unlocked>>, From<Key<External, Unlocked>>, From<DidKey>,
    From<Key<DeviceHeld, Unlocked, P256>>, From<Key<Hardware, Unlocked, P256>>,
    From<Key<External, Unlocked, P256>>, From<Key<Software, Locked>>, From<Key<TpmSealed, Sealed>>,
    From<Key<DeviceHeld, Sealed>>, From<Key<DeviceHeld, Sealed, P256>>, From<Key<Hardware, Sealed>>,
    From<Key<Hardware, Sealed, P256>>, From<SealedKey>, Clone, Default, Serialize, DeserializeOwned
);
assert_not_impl_any!(Evidence: Default, DeserializeOwned, From<()>);
assert_not_impl_any!(Pin: std::fmt::Display, Serialize, DeserializeOwned, PartialEq, AsRef<str>);
assert_not_impl_any!(
    Passphrase: std::fmt::Display, Serialize, DeserializeOwned, PartialEq, AsRef<str>
);
assert_not_impl_any!(IdentityBundle<Key<Software, Unlocked>>: Clone, Default, Serialize);
const _: fn(&dyn DidSigner) = |_| {};

/// The forms in which 32 bytes of 0x5a show up.
const SHOWN: [&str; 5] = ["5a5a5a", "5A5A5A", "90, 90", "WlpaWlpa", "ZZZZZZ"];

fn assert_quiet(shown: &str) {
    for form in SHOWN.iter().chain(&["secret words", "86420"]) {
        assert!(!shown.contains(form), "{form} in {shown}");
    }
}

#[test]
fn debug_shows_who_and_not_what() {
    let key = || Key::<Software, Unlocked>::from_seed(&[0x5a; 32]);
    let (passphrase, pin) = (Passphrase::new("secret words"), Pin::new("86420"));
    let did = key().did().to_string();
    let unlocked = format!("{:?} {:#?}", key(), key());
    assert!(unlocked.contains(&did) && unlocked.contains("\"Software\""), "{unlocked}");
    assert_quiet(&unlocked);
    assert_quiet(&format!("{:?}", KeyPair::from(key())));
    assert_quiet(&format!("{:?}", DidKey::from(key())));
    assert_quiet(&format!("{:?}", IdentityBundle::issue(key()).unwrap()));
    assert_quiet(&format!("{:?}", Credentials::passphrase(passphrase.clone())));
    assert_quiet(&format!("{:?}", Credentials::pin(pin.clone())));
    let both = Credentials::pin(pin.clone()).and_passphrase(passphrase.clone());
    assert_quiet(&format!("{both:?} {pin:?}"));
    let fast = WorkFactor::new(10).unwrap();
    let locked = key().lock_with(&passphrase, fast).unwrap();
    assert_quiet(&format!("{locked:?}"));
    let refused = locked.unlock(&Passphrase::new("secret words, but others")).unwrap_err();
    assert_quiet(&format!("{refused:?} {refused} {}", refused.reason()));
    let home = std::path::Path::new("/");
    let config = icn_identity::config::Config::default().backend(home).unwrap();
    assert!(matches!(config, BackendConfig::Age { .. }));
    assert_quiet(&format!("{config:?}"));
}

#[test]
fn the_key_of_rfc_8032_signs_as_told_there() {
    // Section 7.1, TEST 2.
    let seed = [
        0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e,
        0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8,
        0xa6, 0xfb,
    ];
    let key = Key::<Software, Unlocked>::from_seed(&seed);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(
        hex(key.verifying_key().as_bytes()),
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    );
    assert_eq!(
        hex(key.sign(&[0x72]).unwrap().as_bytes()),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
    assert_eq!(*key.expose_secret(), seed);
}
