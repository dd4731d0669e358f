use serde_json::json;

use super::*;
use crate::did::Did;
use crate::encoding::hex;
use crate::secret::SigningSeed;

/// The credential of both specifications' test vectors, appendices B.3 and A.5.
fn credential() -> Map<String, Value> {
    let credential = json!({
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://www.w3.org/ns/credentials/examples/v2"
        ],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", "AlumniCredential"],
        "name": "Alumni Credential",
        "description": "A minimum viable example of an Alumni Credential.",
        "issuer": "https://vc.example/issuers/5678",
        "validFrom": "2023-01-01T00:00:00Z",
        "credentialSubject": {
            "id": "did:example:abcdefgh",
            "alumniOf": "The School of Examples"
        }
    });
    credential.as_object().unwrap().clone()
}

const CANONICAL: &str = r#"{"@context":["https://www.w3.org/ns/credentials/v2","https://www.w3.org/ns/credentials/examples/v2"],"credentialSubject":{"alumniOf":"The School of Examples","id":"did:example:abcdefgh"},"description":"A minimum viable example of an Alumni Credential.","id":"urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33","issuer":"https://vc.example/issuers/5678","name":"Alumni Credential","type":["VerifiableCredential","AlumniCredential"],"validFrom":"2023-01-01T00:00:00Z"}"#;

struct Vector {
    key: &'static str,
    suite: &'static str,
    /// Hash of the proof options; that of the document is the same for both.
    options_hash: &'static str,
    signature: &'static str,
    proof_value: &'static str,
}

const DOCUMENT_HASH: &str = "59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19";

/// EdDSA Cryptosuites v1.0, appendix B.3.
const EDDSA: Vector = Vector {
    key: "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2",
    suite: "eddsa-jcs-2022",
    options_hash: "66ab154f5c2890a140cb8388a22a160454f80575f6eae09e5a097cabe539a1db",
    signature: "407cd12654b33d718ecbb99179a1506daaa849450bf3fc523cce3e1c96f8b803\
                51da3f253d725c6f00b07c9e5448d50b3ef78012b9ab54255116d069c6dd2808",
    proof_value: "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX",
};

/// ECDSA Cryptosuites v1.0, appendix A.5.
const ECDSA: Vector = Vector {
    key: "zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP",
    suite: "ecdsa-jcs-2019",
    options_hash: "fe5799489119c7fe3c528715e72bd39d2ec6b4ab345978df32e9a9312648ec25",
    signature: "f15c3b599eb9b3cad05df9d8e8b39a70a86375833b53743c764ac0a88c4457d6\
                0707fd7d073e03d906130631d87803f80a9824dc9939632ba92d418181be9d16",
    proof_value: "z5ptCet75SaEgzG4v4zJhbJtfNi74Wv7Fq15hhKouJQQjEPQvPZKaYxcMXAMLPQS2FXrkCWokNJkFVkwxNzZfD5oT",
};

impl Vector {
    fn key(&self) -> VerifyingKey {
        *Did::parse(&format!("did:key:{}", self.key)).unwrap().verifying_key()
    }

    fn options(&self) -> Value {
        json!({
            "type": "DataIntegrityProof",
            "cryptosuite": self.suite,
            "created": "2023-02-24T23:36:38Z",
            "verificationMethod": format!("did:key:{0}#{0}", self.key),
            "proofPurpose": "assertionMethod",
            "@context": credential()["@context"],
        })
    }

    fn secured(&self) -> Map<String, Value> {
        let mut proof = self.options();
        proof["proofValue"] = self.proof_value.into();
        let mut secured = credential();
        secured.insert("proof".into(), proof);
        secured
    }
}

#[test]
fn canonical_json_and_hashes_are_those_of_the_specifications() {
    let canonical = serde_json_canonicalizer::to_string(&credential()).unwrap();
    assert_eq!(canonical, CANONICAL);
    for vector in [EDDSA, ECDSA] {
        let found = hash_data(&vector.options(), &credential()).unwrap();
        assert_eq!(hex::encode(&found), format!("{}{DOCUMENT_HASH}", vector.options_hash));
    }
}

#[test]
fn the_proofs_of_the_specifications_verify() {
    for vector in [EDDSA, ECDSA] {
        assert!(verify(&vector.secured(), &vector.key()), "{}", vector.suite);
        let signature = decode_signature(vector.proof_value).unwrap();
        assert_eq!(hex::encode(&signature), vector.signature);
        assert_eq!(encode_signature(&signature), vector.proof_value);
    }
    assert!(!verify(&EDDSA.secured(), &ECDSA.key()));
    assert!(!verify(&ECDSA.secured(), &EDDSA.key()));
}

/// Ed25519 has one signature for each message: ours is that of the
/// specification, made with the key of the specification.
#[test]
fn our_proof_is_that_of_the_specification() {
    // Multicodec `80 26`, ed25519-priv, and the seed.
    let secret = "3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq";
    let secret = bs58::decode(secret).into_vec().unwrap();
    let seed = secret.strip_prefix(&[0x80, 0x26]).unwrap().try_into().unwrap();
    let seed = SigningSeed::from_bytes(seed);
    assert_eq!(VerifyingKey::from(seed.verifying_key()), EDDSA.key());
    let message = hash_data(&EDDSA.options(), &credential()).unwrap();
    let signature = seed.sign(&seed.verifying_key(), &message);
    assert_eq!(encode_signature(&signature), EDDSA.proof_value);
}

#[test]
fn a_proof_of_anything_else_does_not_verify() {
    for vector in [EDDSA, ECDSA] {
        let key = vector.key();
        let refused = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut secured = vector.secured();
            change(&mut secured);
            !verify(&secured, &key)
        };
        assert!(refused(&|secured| secured["name"] = "Alumnus Credential".into()));
        assert!(refused(&|secured| secured["credentialSubject"]["x"] = 1.into()));
        assert!(refused(&|secured| drop(secured.remove("name"))));
        assert!(refused(&|secured| drop(secured.remove("proof"))));
        for (name, other) in [
            ("type", "Ed25519Signature2020"),
            ("cryptosuite", "eddsa-rdfc-2022"),
            ("proofPurpose", "authentication"),
            ("created", "2023-02-24T23:36:39Z"),
            ("verificationMethod", "did:example:1#1"),
            ("challenge", "1"),
            ("proofValue", "z1"),
        ] {
            assert!(refused(&|secured| secured["proof"][name] = other.into()), "{name}");
        }
        assert!(refused(&|secured| {
            let proof = secured["proof"].as_object_mut().unwrap();
            proof.remove("proofValue");
        }));
        // A context of the proof that is not the start of the document's.
        assert!(refused(&|secured| {
            secured["@context"] = json!(["https://www.w3.org/ns/credentials/v2"]);
        }));
        assert!(refused(&|secured| drop(secured.remove("@context"))));
        // One proof, and not a list of some.
        assert!(refused(&|secured| secured["proof"] = json!([secured["proof"]])));
    }
}

/// A document may say more in its context than its proof: then what the proof
/// says counts (section 3.3.2 of both).
#[test]
fn a_context_that_goes_on_after_the_proofs_is_not_signed() {
    let mut secured = EDDSA.secured();
    secured["@context"].as_array_mut().unwrap().push("https://example.org/more".into());
    assert!(verify(&secured, &EDDSA.key()));
}
