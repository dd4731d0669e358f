//! Second spellings that are refused. Each was taken once.

use serde_json::{Value, json};

use super::Format;

fn refused(name: &str, good: &str, others: &[&str]) {
    let format = Format::named(name).unwrap();
    assert!(format.check(good.as_bytes()), "{name}: {good}");
    for other in others {
        assert!(!format.check(other.as_bytes()), "{name}: {other}");
    }
}

/// `"7"` and `"07"` were one register, and the last of both counted.
#[test]
fn the_index_of_a_register_has_one_spelling() {
    let values = |members: &str| format!(r#"{{"bank":"sha256","values":{{{members}}}}}"#);
    let value = "00".repeat(32);
    let one = |index: &str| format!(r#""{index}":"{value}""#);
    let others = ["07", "+7", " 7", "7 ", "0x7", "256", "-1"].map(|index| values(&one(index)));
    let both = values(&format!("{},{}", one("7"), one("07")));
    let others: Vec<&str> = others.iter().chain([&both]).map(String::as_str).collect();
    refused("pcr-values", &values(&one("7")), &others);
    let printed = |index: &str| format!("sha256:\n  {index} : 0x{value}\n");
    refused("pcr-values", &printed("7"), &[&printed("+7"), &printed("07")]);
}

#[test]
fn a_number_in_the_configuration_has_no_sign_and_no_zeros_before_it() {
    let client = |rate: &str| {
        format!("[[daemon.client]]\nname = \"a\"\nuid = 1\nmay = [\"tls\"]\nrate = \"{rate}\"\n")
    };
    refused(
        "icn-toml",
        &client("100/s"),
        &[&client("0100/s"), &client("+100/s"), &client("100/S")],
    );
    let mode = |mode: &str| format!("[daemon]\nsocket_mode = \"{mode}\"\n");
    refused("icn-toml", &mode("0660"), &[&mode("+660"), &mode("00660"), &mode("0o66")]);
    // As chmod has it.
    refused("icn-toml", &mode("660"), &[]);
    let pcrs = |pcrs: &str| format!("[identity.tpm]\npcr_indices = \"{pcrs}\"\n");
    refused("icn-toml", &pcrs("0,7"), &[&pcrs("0,+7"), &pcrs("0,07"), &pcrs("00,7")]);
}

/// The lower of the two numbers counted, of an instance that had both.
#[test]
fn an_instance_is_seen_once() {
    let did = crate::Key::<crate::Software, crate::Unlocked>::from_seed(&[1; 32]).did().clone();
    let number = |instance: u8, sequence: u64| json!({"instance": format!("{instance:02x}").repeat(16), "sequence": sequence});
    let seen = |numbers: Vec<Value>| {
        json!({"version": 1, "did": did, "epoch": 2, "instances": numbers}).to_string()
    };
    let twice = seen(vec![number(1, 5), number(2, 6), number(1, 9)]);
    refused("seen", &seen(vec![number(1, 5), number(2, 5)]), &[&twice]);
}

/// Whatever was between salt and tag was passed over.
#[test]
fn the_tag_of_a_refused_pin_has_one_spelling() {
    let salt = "ab".repeat(16);
    let note = |tag: String| {
        let mark = json!({"source": "variable", "name": "A"});
        json!({"refused": [{"token": "t", "mark": mark, "at": 1, "pin": tag}]}).to_string()
    };
    let others = [
        format!("+15:{salt}:0102"),
        format!("015:{salt}:0102"),
        format!("15:{salt}:more:0102"),
        format!("15:{salt}::0102"),
    ]
    .map(note);
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    refused("refused", &note(format!("15:{salt}:0102")), &others);
}

/// To the last digit of a fraction, however often a payload is written.
#[test]
fn a_number_that_is_carried_along_stays_what_it_is() {
    let format = Format::named("payload").unwrap();
    let did = crate::Key::<crate::Software, crate::Unlocked>::from_seed(&[1; 32]).did().clone();
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    let numbers: Vec<f64> = (0..20_000)
        .map(|_| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            f64::from_bits(bits)
        })
        .filter(|number| number.is_normal())
        .collect();
    let value = json!({"version": 5, "did": did, "rotation_chain": [], "did_document": null,
        "numbers": numbers});
    let text = value.to_string();
    let again: Value = serde_json::from_slice(&(format.reread)(text.as_bytes()).unwrap()).unwrap();
    assert_eq!(again["numbers"].to_string(), value["numbers"].to_string());
}
