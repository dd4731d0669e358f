//! Finding forks in statements, wherever they come from.

use super::{Branch, Fork, RotationStatement};

/// By number and hash, each once: what a fork is looked for in.
pub(super) fn sorted<'a>(
    statements: impl IntoIterator<Item = &'a RotationStatement>,
) -> Vec<&'a RotationStatement> {
    let mut all: Vec<_> = statements.into_iter().collect();
    // Stable: of two signings of the same words the first is kept.
    all.sort_by(|a, b| (a.sequence(), a.sha256()).cmp(&(b.sequence(), b.sha256())));
    all.dedup_by(|a, b| a.sha256() == b.sha256());
    all
}

impl Fork {
    /// The earliest in statements that are sorted by their numbers, each there
    /// once.
    pub(super) fn find(sorted: &[&RotationStatement]) -> Option<Self> {
        sorted.iter().find_map(|first| {
            let key = first.old().did().verifying_key();
            let of_key = |other: &&&RotationStatement| other.old().did().verifying_key() == key;
            let branches: Vec<_> = sorted
                .iter()
                .filter(of_key)
                .map(|statement| Branch::of(statement, sorted))
                .collect();
            (branches.len() > 1).then(|| Self { old: first.old().did().clone(), branches })
        })
    }
}

impl Branch {
    fn of(statement: &RotationStatement, all: &[&RotationStatement]) -> Self {
        let new = statement.new_key().did();
        let before = statement.previous_sha256();
        let before = all.iter().find(|other| Some(other.sha256()) == before);
        let commitment = before.and_then(|before| before.next_key());
        Self {
            new: new.clone(),
            sequence: statement.sequence(),
            time: statement.time(),
            reason: statement.reason(),
            sha256: *statement.sha256(),
            honours_commitment: commitment.map(|key| key.is_to(new.verifying_key())),
        }
    }
}
