//! The syntax of RFC 7512, section 2.3.

use std::fmt;

use super::error::InvalidPkcs11Uri;

/// Before or after the `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Query,
}

/// `name=value`, not yet decoded.
pub(super) struct Attribute<'a> {
    pub(super) part: Part,
    pub(super) name: &'a str,
    value: &'a str,
    /// Where it begins in the URI.
    pub(super) offset: usize,
}

/// The attributes of a URI, path and query.
pub(super) fn split(
    uri: &str,
) -> Result<impl Iterator<Item = Result<Attribute<'_>, InvalidPkcs11Uri>>, InvalidPkcs11Uri> {
    const SCHEME: &str = "pkcs11:";
    let scheme = uri.get(..SCHEME.len()).ok_or(InvalidPkcs11Uri::Scheme)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(InvalidPkcs11Uri::Scheme);
    }
    let rest = uri.get(SCHEME.len()..).unwrap_or_default();
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let query_offset = SCHEME.len() + path.len() + 1;
    // The path may be empty; a query that is there may not.
    let path = (!path.is_empty()).then(|| parts(Part::Path, path, ';', SCHEME.len()));
    let query = query.map(|query| parts(Part::Query, query, '&', query_offset));
    Ok(path.into_iter().flatten().chain(query.into_iter().flatten()))
}

fn parts(
    part: Part,
    text: &str,
    separator: char,
    start: usize,
) -> impl Iterator<Item = Result<Attribute<'_>, InvalidPkcs11Uri>> {
    let mut offset = start;
    text.split(separator).map(move |attribute| {
        let here = offset;
        offset += attribute.len() + separator.len_utf8();
        match attribute.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                // First: such a value has characters that can be in the other part only.
                check_place(part, name)?;
                check(part, value, here + name.len() + 1)?;
                Ok(Attribute { part, name, value, offset: here })
            }
            _ => Err(InvalidPkcs11Uri::NoAttribute { offset: here }),
        }
    })
}

/// Attributes that have their place before the `?`, and after it.
const OF_PATH: [&str; 7] = ["token", "serial", "manufacturer", "model", "object", "id", "type"];
const OF_QUERY: [&str; 3] = ["pin-source", "module-path", "module-name"];

fn check_place(part: Part, name: &str) -> Result<(), InvalidPkcs11Uri> {
    // Wherever it is.
    if name == "pin-value" {
        return Err(InvalidPkcs11Uri::PinValue);
    }
    let (others, place) = match part {
        Part::Path => (&OF_QUERY[..], "after"),
        Part::Query => (&OF_PATH[..], "before"),
    };
    match others.iter().find(|known| **known == name) {
        Some(name) => Err(InvalidPkcs11Uri::Misplaced { name, place }),
        None => Ok(()),
    }
}

/// `pk11-pchar` or `pk11-qchar`, and well-formed percent-encoding.
fn check(part: Part, value: &str, start: usize) -> Result<(), InvalidPkcs11Uri> {
    let mut bytes = value.bytes().zip(start..);
    while let Some((byte, offset)) = bytes.next() {
        let allowed = match byte {
            b'%' => {
                let digit =
                    |next: Option<(u8, usize)>| next.is_some_and(|n| n.0.is_ascii_hexdigit());
                if !(digit(bytes.next()) && digit(bytes.next())) {
                    return Err(InvalidPkcs11Uri::Percent { offset });
                }
                true
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => true,
            b'-' | b'.' | b'_' | b'~' => true,
            b':' | b'[' | b']' | b'@' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
            | b'=' => true,
            b'&' => part == Part::Path,
            b'/' | b'?' | b'|' => part == Part::Query,
            _ => false,
        };
        if !allowed {
            return Err(InvalidPkcs11Uri::Character { offset });
        }
    }
    Ok(())
}

/// The decoded bytes of a value that was checked.
pub(super) fn bytes(attribute: &Attribute<'_>) -> Result<Vec<u8>, InvalidPkcs11Uri> {
    let mut decoded = Vec::with_capacity(attribute.value.len());
    let mut rest = attribute.value;
    while let Some(byte) = rest.bytes().next() {
        let length = if byte == b'%' { 3 } else { 1 };
        let unit = rest.get(..length).unwrap_or_default();
        decoded.push(match unit.strip_prefix('%') {
            Some(digits) => u8::from_str_radix(digits, 16)
                .map_err(|_| InvalidPkcs11Uri::Percent { offset: attribute.offset })?,
            None => byte,
        });
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(decoded)
}

/// The decoded text of a value, of at most `limit` bytes.
pub(super) fn text(attribute: &Attribute<'_>, limit: usize) -> Result<String, InvalidPkcs11Uri> {
    ending(attribute, limit, &[])
}

/// As [`text`], of a field of fixed length: PKCS#11 pads it with blanks, some software
/// with NULs, and tools print what is there.
pub(super) fn padded(attribute: &Attribute<'_>, limit: usize) -> Result<String, InvalidPkcs11Uri> {
    ending(attribute, limit, &[' ', '\0'])
}

/// As [`text`], of a label that some software ends with NULs.
pub(super) fn ended(attribute: &Attribute<'_>, limit: usize) -> Result<String, InvalidPkcs11Uri> {
    ending(attribute, limit, &['\0'])
}

fn ending(
    attribute: &Attribute<'_>,
    limit: usize,
    padding: &[char],
) -> Result<String, InvalidPkcs11Uri> {
    let name = || attribute.name.to_owned();
    let text = String::from_utf8(bytes(attribute)?)
        .map_err(|_| InvalidPkcs11Uri::NotText { name: name() })?;
    let text = text.trim_end_matches(padding).to_owned();
    if text.contains('\0') {
        return Err(InvalidPkcs11Uri::NotText { name: name() });
    }
    if text.len() > limit {
        return Err(InvalidPkcs11Uri::TooLong { name: name(), limit });
    }
    Ok(text)
}

/// Everything but unreserved characters, or `all` of it.
pub(super) fn percent_encode(f: &mut fmt::Formatter<'_>, bytes: &[u8], all: bool) -> fmt::Result {
    bytes.iter().try_for_each(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' if !all => {
            write!(f, "{}", char::from(*byte))
        }
        byte => write!(f, "%{byte:02X}"),
    })
}

/// Attributes of RFC 7512, section 2.3, that are not taken.
const NOT_TAKEN: [&str; 7] = [
    "slot-id",
    "slot-description",
    "slot-manufacturer",
    "library-manufacturer",
    "library-description",
    "library-version",
    "module-name",
];

/// Why an attribute is not taken.
pub(super) fn not_taken(part: Part, name: &str, offset: usize) -> InvalidPkcs11Uri {
    let belongs = |known: &&str| (part == Part::Query) == (*known == "module-name");
    match NOT_TAKEN.into_iter().filter(belongs).find(|known| *known == name) {
        Some(name) => InvalidPkcs11Uri::NotTaken { name },
        None => InvalidPkcs11Uri::Unknown { offset },
    }
}
