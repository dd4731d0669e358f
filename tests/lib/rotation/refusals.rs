//! Statements and chains that are not believed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::craft;
use super::*;

fn read(value: &Value) -> Result<RotationChain, RotationError> {
    RotationChain::from_json(&serde_json::to_vec(value).unwrap())
}

fn told(value: &Value) -> String {
    read(value).unwrap_err().to_string()
}

/// Other values of the same kind, and other kinds.
fn others(field: &str, value: &Value, stranger: &Did) -> Vec<Value> {
    let mut others = vec![json!(null), json!(true), json!(1.5), json!(""), json!([]), json!({})];
    match value {
        Value::Number(number) => {
            let number = number.as_u64().unwrap();
            others.extend([json!(number + 1), json!(number - 1), json!(number.to_string())]);
            others.extend([
                json!(0),
                json!(-1),
                json!(u64::MAX),
                json!(f64::from(u32::try_from(number).unwrap())),
            ]);
        }
        Value::String(text) => {
            let mut flipped = text.clone().into_bytes();
            let middle = flipped.len() / 2;
            flipped[middle] ^= 1;
            others.push(String::from_utf8(flipped).unwrap().into());
            others.extend([
                text.to_uppercase().into(),
                text[1..].into(),
                format!("{text} ").into(),
            ]);
            // Each is valid where it belongs.
            let valid =
                ["hardware", "tpm-sealed", "claimed", "soft-token", "compromised", "manual"];
            others.extend(valid.map(Value::from));
            if field == "did" {
                others.push(stranger.as_str().into());
            }
        }
        Value::Array(_) | Value::Object(_) | Value::Null | Value::Bool(_) => {}
    }
    others.retain(|other| other != value);
    others
}

#[test]
fn every_field_that_is_changed_or_taken_away_is_noticed() {
    let keys = software_keys::<4>();
    let stranger = software();
    let good: Value = serde_json::from_slice(&chain_of(&keys).to_json()).unwrap();
    let mut tried = 0;
    for index in 0..3 {
        for pointer in craft::pointers(&good[index]) {
            let place = format!("/{index}{pointer}");
            let field = pointer.rsplit('/').next().unwrap();
            let value = good.pointer(&place).unwrap();
            for other in others(field, value, stranger.did()) {
                let mut changed = good.clone();
                *changed.pointer_mut(&place).unwrap() = other.clone();
                assert!(read(&changed).is_err(), "{place} = {other}");
                tried += 1;
            }
            let mut without = good.clone();
            let parent = place.rsplit_once('/').unwrap().0;
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
            assert!(read(&without).is_err(), "without {place}");
            let mut with = good.clone();
            let parent = with.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            parent.insert("another".into(), json!(1));
            assert!(read(&with).is_err(), "one more beside {place}");
        }
    }
    assert!(tried > 400, "{tried}");
    assert!(read(&good).is_ok());
}

/// What is plausible is refused for its signature, the old one first.
#[test]
fn a_plausible_change_is_refused_for_its_signature() {
    let keys = software_keys::<3>();
    let good: Value = serde_json::from_slice(&chain_of(&keys).to_json()).unwrap();
    let stranger = software().did().to_string();
    for (place, value) in [
        ("/1/statement/time", json!(NEW_YEAR + 1)),
        ("/1/statement/reason", json!("upgrade")),
        ("/1/statement/old/provenance", json!("hardware")),
        ("/1/statement/new/provenance", json!("hardware")),
        ("/1/statement/new/assurance", json!("claimed")),
        ("/1/statement/new/did", json!(stranger)),
        ("/1/statement/sequence", json!(3)),
        ("/1/statement/previous_sha256", json!("0".repeat(64))),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap() = value;
        let error = read(&changed).unwrap_err();
        assert!(matches!(&error, RotationError::Signature { .. }), "{place}: {error}");
        assert!(error.help().unwrap().contains("do not follow it"));
    }
    let mut added = good.clone();
    added[1]["statement"]["next_key_sha256"] = "0".repeat(64).into();
    assert!(told(&added).contains("was not signed by its old key"));
}

#[test]
fn neither_signature_stands_in_the_others_place() {
    let [a, b] = software_keys();
    let body = craft::body(&a, &b, None);
    let signed = |old: &Key<Software, Unlocked>,
                  as_old: &str,
                  new: &Key<Software, Unlocked>,
                  as_new: &str| {
        json!([{
            "statement": body,
            "signatures": {
                "old": craft::signature(old, &craft::message(as_old, &body)),
                "new": craft::signature(new, &craft::message(as_new, &body)),
            },
        }])
    };
    assert!(read(&signed(&a, "old", &b, "new")).is_ok());
    // Swapped; each in the other's role; both by one key.
    assert!(told(&signed(&b, "new", &a, "old")).contains("not signed by its old key"));
    assert!(told(&signed(&a, "new", &b, "new")).contains("not signed by its old key"));
    assert!(told(&signed(&a, "old", &b, "old")).contains("not signed by its new key"));
    assert!(told(&signed(&b, "old", &b, "new")).contains("not signed by its old key"));
    assert!(told(&signed(&a, "old", &a, "new")).contains("not signed by its new key"));
}

/// The same words, signed for something else.
#[test]
fn a_statement_of_another_purpose_is_no_rotation() {
    let [a, b] = software_keys();
    let body = craft::body(&a, &b, None);
    let prefix = b"icn-identity/rotation/v1\0".len();
    for purpose in ["icn-identity/binding/v1\0", "icn-identity/rotation/v2\0", ""] {
        let message = |role| [purpose.as_bytes(), &craft::message(role, &body)[prefix..]].concat();
        let signatures = json!({
            "old": craft::signature(&a, &message("old")),
            "new": craft::signature(&b, &message("new")),
        });
        let value = json!([{ "statement": body, "signatures": signatures }]);
        assert!(told(&value).contains("was not signed by its old key"), "{purpose}");
    }
}

#[test]
fn a_signature_of_p256_has_one_form() {
    let (old, new) = (HighS::key(5), software());
    let chain = first(&old, &new);
    let mut value: Value = serde_json::from_slice(&chain.to_json()).unwrap();
    let low = STANDARD.decode(value[0]["signatures"]["old"].as_str().unwrap()).unwrap();
    let high = higher(p256::ecdsa::Signature::from_slice(&low).unwrap());
    // FIPS 186-5 takes both.
    let message = craft::message("old", &value[0]["statement"]);
    let high = Signature::from_p256_bytes(high);
    old.verifying_key().verify(&message, &high).unwrap();
    value[0]["signatures"]["old"] = STANDARD.encode(high.as_bytes()).into();
    assert!(told(&value).contains("was not signed by its old key"));
}

#[test]
fn a_name_that_comes_twice_is_refused_wherever_it_is() {
    let chain = first(&software(), &software());
    let good = String::from_utf8(chain.to_json()).unwrap();
    for name in ["version", "reason", "did", "provenance", "statement", "signatures", "old", "new"]
    {
        let quoted = format!("\"{name}\":");
        let value: Value = serde_json::from_str(&good).unwrap();
        for pointer in
            craft::pointers(&value[0]).iter().filter(|p| p.ends_with(&format!("/{name}")))
        {
            let field = format!("{quoted}{}", value.pointer(&format!("/0{pointer}")).unwrap());
            assert!(good.contains(&field), "{field}");
            let doubled = good.replacen(&field, &format!("{field},{field}"), 1);
            let error = RotationChain::from_json(doubled.as_bytes()).unwrap_err();
            let cause = error.source().unwrap().to_string();
            assert!(cause.contains(&format!("duplicate field `{name}`")), "{cause}");
        }
    }
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let chain = first(&software(), &software());
    let mut value: Value = serde_json::from_slice(&chain.to_json()).unwrap();
    value[0]["statement"]["version"] = 2.into();
    // Whatever else it may have.
    value[0]["statement"]["attestation"] = json!({ "maker": "…" });
    let error = read(&value).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a rotation statement has version 2; this program reads version 1"
    );
    assert_eq!(error.help().as_deref(), Some("update this program"));
    assert!(error.is_unreadable());
    value[0]["statement"]["version"] = 0.into();
    assert!(matches!(read(&value), Err(RotationError::Version { found: 0 })));
}

#[test]
fn a_statement_that_names_another_predecessor_is_refused() {
    let [a, b, c, d] = software_keys();
    let one = craft::body(&a, &b, None);
    let two = craft::body(&b, &c, Some(&one));
    let mut three = craft::body(&c, &d, Some(&two));
    let chain = |three: &Value| {
        json!([
            craft::signed(&one, &a, &b),
            craft::signed(&two, &b, &c),
            craft::signed(three, &c, &d)
        ])
    };
    assert!(read(&chain(&three)).is_ok());
    // That of the first statement, once more.
    three["previous_sha256"] = two["previous_sha256"].clone();
    assert!(told(&chain(&three)).starts_with("statement 3 does not follow the one before it"));
    // A first statement has none, and every other one has.
    let mut first = one.clone();
    first["previous_sha256"] = "0".repeat(64).into();
    let first = json!([craft::signed(&first, &a, &b)]);
    assert!(told(&first).contains("`previous_sha256` of a rotation statement cannot be"));
    three.as_object_mut().unwrap().remove("previous_sha256");
    assert!(told(&chain(&three)).contains("`previous_sha256` of a rotation statement cannot be"));
}

/// Well signed, and yet no chain.
#[test]
fn links_times_and_keys_must_fit() {
    let [a, b, c, d] = software_keys();
    let one = craft::body(&a, &b, None);
    let second = |change: &dyn Fn(&mut Value),
                  old: &Key<Software, Unlocked>,
                  new: &Key<Software, Unlocked>| {
        let mut two = craft::body(old, new, Some(&one));
        change(&mut two);
        told(&json!([craft::signed(&one, &a, &b), craft::signed(&two, old, new)]))
    };
    let unchanged = |_: &mut Value| {};
    let told = second(&unchanged, &c, &d);
    assert_eq!(told, format!("statement 2 must rotate {}, not {}", b.did(), c.did()));
    let told = second(&unchanged, &b, &a);
    assert!(told.ends_with("whose key was there before"), "{told}");
    let told = second(&|two| two["time"] = (NEW_YEAR - 1).into(), &b, &c);
    assert_eq!(told, "statement 2 is 1 seconds earlier than the one before it");
    let told = second(&|two| two["sequence"] = 3.into(), &b, &c);
    assert_eq!(told, "statement 2 is missing");
    for sequence in [0, 513, u64::MAX] {
        let told = second(&|two| two["sequence"] = sequence.into(), &b, &c);
        assert!(told.contains("`sequence` of a rotation statement cannot be"), "{told}");
    }
    let told = second(&|two| two["time"] = 253_402_300_800_u64.into(), &b, &c);
    assert!(told.contains("`time` of a rotation statement cannot be"), "{told}");
}

#[test]
fn a_chain_is_complete_and_one() {
    let chain = chain_of(&software_keys::<4>());
    let all = statements(&chain);
    for missing in 0..2 {
        let rest = all.iter().enumerate().filter(|(index, _)| *index != missing);
        let error = RotationChain::verify(rest.map(|(_, one)| one.clone())).unwrap_err();
        assert_eq!(error.to_string(), format!("statement {} is missing", missing + 1));
    }
    let other = statements(&chain_of(&software_keys::<3>()));
    let error = RotationChain::verify(all.into_iter().chain(other)).unwrap_err();
    assert!(matches!(error, RotationError::Unrelated { sequence: 1, .. }), "{error}");
    assert!(matches!(RotationChain::verify([]), Err(RotationError::Empty)));
    assert!(matches!(RotationChain::from_json(b"[]"), Err(RotationError::Empty)));
}

#[test]
fn what_is_too_long_or_no_json_is_not_looked_at() {
    use icn_identity::rotation::MAX_FILE_LEN;
    let chain = first(&software(), &software());
    let mut json = chain.to_json();
    json.resize(MAX_FILE_LEN, b' ');
    assert_eq!(RotationChain::from_json(&json).unwrap(), chain);
    json.push(b' ');
    let error = RotationChain::from_json(&json).unwrap_err();
    assert_eq!(error.to_string(), "the rotation statements are longer than 524288 bytes");
    let mut statement = statements(&chain)[0].to_json();
    statement.resize(4096, b' ');
    RotationStatement::from_json(&statement).unwrap();
    statement.push(b' ');
    let error = RotationStatement::from_json(&statement).unwrap_err();
    assert!(matches!(error, RotationError::TooLong { limit: 4096 }), "{error}");
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for bad in [&b""[..], b"{}", b"[{}]", b"null", b"[", b"\xff", &deep] {
        let error = RotationChain::from_json(bad).unwrap_err();
        assert!(matches!(error, RotationError::Format(_)), "{error}");
        assert!(error.is_unreadable());
    }
}
