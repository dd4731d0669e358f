//! `pkcs11:` URIs, by properties.

use icn_identity::backend::Pkcs11Locator;
use icn_identity::backend::uri::{InvalidPkcs11Uri, Pkcs11Uri};
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_printed_reads_back(
        token in "\\PC{0,8}",
        serial in "[ -~]{0,16}",
        label in "\\PC{0,60}",
        id in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        prop_assume!(token.len() <= 32 && label.len() <= 255);
        let mut locator = Pkcs11Locator::new(token, serial, id);
        locator.label = label;
        let uri: Pkcs11Uri = locator.to_string().parse().unwrap();
        prop_assert!(uri.matches_locator(&locator));
        prop_assert_eq!(uri.id(), Some(locator.id.as_slice()));
        prop_assert_eq!(uri.to_string(), locator.to_string());
    }

    #[test]
    fn parsing_a_uri_never_panics(text in "(pkcs11:)?[a-z=;?&%0-9/|.-]{0,60}|\\PC{0,60}") {
        if let Ok(uri) = text.parse::<Pkcs11Uri>() {
            prop_assert_eq!(uri.to_string().parse::<Pkcs11Uri>().unwrap(), uri);
        }
    }

    #[test]
    fn a_pin_is_never_repeated(pin in "[0-9]{6,12}", before in "(token=a)?", after in "(&pin-source=/a)?") {
        let uri = format!("pkcs11:{before}?pin-value={pin}{after}");
        let error = uri.parse::<Pkcs11Uri>().unwrap_err();
        prop_assert_eq!(&error, &InvalidPkcs11Uri::PinValue);
        let shown = format!("{error} {error:?} {:?}", error.help());
        prop_assert!(!shown.contains(&pin));
    }
}
