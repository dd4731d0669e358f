//! Every byte changed, and every truncation.

use super::contents::cheap;
use super::victim::{Files, Victim, for_each, peak};

/// Length of the readable part of an age file.
fn header_length(age: &[u8]) -> usize {
    let mac = age.windows(5).position(|window| window == b"\n--- ").unwrap();
    mac + 1 + age[mac + 1..].iter().position(|byte| *byte == b'\n').unwrap() + 1
}

#[test]
fn each_changed_byte_of_the_payload_is_an_error() {
    let files = cheap(&Victim::new(10).files());
    let all: Vec<usize> = (0..files.age.len()).collect();
    for_each(&files, &all, |victim, index| changed(victim, &files, index, index % 8));
    // All bits of a work factor of two digits.
    let files = Victim::new(10).files();
    let end = files.age.iter().skip(22).position(|byte| *byte == b'\n').unwrap() + 22;
    assert_eq!(&files.age[end - 2..end], b"10");
    for_each(&files, &[end - 2, end - 1], |victim, index| {
        for bit in 0..8 {
            changed(victim, &files, index, bit);
        }
    });
    // It cannot ask for much: 2^20 would be 1 GiB.
    assert!(peak() < 1024, "{} MiB", peak());
}

fn changed(victim: &Victim, files: &Files, index: usize, bit: usize) {
    let mut age = files.age.clone();
    age[index] ^= 1 << bit;
    victim.put("identity.age", &age);
    let told = victim.refused(&format!("byte {index}, bit {bit}"));
    let known = ["WrongPassphrase", "identity.age cannot be opened"];
    assert!(known.iter().any(|text| told.contains(text)), "byte {index}: {told}");
}

#[test]
fn each_truncation_of_the_payload_is_an_error_and_so_is_more() {
    let files = cheap(&Victim::new(10).files());
    let all: Vec<usize> = (0..files.age.len()).collect();
    for_each(&files, &all, |victim, length| {
        victim.put("identity.age", &files.age[..length]);
        let told = victim.refused(&format!("{length} bytes"));
        assert!(told.contains("identity.age cannot be opened"), "{length} bytes: {told}");
    });
    let victim = Victim::of(&files);
    for more in [&b"\n"[..], b"\0", &[0; 16], &files.age] {
        victim.put("identity.age", &[&files.age, more].concat());
        victim.refused("more");
    }
}

#[test]
fn each_changed_byte_of_the_header_is_an_error() {
    let files = cheap(&Victim::new(10).files());
    let all: Vec<usize> = (0..files.json.len()).collect();
    for_each(&files, &all, |victim, index| {
        // Another digit or letter, or the other case.
        let bit = if index % 2 == 0 { 0 } else { 5 };
        let mut json = files.json.clone();
        json[index] ^= 1 << bit;
        victim.put("identity.json", &json);
        victim.refused(&format!("byte {index}, bit {bit}"));
    });
}

#[test]
fn each_truncation_of_the_header_is_an_error_and_so_is_more() {
    let files = Victim::new(10).files();
    let all: Vec<usize> = (0..files.json.len()).collect();
    for_each(&files, &all, |victim, length| {
        victim.put("identity.json", &files.json[..length]);
        victim.refused(&format!("{length} bytes"));
    });
    let victim = Victim::of(&files);
    for more in [&b"\n"[..], b" ", b"\0", b"{}"] {
        victim.put("identity.json", &[&files.json, more].concat());
        victim.refused("more");
    }
}

/// As operators have it: a changed byte in each part of the file, and a
/// truncation in each.
#[test]
fn damage_is_an_error_at_the_default_work_factor() {
    let victim = Victim::new(18);
    let files = victim.files();
    let text = String::from_utf8_lossy(&files.age).into_owned();
    let readable = header_length(&files.age);
    let salt = text.find("scrypt ").unwrap() + 7;
    let body = text.match_indices('\n').nth(1).unwrap().0 + 1;
    let mac = text.find("\n--- ").unwrap() + 5;
    let parts = [3, salt, body + 2, mac, readable + 3, readable + 40, files.age.len() - 1];
    for index in parts {
        let mut age = files.age.clone();
        age[index] ^= 1;
        victim.put("identity.age", &age);
        victim.refused(&format!("byte {index}"));
    }
    for length in [0, salt, readable, files.age.len() - 1] {
        victim.put("identity.age", &files.age[..length]);
        victim.refused(&format!("{length} bytes"));
    }
    victim.put("identity.age", &files.age);
    victim.open().unwrap();
}
