//! A value that is none: whoever wrote it is told the field or option, and those that
//! there are.

use support::home::Home;

#[test]
fn each_wrong_value_of_an_option_is_answered_by_those_that_there_are() {
    let home = Home::new();
    let init = ["id", "init"];
    for (args, allowed) in [
        (&["--backend", "hsm"][..], "age, pkcs11, tpm"),
        (&["--algorithm", "rsa"], "ed25519, p256"),
        (&["--did-method", "web"], "icn, key"),
        (&["--policy", "open"], "literal, authorized"),
        (&["--format", "xml"], "text, json, did-document"),
        (&["--backend", "tpm", "--pcr-indices", "0-7"], "0 to 23, like 0,7"),
    ] {
        let ran = home.icnctl(&[&init[..], args].concat(), b"");
        assert_ne!(ran.code, 0);
        assert!(ran.err.contains(allowed), "{allowed}: {}", ran.err);
    }
    for (args, allowed) in [
        (&["id", "export", "--public-key=der"][..], "pem, jwk, multibase, openssh, hex"),
        (
            &["id", "rotation", "create", "--reason", "why"],
            "scheduled, compromised, upgrade, manual",
        ),
        (&["backend", "doctor", "--backend", "hsm"], "age, pkcs11, tpm"),
    ] {
        let ran = home.icnctl(args, b"");
        assert_ne!(ran.code, 0);
        assert!(ran.err.contains(allowed), "{allowed}: {}", ran.err);
    }
}

#[test]
fn each_wrong_value_in_the_configuration_is_answered_by_its_field_and_what_that_takes() {
    for (text, line, field, takes) in [
        ("[identity]\nbackend = \"hsm\"", 2, "backend", "\"age\", \"pkcs11\" or \"tpm\""),
        (
            "[identity.pkcs11]\nmodule = \"/m\"\nassurance_at_most = \"hardware\"",
            3,
            "assurance_at_most",
            "\"soft-token\", \"remote-service\", \"unstated\" or \"claimed\"",
        ),
        ("[identity.tpm]\npcr_indices = \"0-7\"", 2, "pcr_indices", "as \"0,7\" or [0, 7]"),
        ("[identity.tpm]\npcr_bank = \"md5\"", 2, "pcr_bank", "\"sha256\""),
        ("[identity.tpm]\npolicy = \"any\"", 2, "policy", "\"literal\" or \"authorized\""),
    ] {
        let home = Home::new();
        home.write("icn.toml", text);
        let line = format!("line {line}: ");
        let named = format!("`{field}`");
        home.fails(&["id", "show"], b"", &[&line, &named, takes]);
    }
}
