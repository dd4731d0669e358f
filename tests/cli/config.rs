//! `icnctl config`: a template, and what would be used and why.

use serde_json::Value;
use support::home::{FAST, Home, PASSPHRASE, Ran, run, write_private};
use support::softhsm::{PIN, SoftHsm, module};
use support::swtpm::Swtpm;

use super::age::identity;

fn check(home: &Home, args: &[&str]) -> (i32, Value) {
    let ran = home.icnctl(&[&["--format", "json", "config", "check"], args].concat(), b"");
    let json = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    (ran.code, json)
}

/// `identity.tpm.pin`: value, where it comes from, line.
fn field<'a>(checked: &'a Value, table: &str, name: &str) -> [&'a Value; 3] {
    let named = |values: &'a Value, key: &str, name: &str| {
        values.as_array().unwrap().iter().find(|it| it[key] == *name).unwrap()
    };
    let field = named(&named(&checked["tables"], "table", table)["fields"], "name", name);
    [&field["value"], &field["from"], &field["line"]]
}

fn problems(checked: &Value) -> Vec<String> {
    let problems = checked["problems"].as_array().unwrap().iter();
    problems.map(|it| format!("{}|{}", it["problem"], it["help"])).collect()
}

/// As a person begins: the template, an identity, a look.
#[test]
fn an_identity_begins_with_the_template_and_keeps_it() {
    let mut homeless = Home::new().command(&["config", "template"]);
    homeless.env_remove("ICN_HOME");
    let Ran { code, out: template, err } = run(&mut homeless, b"");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(template.contains("\n#work_factor = 18\n"), "{template}");
    let hsm = SoftHsm::with_token("node-1");
    let age = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    for (home, init) in [(age, vec!["id", "init"]), (hsm.home(), hsm.init("node-1"))] {
        home.write("icn.toml", &template);
        let before = check(&home, &[]);
        assert_eq!(before.0, 0, "{}", before.1);
        assert!(before.1["notes"][0].as_str().unwrap().contains("no identity in "), "{}", before.1);
        home.ok(&init, b"");
        let kept = home.read("icn.toml");
        for line in template.lines().filter(|line| line.starts_with('#')) {
            assert!(kept.contains(line), "{line}: {kept}");
        }
        let did = home.show()["did"].as_str().unwrap().to_owned();
        let (code, checked) = check(&home, &[]);
        assert_eq!(code, 0, "{checked}");
        let [value, from, line] = field(&checked, "identity", "did");
        assert_eq!(
            (value.as_str().unwrap(), from.as_str().unwrap()),
            (&*format!("{did:?}"), "file")
        );
        let line = usize::try_from(line.as_u64().unwrap()).unwrap();
        assert!(kept.lines().nth(line - 1).unwrap().starts_with("did = "), "{line}: {kept}");
        assert_eq!(checked["did"], *did);
        home.ok(&["sign"], b"x");
    }
}

#[test]
fn each_value_is_shown_with_what_has_set_it() {
    let home = identity();
    let (code, checked) = check(&home, &[]);
    assert_eq!((code, &checked["problems"]), (0, &Value::Array(vec![])), "{checked}");
    let path = home.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    assert_eq!(checked["home"]["path"].as_str().unwrap().trim_end_matches('/'), path);
    assert_eq!(checked["home"]["from"], "$ICN_HOME");
    assert_eq!(checked["file"]["from"], "in the home");
    assert_eq!(checked["file"]["exists"], true);
    assert_eq!(checked["passphrase"]["from"], "$ICN_PASSPHRASE");
    assert_eq!(checked["pin"], Value::Null);
    assert_eq!(field(&checked, "identity.age", "work_factor")[..2], ["10", "file"]);
    assert_eq!(field(&checked, "identity.age", "max_work_factor")[..2], ["20", "default"]);
    assert_eq!(field(&checked, "identity", "backend")[1], "file");
    assert_eq!(field(&checked, "identity.tpm", "approver")[1], "not set");

    let text = home.ok(&["config", "check"], b"");
    for line in
        ["  work_factor      10  line ", "  max_work_factor  20  default\n", "no device was asked"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains("($ICN_HOME)") && !text.contains(PASSPHRASE), "{text}");
    assert!(!text.contains("[identity.tpm]"), "of another backend: {text}");

    // Named on the command line.
    let other = home.beside("other.toml");
    std::fs::write(&other, home.read("icn.toml").replace("10", "11")).unwrap();
    let secret = home.beside("secret");
    write_private(&secret, PASSPHRASE);
    let (secret, other) = (secret.to_str().unwrap(), other.to_str().unwrap());
    let named = ["--home", &path, "--config", other, "--passphrase-file", secret];
    let (code, checked) = check(&home, &named);
    assert_eq!(code, 0, "{checked}");
    assert_eq!([&checked["home"]["from"], &checked["file"]["from"]], ["--home", "--config"]);
    assert_eq!(checked["file"]["path"], other);
    assert_eq!(field(&checked, "identity.age", "work_factor")[0], "11");
    assert_eq!(checked["passphrase"]["from"], format!("{secret} (--passphrase-file)"));
    assert!(!checked.to_string().contains(PASSPHRASE), "{checked}");
}

#[test]
fn a_token_is_shown_with_what_its_options_say_and_no_pin_is_sent() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let (code, checked) = check(&home, &[]);
    assert_eq!(code, 0, "{checked}");
    assert_eq!(
        field(&checked, "identity.pkcs11", "module")[..2],
        [&*format!("{:?}", module()), "file"]
    );
    assert_eq!(field(&checked, "identity.pkcs11", "verify_after_sign")[..2], ["true", "default"]);
    assert_eq!(checked["pin"]["from"], "$ICN_PIN");
    let key = "pkcs11:token=node-1?pin-source=file:/run/pin";
    let (code, checked) = check(&home, &["--key", key]);
    let [value, from, line] = field(&checked, "identity.pkcs11", "key");
    assert!(value.as_str().unwrap().contains("token=node-1"), "{checked}");
    assert_eq!((from, line), (&Value::from("--key"), &Value::Null));
    assert_eq!(checked["pin"]["from"], "/run/pin (pin-source of --key)");
    // Which is not there.
    assert_eq!(code, 1, "{checked}");
    assert!(problems(&checked)[0].contains("the file with the PIN, /run/pin, cannot be read"));
    assert!(!checked.to_string().contains(PIN), "{checked}");
    let text = home.icnctl(&["config", "check"], b"");
    assert!(!text.out.contains(PIN) && !text.err.contains(PIN), "{}{}", text.out, text.err);
    let said = ["--key is for the pkcs11 backend"];
    identity().misuses(&["--key", "pkcs11:token=node-1", "config", "check"], b"", &said);
}

/// Each with a hint, and exit 1.
#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let did = identity().show()["did"].as_str().unwrap().to_owned();
    let home = identity();
    let good = home.read("icn.toml");
    let pinned = good.lines().find(|line| line.starts_with("did = ")).unwrap();
    let cases = [
        (FAST.to_owned(), "does not say whose identity is here", "did = "),
        (good.replace(pinned, &format!("did = {did:?}")), "the configuration pins ", "null"),
        (
            format!("{FAST}[identity]\nbackend = \"pkcs11\"\n"),
            "there is no [identity.pkcs11] with a module",
            "[identity.pkcs11]",
        ),
        (
            format!("backend = \"age\"\n{good}"),
            "`backend` (line 1) is taken for ",
            "identity.backend",
        ),
        (format!("{good}\n[tpm]\npin = false\n"), "`tpm` (line ", "`identity.tpm`"),
    ];
    for (text, problem, help) in cases {
        home.write("icn.toml", &text);
        let (code, checked) = check(&home, &[]);
        assert_eq!(code, 1, "{text}: {checked}");
        let found = problems(&checked);
        let is_named = |found: &&String| found.contains(problem);
        let found = found.iter().find(is_named).unwrap_or_else(|| panic!("{problem}: {checked}"));
        assert!(help == "null" || found.contains(help), "{help}: {found}");
        let ran = home.icnctl(&["config", "check"], b"");
        assert!(
            ran.code == 1 && ran.out.contains("PROBLEM: ") && ran.out.contains("  try: "),
            "{}",
            ran.out
        );
    }
    let token = |module: &str| {
        format!("[identity]\nbackend = \"pkcs11\"\n[identity.pkcs11]\nmodule = {module:?}\n")
    };
    let tpm = |more: &str| format!("[identity]\nbackend = \"tpm\"\n[identity.tpm]\n{more}\n");
    let swtpm = Swtpm::start();
    let virtual_tpm = format!("device_path = {:?}", swtpm.tcti());
    for (text, problem) in [
        (token("/nowhere/at/all.so"), Some("the PKCS#11 module /nowhere/at/all.so cannot be had")),
        (token("libsofthsm2.so"), Some("`module` is no absolute path: libsofthsm2.so")),
        (token(module()), None),
        (tpm("device_path = \"/dev/no-tpm\""), Some("the TPM /dev/no-tpm cannot be had")),
        (tpm(&virtual_tpm), None),
        (
            tpm(&format!("{virtual_tpm}\npolicy = \"authorized\"\napprover = \"/nowhere.pem\"")),
            Some("the approver's public key /nowhere.pem cannot be had"),
        ),
    ] {
        let home = Home::new();
        home.write("icn.toml", &text);
        let (code, checked) = check(&home, &[]);
        let found = problems(&checked);
        match problem {
            Some(problem) => {
                assert!(
                    code == 1 && found.iter().any(|it| it.contains(problem)),
                    "{problem}: {checked}"
                );
            }
            None => assert_eq!((code, found.len()), (0, 0), "{checked}"),
        }
    }
    // A text that cannot be read is answered as by every command, and by the template.
    home.write("icn.toml", "[identity]\nbakend = \"age\"\n");
    home.fails(&["config", "check"], b"", &["line 2", "`bakend`", "icnctl config template"]);
}

#[test]
fn what_says_nothing_here_is_noted() {
    let home = identity();
    let text = home.read("icn.toml");
    home.write("icn.toml", &format!("{text}\n[identity.tpm]\npin = false\n[network]\nport = 1\n"));
    let (code, checked) = check(&home, &[]);
    assert_eq!(code, 0, "{checked}");
    let notes = checked["notes"].to_string();
    assert!(notes.contains("is not used: the backend is age"), "{notes}");
    assert!(notes.contains("belongs to another program"), "{notes}");
    let none = Home::new();
    std::fs::remove_file(none.path("icn.toml")).unwrap();
    let (code, checked) = check(&none, &[]);
    assert_eq!((code, &checked["file"]["exists"]), (0, &Value::Bool(false)), "{checked}");
    assert!(checked["notes"].to_string().contains("everything is at its default"), "{checked}");
}

/// Where it is written down who had the key do what, and where the daemon is asked: by whichever
/// field, or none.
#[test]
fn check_says_where_the_log_and_the_socket_are() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let config = home.read("icn.toml");
    let token = "[identity.pkcs11]\nmodule = \"/m.so\"\naudit_log = \"keys.log\"\n";
    let in_home = |name: &str| home.path(name).display().to_string();
    for (text, log, from, socket, of) in [
        (
            "",
            in_home("audit.log"),
            "icnd writes it, and commands where it is there",
            in_home("icnd.sock"),
            "in the home",
        ),
        (
            token,
            in_home("keys.log"),
            "`audit_log` in [identity.pkcs11]",
            in_home("icnd.sock"),
            "in the home",
        ),
        (
            "[audit]\npath = \"/var/log/icn.log\"\n[daemon]\nsocket = \"/run/icnd/icnd.sock\"\n",
            "/var/log/icn.log".to_owned(),
            "`path` in [audit]",
            "/run/icnd/icnd.sock".to_owned(),
            "`socket` in [daemon]",
        ),
    ] {
        home.write("icn.toml", &format!("{config}{text}"));
        let said = home.ok(&["config", "check"], b"");
        let line = |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap();
        let (audit, listens) = (line("Audit log"), line("Socket"));
        assert!(audit.contains(&log) && audit.contains(from), "{audit}");
        assert!(audit.ends_with(", which is not there"), "{audit}");
        assert!(listens.contains(&socket) && listens.contains(of), "{listens}");
        let json: Value =
            serde_json::from_str(&home.ok(&["--format", "json", "config", "check"], b"")).unwrap();
        assert_eq!(
            (&json["audit_log"]["path"], &json["audit_log"]["exists"]),
            (&Value::from(log), &Value::from(false))
        );
        assert_eq!(json["socket"]["path"], socket);
    }
    home.write("icn.toml", &config);
    home.write("audit.log", "");
    let said = home.ok(&["config", "check"], b"");
    assert!(
        said.lines().any(|line| line.starts_with("Audit log") && line.ends_with("there)")),
        "{said}"
    );
}
