//! What a certificate is for, and whom it names beside its subject.

use x509_parser::extensions::{GeneralName, KeyUsage, ParsedExtension};
use x509_parser::oid_registry::Oid;

use super::Certificate;

/// The longest value of a name that is read.
const MAX_VALUE: usize = 128;

impl Certificate<'_> {
    /// Whether its extended key usage names a purpose that has no name of its own.
    pub(in crate::attestation) fn has_purpose(&self, purpose: &Oid<'_>) -> bool {
        let named = self.parsed(|extension| match extension {
            ParsedExtension::ExtendedKeyUsage(usage) => Some(usage.other.contains(purpose)),
            _ => None,
        });
        named.unwrap_or(false)
    }

    /// What its key may be used for, if it says so.
    pub(in crate::attestation) fn key_usage(&self) -> Option<KeyUsage> {
        self.parsed(|extension| match extension {
            ParsedExtension::KeyUsage(usage) => Some(*usage),
            _ => None,
        })
    }

    /// The one value of an attribute in the directory names among its alternative names: alone in
    /// its set, or with others. `None` if there is none, there are two, or it is no text.
    pub(in crate::attestation) fn alternative(&self, attribute: &Oid<'_>) -> Option<String> {
        self.parsed(|extension| match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                let directories = names.general_names.iter().filter_map(|name| match name {
                    GeneralName::DirectoryName(name) => Some(name),
                    _ => None,
                });
                let mut values = directories
                    .flat_map(|name| name.iter_attributes())
                    .filter(|found| found.attr_type() == attribute);
                let (one, None) = (values.next()?, values.next()) else { return None };
                let text = one.as_str().ok()?;
                (text.len() <= MAX_VALUE && !text.chars().any(char::is_control))
                    .then(|| text.to_owned())
            }
            _ => None,
        })
    }
}
