//! Values of Yubico's extensions, each in its one DER encoding.

/// The content of one short value with this tag, and nothing after it.
fn content(tag: u8, der: &[u8]) -> Option<&[u8]> {
    match der {
        [found, length, content @ ..]
            if *found == tag && *length < 0x80 && usize::from(*length) == content.len() =>
        {
            Some(content)
        }
        _ => None,
    }
}

/// An OCTET STRING of this length.
pub(super) fn octets<const N: usize>(der: &[u8]) -> Option<[u8; N]> {
    content(0x04, der)?.try_into().ok()
}

/// A BIT STRING of whole bytes, of this length.
pub(super) fn bits<const N: usize>(der: &[u8]) -> Option<[u8; N]> {
    content(0x03, der)?.strip_prefix(&[0])?.try_into().ok()
}

/// An INTEGER that is not negative and fits, in as few bytes as can be.
pub(super) fn number(der: &[u8]) -> Option<u32> {
    let bytes = match content(0x02, der)? {
        [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => rest,
        [0] => &[0],
        bytes @ [1..0x80, ..] => bytes,
        _ => return None,
    };
    if bytes.len() > 4 {
        return None;
    }
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// A UTF8String of at most this many bytes.
pub(super) fn text(der: &[u8], limit: usize) -> Option<&str> {
    let bytes = content(0x0c, der).filter(|bytes| bytes.len() <= limit)?;
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_encoding() {
        assert_eq!(number(&[2, 4, 1, 0xe2, 0xf2, 0x79]), Some(31_650_425));
        assert_eq!(number(&[2, 4, 0, 0xf0, 0x0f, 0x14]), Some(15_732_500));
        assert_eq!(number(&[2, 1, 0]), Some(0));
        assert_eq!(number(&[2, 5, 0, 0xff, 0xff, 0xff, 0xff]), Some(u32::MAX));
        let others: [&[u8]; 9] = [
            &[2, 0],
            &[2, 2, 0, 1],
            &[2, 1, 0x80],
            &[2, 5, 1, 0, 0, 0, 0],
            &[2, 1, 1, 0],
            &[2, 2, 1],
            &[2, 0x81, 1, 1],
            &[4, 1, 1],
            // As a mock of Yubico's writes it.
            &[0x30, 3, 2, 1, 1],
        ];
        assert_eq!(others.map(number), [None; 9]);
        assert_eq!(octets(&[4, 3, 2, 4, 0]), Some([2, 4, 0]));
        assert_eq!(octets::<3>(&[4, 2, 2, 4]), None);
        assert_eq!(bits(&[3, 2, 0, 1]), Some([1]));
        assert_eq!(bits::<1>(&[3, 2, 1, 2]), None, "unused bits");
        assert_eq!(text(b"\x0c\x02ab", 2), Some("ab"));
        assert_eq!((text(b"\x0c\x02ab", 1), text(b"\x0c\x01\xff", 9)), (None, None));
    }
}
