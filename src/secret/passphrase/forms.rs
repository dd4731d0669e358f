//! The texts that one passphrase may have been, when a file was encrypted with it.
//!
//! A letter with an accent has two forms in Unicode, and a keyboard decides which of
//! them is typed: new files are encrypted with the composed one (NFC), and both are
//! tried on old ones. So is a text as earlier versions took it. Each try costs scrypt;
//! of a passphrase in ASCII there is one form.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::SecretString;
use unicode_normalization::UnicodeNormalization as _;

use super::Passphrase;
use crate::secret::line::TextProblem;
use crate::secret::stack::leaving_no_trace;
use crate::secret::{LockedBytes, LockedText};

/// What is known of a passphrase beside its text. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Forms {
    /// What earlier versions took in the place of the text, if that was another one.
    earlier: Option<LockedText>,
    /// Which form has opened a file, counted from one.
    opened: Arc<AtomicUsize>,
}

impl Passphrase {
    /// The same, and what earlier versions read in its place.
    pub(crate) fn or_earlier(mut self, earlier: Option<LockedText>) -> Self {
        self.forms.earlier = earlier;
        self
    }

    /// What keeps people from typing it, if anything does.
    pub(crate) fn problem(&self) -> Option<TextProblem> {
        TextProblem::of(self.expose())
    }

    /// Opens something with the first of its forms that does it: the one that did it
    /// before comes first.
    pub(crate) fn open_with<T, E>(
        &self,
        open: impl Fn(SecretString) -> Result<T, E>,
        is_wrong: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let forms = self.all_forms();
        let known = self.forms.opened.load(Ordering::Relaxed);
        let mut order: Vec<usize> = (1..=forms.len()).collect();
        order.sort_by_key(|number| *number != known);
        let mut last = None;
        for number in order {
            let Some(form) = forms.get(number - 1) else { continue };
            match open(secret_string(form)) {
                Err(error) if is_wrong(&error) => last = Some(error),
                Ok(opened) => {
                    self.forms.opened.store(number, Ordering::Relaxed);
                    return Ok(opened);
                }
                failed => return failed,
            }
        }
        match last {
            Some(error) => Err(error),
            // There is one form at least.
            None => open(secret_string(&self.text)),
        }
    }

    /// A copy on the ordinary heap, wiped when dropped, for one new file: the form that
    /// has opened the old one, else the composed one.
    pub(crate) fn to_encrypt_with(&self) -> SecretString {
        let forms = self.all_forms();
        let known = self.forms.opened.load(Ordering::Relaxed);
        let form = known.checked_sub(1).and_then(|index| forms.get(index)).or(forms.first());
        secret_string(form.unwrap_or(&self.text))
    }

    /// Each once, the likeliest first.
    fn all_forms(&self) -> Vec<LockedText> {
        let mut forms: Vec<LockedText> = Vec::new();
        for text in std::iter::once(&self.text).chain(&self.forms.earlier) {
            for form in [composed(text), text.clone(), decomposed(text)] {
                if !forms.iter().any(|known| known.ct_eq(&form)) {
                    forms.push(form);
                }
            }
        }
        forms
    }
}

fn secret_string(text: &LockedText) -> SecretString {
    SecretString::from(text.expose_secret())
}

/// In Unicode's normalization form C.
fn composed(text: &LockedText) -> LockedText {
    normalized(text, |text, put| text.nfc().all(put))
}

/// In form D.
fn decomposed(text: &LockedText) -> LockedText {
    normalized(text, |text, put| text.nfd().all(put))
}

fn normalized(
    text: &LockedText,
    normalize: impl Fn(&str, &mut dyn FnMut(char) -> bool) -> bool,
) -> LockedText {
    let given = text.expose_secret();
    if given.is_ascii() {
        return text.clone();
    }
    // UTF-8 becomes three times as long at most (Unicode's FAQ on normalization).
    let capacity = given.len().saturating_mul(3).saturating_add(4);
    let bytes = leaving_no_trace(|| {
        LockedBytes::try_new(capacity, |bytes| {
            let mut length = 0;
            let whole = normalize(given, &mut |character| {
                let place = bytes.get_mut(length..).filter(|rest| rest.len() >= 4);
                length += place.map_or(0, |place| character.encode_utf8(place).len());
                length < capacity
            });
            if whole { Ok(length) } else { Err(()) }
        })
    });
    bytes.ok().and_then(LockedText::from_utf8).unwrap_or_else(|| text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(passphrase: &Passphrase) -> Vec<String> {
        passphrase.all_forms().iter().map(|form| form.expose_secret().to_owned()).collect()
    }

    #[test]
    fn only_what_has_several_forms_is_tried_in_several() {
        assert_eq!(forms(&Passphrase::new("plain")), ["plain"]);
        assert_eq!(forms(&Passphrase::new("\u{1f511}")), ["\u{1f511}"]);
        let both = ["caf\u{e9}", "cafe\u{301}"];
        assert_eq!(forms(&Passphrase::new("caf\u{e9}")), both);
        assert_eq!(forms(&Passphrase::new("cafe\u{301}")), both);
        let mixed = "\u{e9}e\u{301}";
        assert_eq!(forms(&Passphrase::new(mixed)), ["\u{e9}\u{e9}", mixed, "e\u{301}e\u{301}"],);
        let with_end = Passphrase::new("x").or_earlier(Some("x\n".into()));
        assert_eq!(forms(&with_end), ["x", "x\n"]);
        let (hangul, jamo) = ("\u{d55c}".repeat(4000), "\u{1112}\u{1161}\u{11ab}".repeat(4000));
        assert_eq!(forms(&Passphrase::new(hangul.as_str())), [hangul.clone(), jamo]);
    }

    /// Whoever has opened a file with one form writes it again with that one.
    #[test]
    fn the_form_that_opened_is_the_one_that_is_used_again() {
        use secrecy::ExposeSecret as _;
        let passphrase = Passphrase::new("caf\u{e9}");
        let new = passphrase.to_encrypt_with();
        assert_eq!(new.expose_secret(), "caf\u{e9}");
        let tried = std::cell::RefCell::new(Vec::new());
        let open = |form: SecretString| {
            tried.borrow_mut().push(form.expose_secret().to_owned());
            if form.expose_secret() == "cafe\u{301}" { Ok(()) } else { Err("wrong") }
        };
        passphrase.open_with(open, |error| *error == "wrong").unwrap();
        passphrase.clone().open_with(open, |error| *error == "wrong").unwrap();
        assert_eq!(*tried.borrow(), ["caf\u{e9}", "cafe\u{301}", "cafe\u{301}"]);
        assert_eq!(passphrase.clone().to_encrypt_with().expose_secret(), "cafe\u{301}");
        // What is wrong otherwise ends it.
        let (other, calls) = (Passphrase::new("caf\u{e9}"), std::cell::Cell::new(0));
        let failing = |_: SecretString| {
            calls.set(calls.get() + 1);
            Err::<(), _>("damaged")
        };
        assert_eq!(other.open_with(failing, |error| *error == "wrong"), Err("damaged"));
        assert_eq!(calls.get(), 1);
    }
}
