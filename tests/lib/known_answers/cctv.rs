//! The edge cases of Ed25519 verification, of C2SP's CCTV: what strict means here, clause by
//! clause (docs/signing.md, "What verifies").

use icn_identity::AlgorithmId;
use icn_identity::algorithm::InvalidVerifyingKey;

use super::{bytes, ed25519, verifies};

struct Vector {
    key: String,
    signature: String,
    message: String,
    flags: String,
}

impl Vector {
    fn has_any(&self, flags: &str) -> bool {
        self.flags.chars().any(|flag| flags.contains(flag))
    }

    fn verifies(&self) -> bool {
        let (key, signature) = (bytes(&self.key), bytes(&self.signature));
        verifies(AlgorithmId::Ed25519, &key, self.message.as_bytes(), &signature)
    }
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../fixtures/cctv/ed25519.txt");
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).peekable();
    let mut table = |title: &str| -> Vec<&str> {
        assert_eq!(lines.next(), Some(title));
        let mut rows = Vec::new();
        while let Some(row) = lines.next_if(|line| !["R", "S", "vectors"].contains(line)) {
            rows.push(row);
        }
        rows
    };
    let (keys, points, scalars) = (table("A"), table("R"), table("S"));
    let rows = table("vectors");
    let vector = |row: &str| {
        let [key, r, s, message, flags] = row.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let number = |text: &str| text.parse::<usize>().unwrap();
        let message = match message {
            "-" => "ed25519vectors".to_owned(),
            number => format!("ed25519vectors {number}"),
        };
        Vector {
            key: keys[number(key)].to_owned(),
            signature: format!("{}{}", points[number(r)], scalars[number(s)]),
            message,
            flags: flags.trim_matches('-').to_owned(),
        }
    };
    rows.into_iter().map(vector).collect()
}

/// `A` or `R` of small order, another encoding of either, a residue of small order, a `k` of
/// a re-encoded key: refused. All others verify.
#[test]
fn of_the_914_vectors_of_cctv_the_43_verify_that_should() {
    let vectors = vectors();
    let mut verified = 0;
    for (number, vector) in vectors.iter().enumerate() {
        let expected = !vector.has_any("arnmxk");
        assert_eq!(vector.verifies(), expected, "vector {number}: {}", vector.flags);
        verified += usize::from(expected);
    }
    assert_eq!((vectors.len(), verified), (914, 43));
}

/// A vector for each clause that would verify, but for it.
#[test]
fn each_clause_of_strict_verification_refuses_a_vector_for_it_alone() {
    let vectors = vectors();
    let only = |refusing: &str| {
        let others: String = "arnmxk".chars().filter(|flag| !refusing.contains(*flag)).collect();
        let mut found = vectors.iter().filter(|vector| {
            refusing.chars().all(|flag| vector.flags.contains(flag)) && !vector.has_any(&others)
        });
        found.next().unwrap_or_else(|| panic!("no vector has {refusing} alone"))
    };
    // 1. A of small order: the key is refused when it is read.
    let small = only("a");
    assert_eq!(ed25519(&small.key), Err(InvalidVerifyingKey::SmallOrder));
    // 2. R of small order, under a key that is good.
    let small = only("r");
    ed25519(&small.key).unwrap();
    assert!(!small.verifies());
    // 3. Another encoding of A: refused when it is read. Of R: where its bytes are compared.
    for vector in vectors.iter().filter(|vector| vector.has_any("n")) {
        let error = ed25519(&vector.key).unwrap_err();
        let is_named =
            matches!(error, InvalidVerifyingKey::NotCanonical | InvalidVerifyingKey::NotOnCurve);
        assert!(is_named, "{error:?}");
    }
    let encoded = only("rm");
    ed25519(&encoded.key).unwrap();
    assert!(!encoded.verifies());
    // 4. Without the cofactor: a residue of small order is one.
    let residue = only("x");
    ed25519(&residue.key).unwrap();
    assert!(!residue.verifies());
    // 5. Parts of small order in A and R are no matter where nothing is left of them.
    let mixed = vectors.iter().filter(|vector| !vector.has_any("arnmxk"));
    assert!(mixed.clone().any(|vector| vector.flags == "cd"));
    assert!(mixed.clone().any(Vector::verifies));
}
