//! Naming a token or a key: what is told leads on, and can be followed as it stands.

use support::home::Home;
use support::softhsm::{SoftHsm, count, module};

use super::quiet;

const KEY: [&str; 7] =
    ["--keypairgen", "--key-type", "EC:edwards25519", "--label", "theirs", "--id", "07"];

fn two_tokens() -> SoftHsm {
    let hsm = SoftHsm::with_token("node-1");
    hsm.token("node-2");
    hsm
}

fn uri(rest: &str) -> String {
    format!("pkcs11:{rest}?module-path={}", module())
}

#[test]
fn a_key_that_is_on_one_of_two_tokens_is_found_there() {
    let hsm = two_tokens();
    hsm.pkcs11_tool_on("node-2", &KEY);
    for named in ["id=%07", "object=theirs", "object=theirs;id=%07"] {
        let home = hsm.home();
        let said = home.ok(&["id", "init", "--key", &uri(named)], b"");
        assert!(said.contains("pkcs11:token=node-2"), "{said}");
        let config = home.read("icn.toml");
        assert!(config.contains("token = \"node-2\"") && config.contains("serial = "), "{config}");
        home.ok(&["sign"], b"hello");
        let delete = ["--delete-object", "--type", "secrkey", "--label", "theirs storage"];
        hsm.pkcs11_tool_on("node-2", &delete);
    }
}

/// With each way that the advice offers.
#[test]
fn where_several_tokens_could_be_meant_the_advice_can_be_followed() {
    let hsm = two_tokens();
    for token in ["node-1", "node-2"] {
        hsm.pkcs11_tool_on(token, &KEY);
    }
    let home = hsm.home();
    let texts = ["more than one token matches", "--key 'pkcs11:serial=", "beside `module`"];
    let ran = home.fails(&["id", "init", "--key", &uri("id=%07")], b"", &texts);
    let serial = ran.err.split("node-2 (serial ").nth(1).unwrap().split(')').next().unwrap();
    let ways: [(&[&str], String); 4] = [
        (&[], uri(&format!("serial={serial};id=%07"))),
        (&[], uri("token=node-2;id=%07")),
        (&["--token", "node-2"], uri("id=%07")),
        (&[], uri("id=%07")),
    ];
    for (number, (more, key)) in ways.iter().enumerate() {
        let home = hsm.home();
        if number == 3 {
            let text = "[identity.pkcs11]\nmodule = ";
            home.write("icn.toml", &format!("{text}{:?}\nserial = {serial:?}\n", module()));
        }
        let said = home.ok(&[&["id", "init", "--key", key], *more].concat(), b"");
        assert!(said.contains("pkcs11:token=node-2"), "{said}");
        home.ok(&["sign"], b"hello");
        let delete = ["--delete-object", "--type", "secrkey", "--label", "theirs storage"];
        hsm.pkcs11_tool_on("node-2", &delete);
    }

    // The doctor, too.
    let home = hsm.home();
    let doctor = ["backend", "doctor", "--module", module()];
    let ran = home.icnctl(&doctor, b"");
    quiet(&ran);
    assert_eq!(ran.code, 1);
    for part in ["the configuration means 2 tokens", "--token LABEL", "beside `module`"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    home.ok(&[&doctor[..], &["--token", "node-2"]].concat(), b"");
    home.ok(&[&doctor[..], &["--key", &format!("pkcs11:serial={serial}")]].concat(), b"");
    // And a new key.
    home.fails(
        &["id", "init", "--backend", "pkcs11", "--module", module()],
        b"",
        &["--token LABEL"],
    );
}

/// As those of an OpenPGP card, and of tpm2-pkcs11.
#[test]
fn tokens_of_one_serial_number_are_named_by_label_as_advised() {
    let hsm = two_tokens();
    let (home, module) = (hsm.home(), hsm.fault_module());
    hsm.script("serial 0000000000000000");
    let init = ["id", "init", "--backend", "pkcs11", "--module", &module];
    let texts = ["more than one token matches", "--token LABEL", "by `token` under"];
    let ran = home.fails(&init, b"", &texts);
    assert!(!ran.err.contains("serial=SERIAL"), "{}", ran.err);
    home.ok(&[&init[..], &["--token", "node-2"]].concat(), b"");
    assert!(home.show()["locator"].as_str().unwrap().starts_with("pkcs11:token=node-2;"));
    home.ok(&["sign"], b"hello");
}

/// A card takes its label from its certificate.
#[test]
fn a_renamed_token_whose_key_is_configured_by_uri_is_relocated_as_advised() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.pkcs11_tool_on("node-1", &KEY);
    let home = hsm.home();
    let key = format!("pkcs11:token=node-1;object=theirs?module-path={}", hsm.fault_module());
    home.ok(&["id", "init", "--key", &key], b"");
    let (section, key) = ("[identity.pkcs11]", "key = \"pkcs11:token=node-1;object=theirs\"");
    let config = home.read("icn.toml").replace(section, &format!("{section}\n{key}"));
    let without =
        |field: &str| config.lines().filter(|line| !line.starts_with(field)).collect::<Vec<_>>();
    for config in [config.clone(), without("token =").join("\n"), without("serial =").join("\n")] {
        home.write("icn.toml", &config);
        hsm.script("label renamed");
        let ((), calls) = hsm.calls(|| {
            home.fails(&["sign"], b"hello", &["no token matches", "`icnctl id relocate`"]);
        });
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        home.ok(&["id", "relocate"], b"");
        let now = home.read("icn.toml");
        assert!(now.contains("token = \"renamed\"") && now.contains("token=renamed"), "{now}");
        home.ok(&["sign"], b"hello");
        hsm.script("");
        home.ok(&["id", "relocate"], b"");
    }
}

/// Nothing is to be initialised, which would destroy the key.
#[test]
fn of_a_renamed_token_doctor_and_show_say_relocate_and_nothing_that_harms() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    hsm.script("label renamed");
    let doctor = home.icnctl(&["backend", "doctor"], b"");
    assert_eq!(doctor.code, 1, "{}", doctor.out);
    let (_, verdicts) = doctor.out.split_once("\nVerdict\n").unwrap();
    for text in [
        "one token",
        "labelled \"renamed\" now",
        "leave the token as it is",
        ": icnctl id relocate",
    ] {
        assert!(verdicts.contains(text), "{text}: {verdicts}");
    }
    for wrong in ["initialise", "plug", "IdentityStore", "::"] {
        assert!(!verdicts.contains(wrong), "{wrong}: {verdicts}");
    }
    let shown = home.ok(&["id", "show"], b"");
    assert!(shown.contains("`icnctl id relocate`"), "{shown}");
    let checked = home.icnctl(&["id", "show", "--check"], b"");
    assert!(checked.code == 1 && checked.out.contains("`icnctl id relocate`"), "{}", checked.out);
    home.ok(&["id", "relocate"], b"");
    home.ok(&["sign"], b"hello");
    home.ok(&["backend", "doctor"], b"");
}

fn said_of_a_new_key(home: &Home, args: &[&str]) -> bool {
    let ran = home.icnctl(args, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.err.contains("a new key is made on that token")
}

#[test]
fn init_says_that_a_key_is_made_where_its_uri_names_a_token_only() {
    let hsm = two_tokens();
    hsm.pkcs11_tool_on("node-1", &KEY);
    let home = hsm.home();
    assert!(said_of_a_new_key(&home, &["id", "init", "--key", &uri("token=node-1")]));
    assert!(home.show()["locator"].as_str().unwrap().contains("object=icn-identity;"));
    for args in [
        &["id", "init", "--key", &uri("token=node-1;object=theirs")][..],
        &["id", "init", "--backend", "pkcs11", "--module", module(), "--token", "node-2"],
    ] {
        assert!(!said_of_a_new_key(&hsm.home(), args), "{args:?}");
    }
}
