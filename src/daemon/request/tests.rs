use super::*;

#[test]
fn a_request_to_sign_has_a_context_and_one_message() {
    let read = |json: &str| SignRequest::parse(json.as_bytes());
    let message = read(r#"{"context": "a", "message": "aGVsbG8="}"#).unwrap();
    assert_eq!(
        (message.context.as_str(), message.message),
        ("a", ToSign::Message(b"hello".into()))
    );
    let digest = "0f".repeat(64);
    let hashed = read(&format!(r#"{{"sha512": "{digest}", "context": "a"}}"#)).unwrap();
    assert_eq!(hashed.message, ToSign::Sha512([0x0f; 64]));
    for wrong in [
        "",
        "{}",
        "[]",
        "null",
        r#"["a", "aGVsbG8=", null]"#,
        r#"{"context": "a"}"#,
        r#"{"message": "aGVsbG8="}"#,
        r#"{"context": "a", "message": "aGVsbG8"}"#,
        r#"{"context": "a", "message": "aGVsbG9="}"#,
        r#"{"context": "a", "message": "aGVsbG8=", "more": 1}"#,
        r#"{"context": "a", "context": "b", "message": "aGVsbG8="}"#,
        r#"{"context": "a", "message": "aGVsbG8="} x"#,
        &format!(r#"{{"context": "a", "message": "aGVsbG8=", "sha512": "{digest}"}}"#),
        &format!(r#"{{"context": "a", "sha512": "{}"}}"#, &digest[2..]),
        &format!(r#"{{"context": "a", "sha512": "{}"}}"#, digest.to_uppercase()),
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn each_other_request_is_an_object_of_its_fields() {
    assert_eq!(parse_sign_raw(br#"{"message": ""}"#), Ok(Vec::new()));
    assert!(parse_sign_raw(br#"{"message": 1}"#).is_err());
    let nonce = base64::encode(&[7; 32]);
    assert_eq!(parse_challenge(format!(r#"{{"nonce": "{nonce}"}}"#).as_bytes()), Ok([7; 32]));
    assert!(parse_challenge(br#"{"nonce": "AAAA"}"#).is_err());
    let tls = |instance: &str| {
        TlsRequest::parse(format!(r#"{{"spki": "AAEC", "instance": "{instance}"}}"#).as_bytes())
    };
    let asked = tls(&"0f".repeat(16)).unwrap();
    assert_eq!((asked.spki, asked.instance), (vec![0, 1, 2], Instance::from_bytes([15; 16])));
    for wrong in ["", &"0f".repeat(15), &"0f".repeat(17), &"0F".repeat(16), &"0g".repeat(16)] {
        assert!(tls(wrong).is_err(), "{wrong}");
    }
    assert!(TlsRequest::parse(br#"{"spki": "AAEC"}"#).is_err());
    assert_eq!(parse_decrypt(br#"{"header": "a\nb"}"#), Ok("a\nb".to_owned()));
    assert!(parse_decrypt(br#"{"header": null}"#).is_err());
    assert_eq!((parse_lock(b""), parse_lock(b"{}")), (Ok(()), Ok(())));
    assert!(parse_lock(br#"{"a": 1}"#).is_err() && parse_lock(b"[]").is_err());
}

/// Each in its own words: which field, what is wrong, and what to do.
#[test]
fn a_body_that_is_not_used_is_told_by_its_field() {
    type Parse = fn(&str) -> Option<InvalidRequest>;
    let sign: Parse = |json| SignRequest::parse(json.as_bytes()).err();
    let raw: Parse = |json| parse_sign_raw(json.as_bytes()).err();
    let challenge: Parse = |json| parse_challenge(json.as_bytes()).err();
    let decrypt: Parse = |json| parse_decrypt(json.as_bytes()).err();
    let tls: Parse = |json| TlsRequest::parse(json.as_bytes()).err();
    let unlock: Parse = |json| UnlockRequest::parse(json.as_bytes()).err();
    let lock: Parse = |json| parse_lock(json.as_bytes()).err();
    let header = base64::encode(b"age-encryption.org/v1\n");
    for (parse, json, detail, help) in [
        (sign, "", "the body is empty", "one JSON object"),
        (sign, "context=a", "not JSON: see its line 1, column 1", "jq -n"),
        (sign, "{\"context\": \"a\",\n x}", "not JSON: see its line 2, column 2", "jq -n"),
        (sign, "{\"context\": \"a\"", "not JSON: see its line 1", "jq -n"),
        (sign, "[]", "not a JSON object", "one JSON object"),
        (sign, "{\"message\": \"\"}", "`context` is missing", "`context`: the name"),
        (
            sign,
            "{\"context\": 7, \"message\": \"\"}",
            "`context` takes the name of a context, and this is not a text",
            "as a JSON string",
        ),
        (
            sign,
            "{\"context\": \"a\"}",
            "either `message` or `sha512`, and there is neither",
            "or `sha512`",
        ),
        (
            sign,
            "{\"context\": \"a\", \"message\": \"\", \"sha512\": \"\"}",
            "and there are both",
            "instead of it",
        ),
        (
            sign,
            "{\"context\": \"a\", \"mesage\": \"\"}",
            "`mesage` is not a field of this call, which takes `context`, `message` and `sha512`",
            "docs/operations.md",
        ),
        (
            sign,
            "{\"context\": \"a\", \"context\": \"a\"}",
            "`context` is there twice",
            "take it out",
        ),
        (
            sign,
            "{\"context\": \"a\", \"message\": \"aGVs\\nbG8=\"}",
            "`message` takes a message in base64, and this has line breaks",
            "base64 -w0 FILE",
        ),
        (
            sign,
            "{\"context\": \"a\", \"message\": \"aGVsbG8=\\n\"}",
            "has line breaks",
            "base64 -w0 FILE",
        ),
        (
            sign,
            "{\"context\": \"a\", \"message\": \"aGVsbG8\"}",
            "without its padding",
            "base64 -w0 FILE",
        ),
        (
            sign,
            "{\"context\": \"a\", \"message\": \"_-8=\"}",
            "base64 for URLs",
            "standard alphabet",
        ),
        (
            sign,
            "{\"context\": \"a\", \"message\": \"100 to Ada\"}",
            "this is not base64",
            "encode it",
        ),
        (
            sign,
            "{\"context\": \"a\", \"message\": null, \"sha512\": \"0F\"}",
            "`sha512` takes 64 bytes in lower-case hex, and this has upper-case letters",
            "lower case",
        ),
        (
            sign,
            "{\"context\": \"a\", \"sha512\": \"0f0f\"}",
            "these are 2 bytes and not 64",
            "64 bytes",
        ),
        (raw, "{}", "`message` is missing", "`message`: a message in base64"),
        (raw, "{\"message\": [1]}", "this is not a text", "as a JSON string"),
        (raw, "{\"message\": \"a\\r\\nb\"}", "has line breaks", "base64 -w0 FILE"),
        (
            challenge,
            "{\"nonce\": \"AAAA\"}",
            "`nonce` takes 32 random bytes in base64, and these are 3 bytes and not 32",
            "32 random",
        ),
        (
            decrypt,
            &format!("{{\"header\": {header:?}}}"),
            "`header` takes the header of an age file as text, and this is base64",
            "the text itself",
        ),
        (decrypt, "{\"header\": null}", "this is not a text", "as text"),
        (tls, "{\"spki\": \"AAEC\"}", "`instance` is missing", "16 bytes in lower-case hex"),
        (
            tls,
            "{\"spki\": \"AAEC\", \"instance\": \"x\"}",
            "`instance` takes 16 bytes in lower-case hex, and this is not in hex",
            "16 bytes",
        ),
        (
            unlock,
            "{\"pin\": \"1\"}",
            "something is not a field of this call, which takes `credential` and `passphrase`",
            "take it out",
        ),
        (unlock, "{}", "`credential` is missing", "the PIN"),
        (
            lock,
            "{\"now\": 1}",
            "`now` is not a field of this call, which takes no field",
            "take it out",
        ),
    ] {
        let error = parse(json).unwrap_or_else(|| panic!("{json} is taken"));
        let said = error.to_string();
        assert!(said.contains(detail), "wanted {detail:?}: {said}");
        let advice = error.help().unwrap();
        assert!(advice.contains(help), "wanted {help:?}: {advice}");
    }
}

#[test]
fn a_credential_is_nowhere_but_in_locked_memory() {
    let json = br#"{"credential": "9876\u0035432", "passphrase": "a\nb"}"#;
    let request = UnlockRequest::parse(json).unwrap();
    assert_eq!(request.credential.expose_secret(), "98765432");
    assert_eq!(request.passphrase.as_ref().unwrap().expose_secret(), "a\nb");
    assert!(!format!("{request:?}").contains("9876"));
    for wrong in [r#"{"credential": 98765432}"#, r#"{"98765432": 1}"#, r#""98765432""#] {
        let error = UnlockRequest::parse(wrong.as_bytes()).unwrap_err();
        let said = format!("{error} {error:?} {:?}", error.help());
        assert!(!said.contains("9876"), "{said}");
    }
    assert!(UnlockRequest::parse(br#"{"credential": "1", "pin": "2"}"#).is_err());
}
