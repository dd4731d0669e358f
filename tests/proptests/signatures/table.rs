//! Who signed, in which form, and who verified it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) accepted: usize,
    pub(super) refused: usize,
}

#[derive(Default)]
pub(super) struct Table(BTreeMap<(String, &'static str), BTreeMap<&'static str, Count>>);

impl Table {
    pub(super) fn count(
        &mut self,
        signer: &str,
        form: &'static str,
        route: &'static str,
    ) -> &mut Count {
        self.0.entry((signer.to_owned(), form)).or_default().entry(route).or_default()
    }

    pub(super) fn signers(&self) -> usize {
        self.0.keys().map(|(signer, _)| signer).collect::<BTreeSet<_>>().len()
    }

    /// Of a signer in a form and a verifier: each has taken what was signed, and refused what
    /// was not.
    pub(super) fn pairs(&self) -> usize {
        let both = |count: &&Count| count.accepted > 0 && count.refused > 0;
        self.0.values().flat_map(BTreeMap::values).filter(both).count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((signer, form), routes) in &self.0 {
            let all = |of: fn(&Count) -> usize| routes.values().map(of).sum::<usize>();
            let (accepted, refused) = (all(|count| count.accepted), all(|count| count.refused));
            writeln!(
                f,
                "| {signer} | {form} | {} verifiers | {accepted} | {refused} |",
                routes.len()
            )?;
        }
        write!(f, "| {} signers | | {} pairs | | |", self.signers(), self.pairs())
    }
}
