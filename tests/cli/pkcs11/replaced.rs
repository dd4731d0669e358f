//! Keys and tokens that are not any more what they were.

use serde_json::{Value, json};
use support::softhsm::{SoftHsm, count};

use super::half::{delete, doctor};

/// The public key beside it is still that of the identity.
#[test]
fn a_private_key_that_was_replaced_or_is_gone_is_told_as_what_it_is_by_all_who_open_it() {
    let gone: [&[&str]; 2] =
        [&["has the public key with id ", "and not its private key"], &["own backup", "is gone"]];
    let other = |found| -> [Vec<&str>; 2] {
        [vec!["is not that of did:", found], vec!["another private key is under its name"]]
    };
    let [found, advice] = gone;
    let mut table = vec![("ed25519", None, found.to_vec(), advice.to_vec())];
    for (algorithm, kind, said) in [
        ("ed25519", "EC:edwards25519", "another one of its kind: what it signs does not verify"),
        ("ed25519", "EC:prime256v1", "one on another curve"),
        ("ed25519", "RSA:1024", "an RSA key"),
        ("p256", "EC:prime256v1", "another one of its kind"),
        ("p256", "EC:secp384r1", "one on another curve"),
    ] {
        let [found, advice] = other(said);
        table.push((algorithm, Some(kind), found, advice));
    }
    for (algorithm, kind, found, advice) in table {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        home.ok(&[&init[..], &["--algorithm", algorithm]].concat(), b"");
        let id = home.show()["key_id"].as_str().unwrap().to_owned();
        delete(&hsm, "privkey");
        if let Some(kind) = kind {
            let make = ["--keypairgen", "--key-type", kind, "--label", "other", "--id", &id];
            hsm.pkcs11_tool_on("node-1", &make);
            let public = ["--delete-object", "--type", "pubkey", "--label", "other"];
            hsm.pkcs11_tool_on("node-1", &public);
        }
        let before = hsm.objects("node-1");
        home.fails(&["sign"], b"hello", &found);
        home.fails(&["id", "write-public-key"], b"", &found);
        let (code, verdict, conclusion) = doctor(&home, &["--probe"]);
        assert_eq!((code, &verdict["state"]), (1, &json!("fail")), "{verdict}");
        for (field, texts) in [("found", &found), ("advice", &advice)] {
            for text in texts {
                assert!(verdict[field].as_str().unwrap().contains(text), "{text}: {verdict}");
            }
        }
        assert_eq!(conclusion, "This identity does not work here.");
        assert_eq!(hsm.objects("node-1"), before, "{kind:?}");
    }
}

/// Of a key that is to be adopted nothing was there before.
#[test]
fn a_named_key_without_its_private_half_or_with_another_is_not_said_to_be_lost() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    let make = |label| {
        let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--id", "07"];
        hsm.pkcs11_tool_on("node-1", &[&make[..], &["--label", label]].concat());
    };
    make("its");
    hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", "privkey", "--id", "07"]);
    let key = format!("pkcs11:token=node-1;id=%07?module-path={}", hsm.fault_module());
    let named = |how: &str| {
        let how = ["--format", "json", "backend", "doctor", how, "--key", &key];
        let report: Value = serde_json::from_str(&home.icnctl(&how, b"").out).unwrap();
        let verdicts = report["verdicts"].as_array().unwrap();
        let verdict = verdicts.iter().find(|it| it["requirement"] == "the key that is there");
        verdict.unwrap().clone()
    };
    let says = |part: &str, text: &str| {
        let verdict = named("--probe");
        assert_eq!(verdict["state"], "fail", "{verdict}");
        assert!(verdict[part].as_str().unwrap().contains(text), "{text}: {verdict}");
        assert!(!verdict["advice"].as_str().unwrap().contains("own backup"), "{verdict}");
    };
    says("found", "and not its private key");
    says("advice", "the public half alone");
    make("other");
    hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", "pubkey", "--label", "other"]);
    says("found", "another one of its kind");
    says("advice", "name another key");
}

/// By the token's own tool, say: `id write-public-key` cannot make it shown.
#[test]
fn a_public_key_that_is_a_private_object_is_not_said_to_be_back() {
    for renewed in [false, true] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        home.ok(&[&init[..], &["--algorithm", "p256"]].concat(), b"");
        if renewed {
            // The header knows then that it was shown.
            home.ok(&["id", "renew"], b"");
        }
        let id = home.show()["key_id"].as_str().unwrap().to_owned();
        let file = home.beside("public.der");
        let file = file.to_str().unwrap();
        hsm.pkcs11_tool_on(
            "node-1",
            &["--read-object", "--type", "pubkey", "--id", &id, "-o", file],
        );
        delete(&hsm, "pubkey");
        let write = ["--write-object", file, "--type", "pubkey", "--private", "--id", &id];
        hsm.pkcs11_tool_on("node-1", &[&write[..], &["--label", "icn-identity"]].concat());
        let before = hsm.objects("node-1");
        home.fails(&["sign"], b"hello", &["does not show the public key"]);
        let says = [
            "has the public key with id ",
            "shows it within a login only",
            "icnctl id relocate --key 'pkcs11:token=LABEL'",
        ];
        let (_, calls) = hsm.calls(|| home.fails(&["id", "write-public-key"], b"", &says));
        assert_eq!((count(&calls, "C_Login"), count(&calls, "C_CreateObject")), (1, 0));
        // What it says does it.
        home.ok(&["id", "relocate", "--key", "pkcs11:token=node-1"], b"");
        home.ok(&["sign"], b"hello");
        home.ok(&["id", "show", "--check"], b"");
        // Nothing is wrong with it any more, and nothing is to be written.
        home.ok(&["id", "write-public-key"], b"");
        assert_eq!(hsm.objects("node-1"), before);
    }
}

/// With the serial number of the one before, or with another: a token that was initialised
/// anew has no key.
#[test]
fn a_token_that_was_initialised_anew_is_a_problem_with_its_advice() {
    for (script, shown) in [("serial 0042", true), ("", false)] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(script);
        let home = hsm.faulty_identity("node-1");
        home.ok(&["id", "show", "--check"], b"");
        hsm.unplug();
        hsm.token("node-1");
        let checked = home.icnctl(&["id", "show", "--check"], b"");
        assert_eq!(checked.code, 1, "{}", checked.out);
        let text = home.ok(&["id", "show"], b"");
        let (code, verdict, _) = doctor(&home, &[]);
        assert_eq!((code, &verdict["state"]), (1, &json!("fail")), "{verdict}");
        let said = match shown {
            true => ["does not show the public key", "own backup"],
            false => ["has another serial number", "initialised anew"],
        };
        for part in said {
            for told in [&checked.out, &text] {
                assert!(told.contains(part), "{part}: {told}");
            }
        }
        assert!(!text.contains("No problem") && !checked.out.contains("No problem"));
        assert!(!text.contains("plug the token in"), "{text}");
        if !shown {
            let advice = verdict["advice"].as_str().unwrap();
            assert!(advice.contains("initialised anew") && advice.contains("relocate"), "{advice}");
        }
    }
}

/// As nothing else is there, it may hide its keys; but it has shown this one.
#[test]
fn a_key_that_is_gone_from_a_token_with_nothing_else_is_a_problem() {
    for header_knows in [false, true] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1");
        if header_knows {
            // From the start, and the configuration does not say it.
            assert!(home.read("identity.json").contains("\"key_shown\": true"));
            let config = home.read("icn.toml");
            assert!(config.contains("key_shown = true\n"), "{config}");
            home.write("icn.toml", &config.replace("key_shown = true\n", ""));
            assert!(!home.read("icn.toml").contains("key_shown"));
        }
        for kind in ["pubkey", "privkey"] {
            delete(&hsm, kind);
        }
        let storage = ["--delete-object", "--type", "secrkey", "--label", "icn-identity storage"];
        hsm.pkcs11_tool_on("node-1", &storage);
        let checked = home.icnctl(&["id", "show", "--check"], b"");
        assert_eq!(checked.code, 1, "{}", checked.out);
        let problem = "PROBLEM: token node-1 does not show the public key with id ";
        assert!(checked.out.contains(problem), "{}", checked.out);
        assert!(checked.out.contains("own backup"), "{}", checked.out);
        assert_eq!(home.show()["device"]["state"], "not-shown");
        let text = home.ok(&["id", "show"], b"");
        assert!(text.contains("WARNING, the token does not show this key"), "{text}");
        assert!(text.contains("own backup"), "{text}");
        let (code, verdict, _) = doctor(&home, &[]);
        assert_eq!((code, &verdict["state"]), (1, &json!("fail")), "{verdict}");
        assert!(verdict["advice"].as_str().unwrap().contains("icnctl id write-public-key"));
    }
}
