use super::*;
use crate::locator::Pkcs11Locator;

fn parse(uri: &str) -> Result<Pkcs11Uri, InvalidPkcs11Uri> {
    uri.parse()
}

/// RFC 7512, section 3: those that name a token or a key pair.
#[test]
fn examples_of_the_rfc_are_read() {
    assert_eq!(parse("pkcs11:").unwrap(), Pkcs11Uri::default());
    let uri = parse("pkcs11:object=my-pubkey;type=public").unwrap();
    assert_eq!((uri.object(), uri.id()), (Some("my-pubkey"), None));
    let uri = parse("pkcs11:object=my-key;type=private?pin-source=file:/etc/token").unwrap();
    assert_eq!(uri.pin_source(), Some(Path::new("/etc/token")));
    let uri = parse(
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;\
         model=1.0;object=my-key;type=private;id=%69%95%3E%5C%F4%BD%EC%91;serial=?\
         pin-source=file:/etc/token_pin",
    )
    .unwrap();
    assert_eq!(uri.token(), Some("The Software PKCS#11 Softtoken"));
    assert_eq!(uri.manufacturer(), Some("Snake Oil, Inc."));
    assert_eq!(uri.serial(), Some(""));
    assert_eq!(uri.id(), Some(b"\x69\x95\x3e\x5c\xf4\xbd\xec\x91".as_slice()));
    let uri = parse("PKCS11:token=a:b[c]@!$'()*+,=&~").unwrap();
    assert_eq!(uri.token(), Some("a:b[c]@!$'()*+,=&~"));
    let uri = parse("pkcs11:?module-path=/usr/lib/softhsm/libsofthsm2.so").unwrap();
    assert_eq!(uri.module_path(), Some(Path::new("/usr/lib/softhsm/libsofthsm2.so")));
}

#[test]
fn each_mistake_is_told() {
    use InvalidPkcs11Uri as E;
    let twice = |name: &str| E::Twice { name: name.into() };
    let after = |name| E::Misplaced { name, place: "after" };
    for (uri, error) in [
        ("", E::Scheme),
        ("pkcs11", E::Scheme),
        ("http://token=a", E::Scheme),
        ("pkcs11:token=a;", E::NoAttribute { offset: 15 }),
        ("pkcs11:;token=a", E::NoAttribute { offset: 7 }),
        ("pkcs11:token", E::NoAttribute { offset: 7 }),
        ("pkcs11:=a", E::NoAttribute { offset: 7 }),
        ("pkcs11:token=a?", E::NoAttribute { offset: 15 }),
        ("pkcs11:token=a b", E::Character { offset: 14 }),
        ("pkcs11:token=a#b", E::Character { offset: 14 }),
        ("pkcs11:token=a/b", E::Character { offset: 14 }),
        ("pkcs11:token=\u{e4}", E::Character { offset: 13 }),
        ("pkcs11:token=a\n", E::Character { offset: 14 }),
        ("pkcs11:token=%ZZ", E::Percent { offset: 13 }),
        ("pkcs11:token=%4", E::Percent { offset: 13 }),
        ("pkcs11:token=%", E::Percent { offset: 13 }),
        ("pkcs11:token=%+1", E::Percent { offset: 13 }),
        ("pkcs11:token=%FF", E::NotText { name: "token".into() }),
        ("pkcs11:token=a%00b", E::NotText { name: "token".into() }),
        ("pkcs11:token=%00a", E::NotText { name: "token".into() }),
        ("pkcs11:object=%00a%00", E::NotText { name: "object".into() }),
        ("pkcs11:?pin-source=/a%00", E::NotText { name: "pin-source".into() }),
        ("pkcs11:?module-path=/a%00", E::NotText { name: "module-path".into() }),
        ("pkcs11:serial=12345678901234567", E::TooLong { name: "serial".into(), limit: 16 }),
        ("pkcs11:token=a;token=a", twice("token")),
        ("pkcs11:type=private;type=public", twice("type")),
        ("pkcs11:?pin-source=/a&pin-source=/a", twice("pin-source")),
        ("pkcs11:id=", E::EmptyId),
        ("pkcs11:type=cert", E::Type),
        ("pkcs11:type=secret-key", E::Type),
        ("pkcs11:Token=a", E::Unknown { offset: 7 }),
        ("pkcs11:x-vendor=a", E::Unknown { offset: 7 }),
        ("pkcs11:pin-source=/a", after("pin-source")),
        ("pkcs11:token=a;pin-source=file:/etc/pin", after("pin-source")),
        ("pkcs11:module-path=/a", after("module-path")),
        ("pkcs11:token=a;module-name=b", after("module-name")),
        ("pkcs11:pin-value=98765432", E::PinValue),
        ("pkcs11:token=a;pin-value=98765432?pin-source=/a", E::PinValue),
        ("pkcs11:?pin-value=98 765432", E::PinValue),
        ("pkcs11:?token=a", E::Misplaced { name: "token", place: "before" }),
        ("pkcs11:token=a?pin-source=/a&id=%01", E::Misplaced { name: "id", place: "before" }),
        ("pkcs11:?type=private", E::Misplaced { name: "type", place: "before" }),
        ("pkcs11:slot-id=1", E::NotTaken { name: "slot-id" }),
        ("pkcs11:library-version=3", E::NotTaken { name: "library-version" }),
        ("pkcs11:?module-name=softhsm2", E::NotTaken { name: "module-name" }),
        ("pkcs11:?module-path=libsofthsm2.so", E::ModulePath),
        ("pkcs11:?pin-source=|/bin/pin", E::PinSource),
        ("pkcs11:?pin-source=https://a/b", E::PinSource),
        ("pkcs11:?pin-value=98765432", E::PinValue),
    ] {
        assert_eq!(parse(uri).unwrap_err(), error, "{uri}");
        let shown = format!("{error} {error:?} {:?}", error.help());
        assert!(!shown.contains("98765432"), "{shown}");
    }
}

/// As `p11tool --list-tokens` and `pkcs11-tool -L` print what a token has.
#[test]
fn padding_of_a_field_is_no_part_of_it() {
    let field = |text: &str| parse(text).unwrap();
    let nuls = "%00".repeat(26);
    assert_eq!(field(&format!("pkcs11:token=node-1{nuls}")).token(), Some("node-1"));
    assert_eq!(field("pkcs11:serial=12%00%00").serial(), Some("12"));
    assert_eq!(field("pkcs11:serial=12%20%20%00").serial(), Some("12"));
    assert_eq!(field("pkcs11:manufacturer=Acme%20Inc%20%20").manufacturer(), Some("Acme Inc"));
    assert_eq!(field("pkcs11:model=One%00").model(), Some("One"));
    assert_eq!(field("pkcs11:object=key%00").object(), Some("key"));
    // A label of an object is as long as it is: blanks are part of it.
    assert_eq!(field("pkcs11:object=key%20").object(), Some("key "));
    assert_eq!(field("pkcs11:token=%00").token(), Some(""));
    // Bytes are bytes.
    assert_eq!(field("pkcs11:id=%01%00").id(), Some([1, 0].as_slice()));
    let mut locator = Pkcs11Locator::new("node-1", "12", vec![1]);
    locator.label = "key\0".into();
    assert!(field(&format!("pkcs11:token=node-1{nuls};object=key%00")).matches_locator(&locator));
    assert!(field(&locator.to_string()).matches_locator(&locator));
}

#[test]
fn what_is_printed_reads_back() {
    let mut locator = Pkcs11Locator::new("my token; 1", "ab12", vec![0x01, 0x61]);
    locator.label = "n\u{e4}me".into();
    let uri = Pkcs11Uri::from(&locator);
    assert_eq!(uri.to_string().parse::<Pkcs11Uri>().unwrap(), uri);
    assert!(uri.matches_locator(&locator));
    let other = Pkcs11Locator { id: vec![0x02], ..locator };
    assert!(!uri.matches_locator(&other));
    let paths = "pkcs11:token=a?pin-source=%2Fa%20b&module-path=%2Fc";
    assert_eq!(parse(paths).unwrap().to_string(), paths);
}
