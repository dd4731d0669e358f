//! Texts of devices, as lists of names are compared with them.

/// Words of letters and digits, in lower case: fields are padded with blanks or NUL, and
/// each maker has its own signs between words.
pub(super) struct Text {
    words: Vec<String>,
}

impl Text {
    pub(super) fn of(text: &str) -> Self {
        let words = text.split(|letter: char| !letter.is_alphanumeric());
        let words = words.filter(|word| !word.is_empty()).map(str::to_lowercase);
        Self { words: words.collect() }
    }

    /// All of it, without what is between words.
    pub(super) fn squeezed(&self) -> String {
        self.words.concat()
    }

    /// Whether a name is in it: as a word, or as words that follow each other; a number or
    /// a version may be at its end (`SoftHSM v2`, `softhsm2`, `SoftHSMv2`). Parts of words
    /// name nothing: the end of "Siemens" and the start of "SICRYPT" are not NSS.
    pub(super) fn names(&self, name: &str) -> bool {
        (0..self.words.len()).any(|first| {
            let mut text = String::new();
            self.words.iter().skip(first).any(|word| {
                text.push_str(word);
                is_named(&text, name)
            })
        })
    }

    /// Whether it is a name and nothing else, but for a number or a version.
    pub(super) fn is(&self, name: &str) -> bool {
        is_named(&self.squeezed(), name)
    }

    /// Whether one of its words ends so.
    pub(super) fn has_word_ending(&self, end: &str) -> bool {
        self.words.iter().any(|word| word.ends_with(end))
    }

    /// Whether it begins with a word and a number: `NSS 3`, `NSS3`.
    pub(super) fn begins_with_number_of(&self, name: &str) -> bool {
        let is_number = |text: &str| text.starts_with(|digit: char| digit.is_ascii_digit());
        let rest = self.words.first().and_then(|word| word.strip_prefix(name));
        match rest {
            Some("") => self.words.get(1).is_some_and(|word| is_number(word)),
            Some(rest) => is_number(rest),
            None => false,
        }
    }
}

fn is_named(text: &str, name: &str) -> bool {
    let Some(version) = text.strip_prefix(name) else { return false };
    let number = version.strip_prefix('v').filter(|number| !number.is_empty()).unwrap_or(version);
    let number = before_release(number);
    let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
    // Digits after digits are another number.
    is_number && (number.len() < version.len() || number.is_empty() || !ends_in_digit(name))
}

/// Without what is put behind a number before it is released: `2rc1`, `2beta`.
fn before_release(version: &str) -> &str {
    let rest = version.trim_end_matches(|digit: char| digit.is_ascii_digit());
    ["rc", "alpha", "beta", "pre", "dev"]
        .iter()
        .find_map(|mark| rest.strip_suffix(mark))
        .filter(|number| number.ends_with(|digit: char| digit.is_ascii_digit()))
        .unwrap_or(version)
}

fn ends_in_digit(name: &str) -> bool {
    name.ends_with(|last: char| last.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_words_whatever_is_between_and_with_any_version() {
        for text in [
            "SoftHSM",
            "SoftHSM v2",
            "softhsm2",
            "SOFTHSMv2",
            "SoftHSM2-v3",
            "Soft HSM",
            "the soft_hsm!",
            "SoftHSM2rc1",
            "SoftHSM2beta",
            "SoftHSM slot ID 0x1c9b5a32",
            "SoftHSM project",
            "So\0ft\0HSM\0\0",
        ] {
            assert!(Text::of(text).names("softhsm"), "{text:?}");
        }
        for text in ["", "Soft", "HSM", "SoftHSMs", "MicroSoft HSM", "SoftHSMx2", "Soft X HSM"] {
            assert!(!Text::of(text).names("softhsm"), "{text:?}");
        }
        assert!(Text::of("SW   TPM").names("swtpm") && Text::of("SW_TPM 2.0").names("swtpm"));
        assert!(Text::of("PKCS#15 emulated").names("pkcs15"));
        assert!(!Text::of("PKCS#115").names("pkcs11"), "another number");
        assert!(Text::of("PKCS#11 v2").names("pkcs11") && Text::of("pkcs11v2").names("pkcs11"));
    }

    #[test]
    fn a_number_follows_the_name() {
        for (text, expected) in [
            ("NSS 3", true),
            ("NSS 3.101", true),
            ("nss3", true),
            ("NSS", false),
            ("NSS Mobile", false),
            ("NSSX 3", false),
            ("The NSS 3", false),
        ] {
            assert_eq!(Text::of(text).begins_with_number_of("nss"), expected, "{text}");
        }
    }
}
