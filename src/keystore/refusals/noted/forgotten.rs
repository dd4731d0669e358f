//! What is forgotten of what was noted, once the device has taken a PIN.

use std::collections::BTreeMap;

use super::super::notes::Refusal;
use super::super::{group, one};
use super::{Noted, report};

impl Noted {
    /// In each file. Of what was noted in another file, too, it says so: whoever finds it
    /// there shares one with us. What may be of another device is forgotten by this home alone.
    pub(super) fn forget(&self, which: impl Fn(&Refusal) -> bool) {
        self.pass_over(&which);
        let which = |known: &Refusal| which(known) && self.is_of_this(known);
        let all = || self.notes.iter().chain(&self.parts);
        let kept: Vec<_> = all().filter_map(|notes| notes.read().ok()).collect();
        // How many copies of each there are, and how many are gone now or were before.
        let mut copies = BTreeMap::new();
        for noted in kept.iter().flat_map(|kept| &kept.refused).filter(|noted| which(noted)) {
            copies.entry(noted.id.clone()).or_insert((noted.copies.unwrap_or(1), 0)).1 += 1;
        }
        for id in kept.iter().flat_map(|kept| &kept.forgotten) {
            copies.entry(id.clone()).and_modify(|(_, gone)| *gone += 1);
        }
        let is_left =
            |id: &String| copies.get(id).is_some_and(|(all, gone)| gone < all) && !id.is_empty();
        for notes in all() {
            // Whoever had a PIN tried in spite of it has done so.
            if self.insisted.is_some() {
                report(notes.remove_if_unreadable());
            }
            report(notes.change(|kept| {
                let (forgotten, left) = kept.refused.drain(..).partition(|known| which(known));
                kept.refused = left;
                kept.forgotten.retain(|id| !copies.contains_key(id) || is_left(id));
                let ids = Vec::<Refusal>::into_iter(forgotten).map(|known| known.id);
                kept.forgotten.extend(ids.filter(&is_left));
            }));
        }
        one::forget(&self.noted_at, |known| which(known) || copies.contains_key(&known.id));
    }

    /// Whether it is of this try or this device, for certain.
    fn is_of_this(&self, known: &Refusal) -> bool {
        let is_own = self.source.as_ref().is_some_and(|source| known.is(&source.id));
        is_own || known.is_by(&self.device)
    }

    /// A device that does not count anew would count each of them again: they stay, and
    /// others are noted beside them.
    pub(super) fn outlive(&self) {
        for notes in &self.notes {
            report(notes.change(|kept| {
                for known in kept.refused.iter_mut().filter(|known| known.is_by(&self.device)) {
                    known.outlived = true;
                }
            }));
        }
    }

    /// What another device may have refused, and this one has taken, is in the way of this
    /// home no more. Others know of it as before.
    fn pass_over(&self, which: impl Fn(&Refusal) -> bool) {
        let which = |known: &Refusal| which(known) && !self.is_of_this(known);
        let Some((home, shared)) = self.notes.split_last() else { return };
        let shared = shared.iter().filter_map(|notes| notes.read().ok());
        let elsewhere = shared.flat_map(|kept| kept.refused).filter(which);
        let elsewhere: Vec<_> = elsewhere.map(|known| known.id).collect();
        report(home.change(|kept| {
            let (passed, left) = kept.refused.drain(..).partition(|known| which(known));
            kept.refused = left;
            let copied = Vec::<Refusal>::into_iter(passed).filter(|known| known.copies.is_some());
            for id in copied.map(|known| known.id).chain(elsewhere.iter().cloned()) {
                if !id.is_empty() && !kept.forgotten.contains(&id) {
                    kept.forgotten.push(id);
                }
            }
        }));
        one::forget(
            self.noted_at.split_last().map_or(&[], |(home, _)| std::slice::from_ref(home)),
            which,
        );
    }

    /// What is known of this PIN, wherever it came from; and nothing of another one.
    pub(super) fn forget_this_one(&self) {
        if self.source.is_none() && self.insisted.is_none() {
            return;
        }
        let before = self.before();
        self.forget(|known| {
            let is_of_source = self.source.as_ref().is_some_and(|source| {
                let is_doubt = known.is_doubt_of(&source.mark, Some(group::of(&source.pin)));
                known.is(&source.id) || (is_doubt && known.may_be_by(&self.device))
            });
            is_of_source || before.contains(known)
        });
    }
}
