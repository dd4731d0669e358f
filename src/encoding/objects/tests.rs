use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
struct Outer {
    one: u8,
    inner: Inner,
    #[serde(default)]
    list: Vec<Inner>,
    #[serde(default)]
    map: BTreeMap<String, Inner>,
    #[serde(default)]
    pair: Option<(u8, Inner)>,
    #[serde(default, deserialize_with = "tagged_option")]
    kind: Option<Kind>,
    #[serde(default)]
    which: Option<Which>,
    #[serde(default)]
    any: Value,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Inner {
    two: u8,
    name: Word,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Yes,
    No,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
enum Kind {
    A {},
    B {
        #[serde(deserialize_with = "kept_apart")]
        inner: Inner,
    },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Which {
    Inner(#[serde(deserialize_with = "kept_apart")] Inner),
}

/// For an enum that is tagged or untagged: serde keeps the value apart then, and reads it
/// from there by the rules of what it is.
fn kept_apart<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    T::deserialize(Objects(from))
}

fn tagged_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Kind>, D::Error> {
    tagged(from).map(Some)
}

fn read(json: &Value) -> serde_json::Result<Outer> {
    let from_text = from_str(&json.to_string());
    let from_value = from_value(json);
    assert_eq!(from_text.as_ref().ok(), from_value.as_ref().ok(), "{json}");
    from_text
}

fn valid() -> Value {
    let inner = json!({"two": 2, "name": "yes"});
    json!({
        "one": 1, "inner": inner, "list": [inner, inner], "map": {"a": inner},
        "pair": [1, inner], "kind": {"kind": "B", "inner": inner}, "which": inner,
        "any": {"x": [{"y": 1}, [2]]},
    })
}

#[test]
fn an_array_is_no_struct_wherever_it_is() {
    assert!(read(&valid()).is_ok());
    let array = json!([2, "yes"]);
    for place in ["/inner", "/list/0", "/list/1", "/map/a", "/pair/1", "/kind/inner", "/which"] {
        let mut changed = valid();
        *changed.pointer_mut(place).unwrap() = array.clone();
        let error = read(&changed).unwrap_err().to_string();
        assert!(
            error.contains("struct Inner") || error.contains("any variant"),
            "{place}: {error}"
        );
    }
    let mut changed = valid();
    changed["kind"] = json!(["B", {"two": 2, "name": "yes"}]);
    assert!(read(&changed).is_err());
    changed["kind"] = json!(["A"]);
    assert!(read(&changed).is_err());
    assert!(read(&json!([1, {"two": 2, "name": "yes"}])).is_err());
    // By serde's own rules it passes: else nothing would be shown here.
    assert!(serde_json::from_value::<Inner>(array).is_ok());
}

#[test]
fn a_name_is_a_string() {
    for name in [json!({"yes": null}), json!(["yes"]), json!(0), json!(null)] {
        let mut changed = valid();
        changed["inner"]["name"] = name;
        assert!(read(&changed).is_err(), "{changed}");
    }
    assert!(serde_json::from_str::<Word>("{\"yes\":null}").is_ok());
}

#[test]
fn a_member_is_there_once_also_where_it_is_not_understood() {
    for (json, name) in [
        (r#"{"one":1,"inner":{"two":2,"name":"no"},"any":{"x":1,"x":1}}"#, "x"),
        (r#"{"one":1,"inner":{"two":2,"name":"no"},"more":1,"more":2}"#, "more"),
        (r#"{"one":1,"inner":{"two":2,"name":"no","two":2}}"#, "two"),
        (r#"{"one":1,"inner":{"two":2,"name":"no","\u0074wo":2}}"#, "two"),
        (
            r#"{"one":1,"inner":{"two":2,"name":"no"},"map":{"a":{"two":2,"name":"no"},"a":{"two":2,"name":"no"}}}"#,
            "a",
        ),
        (r#"{"one":1,"inner":{"two":2,"name":"no"},"any":[[{"x":{"y":1,"y":{}}}]]}"#, "y"),
    ] {
        let error = from_str::<Outer>(json).unwrap_err().to_string();
        assert!(error.contains(&format!("duplicate field `{name}`")), "{json}: {error}");
        assert!(error.contains("line 1"), "{error}");
    }
}

#[test]
fn what_is_after_the_value_and_what_is_cut_off_is_refused() {
    for json in ["1 2", "[1", "", "\u{feff}\u{feff}1", "nul"] {
        assert!(from_str::<Value>(json).is_err(), "{json:?}");
    }
    assert_eq!(from_str::<Value>("\u{feff} [1]\n").unwrap(), json!([1]));
    let error = from_slice::<Value>(b"\xff\xfe[\0]\0").unwrap_err().to_string();
    assert_eq!(error, "the text is UTF-16, not UTF-8: save it as UTF-8");
}

#[test]
fn raw_text_and_borrowed_text_are_passed_on_as_they_are() {
    #[derive(Deserialize)]
    struct Raw<'a> {
        #[serde(borrow)]
        raw: &'a RawValue,
        text: &'a str,
    }
    let raw: Raw<'_> = from_str(r#"{"raw": {"b" : 1e2}, "text": "x"}"#).unwrap();
    assert_eq!((raw.raw.get(), raw.text), (r#"{"b" : 1e2}"#, "x"));
}

#[cfg(feature = "keystore")]
#[test]
fn toml_is_read_by_the_same_rules() {
    fn toml(text: &str) -> Result<Outer, toml_edit::de::Error> {
        kept_apart(text.parse::<toml_edit::de::Deserializer>()?)
    }
    let good = "one = 1\ninner = { two = 2, name = \"yes\" }\n";
    assert_eq!(toml(good).unwrap().inner, Inner { two: 2, name: Word::Yes });
    let error = toml("one = 1\ninner = [2, \"yes\"]\n").unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(toml("one = 1\ninner = { two = 2, name = { yes = 1 } }\n").is_err());
}
