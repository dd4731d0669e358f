//! Where a home is: never in a directory called `~`, and the same wherever one stands.

use support::home::{Home, PASSPHRASE, Ran, run};

/// In a directory of its own, without the usual variable.
fn icnctl(home: &Home, variables: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = home.command(args);
    command.env_remove("ICN_HOME").env("ICN_PASSPHRASE", PASSPHRASE).current_dir(home.path(".."));
    command.envs(variables.iter().copied());
    run(&mut command, b"x")
}

#[test]
fn a_variable_that_names_no_absolute_path_is_refused() {
    let home = Home::new();
    for (variable, value) in [
        ("ICN_HOME", "~/foo"),
        ("ICN_HOME", "~"),
        ("ICN_HOME", "~root/foo"),
        ("ICN_HOME", "foo"),
        ("ICN_HOME", "./foo"),
        ("ICN_HOME", "../foo"),
        ("HOME", "relative"),
        ("HOME", "~"),
    ] {
        for args in [&["id", "init"][..], &["id", "show"], &["sign"], &["peer", "list"]] {
            let ran = icnctl(&home, &[(variable, value)], args);
            assert_eq!(ran.code, 1, "{variable}={value} {args:?}: {}", ran.err);
            for text in [&format!("${variable} is not an absolute path: {value}"), "--home"] {
                assert!(ran.err.contains(text), "{text}: {}", ran.err);
            }
            assert_eq!(ran.err.contains("a shell replaces ~"), value == "~/foo" || value == "~");
        }
        for name in ["~", "foo", "relative"] {
            assert!(!home.beside(name).exists(), "{name} was made");
        }
    }
    // Nobody looks at what is not used.
    let absolute = home.beside("there");
    let named = [("HOME", "relative"), ("ICN_HOME", absolute.to_str().unwrap())];
    assert_eq!(icnctl(&home, &named, &["id", "init"]).code, 0);
    let mut verify = home.command(&["verify", "--did", "x", "--signature", "x"]);
    let ran = run(verify.env("ICN_HOME", "~"), b"");
    assert!(!ran.err.contains("ICN_HOME"), "{}", ran.err);
}

#[test]
fn a_home_with_a_tilde_that_no_shell_has_replaced_is_refused() {
    let home = Home::new();
    for args in [
        &["--home=~/foo", "id", "init"][..],
        &["--home", "~", "id", "init"],
        &["--home", "there", "id", "rotation", "create", "--reason", "manual", "--successor=~/n"],
    ] {
        let ran = icnctl(&home, &[], args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains("write $HOME in the place of ~"), "{}", ran.err);
        assert!(!home.beside("~").exists());
    }
    assert_eq!(icnctl(&home, &[], &["--home", "./~", "id", "init"]).code, 0);
    assert!(home.beside("~").exists());
}

#[test]
fn what_is_printed_is_an_absolute_path() {
    let home = Home::new();
    let config = home.beside("there");
    std::fs::create_dir(&config).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&config, private).unwrap();
    std::fs::write(config.join("icn.toml"), support::home::FAST).unwrap();
    let run = |args: &[&str]| {
        let ran = icnctl(&home, &[], &[&["--home", "there"], args].concat());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        ran.out
    };
    let absolute = |name: &str| {
        let dir = std::fs::canonicalize(home.path("..")).unwrap();
        dir.join(name).to_str().unwrap().to_owned()
    };
    assert!(run(&["id", "init"]).contains(&absolute("there")));
    let ran = icnctl(&home, &[], &["--home", "missing", "sign"]);
    assert!(ran.err.contains(&absolute("missing")), "{}", ran.err);
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let backup = run(&["id", "backup", "--recipient", recipient, "-o", "b.age"]);
    assert!(backup.contains(&format!("backed up to {}", absolute("b.age"))), "{backup}");
    let json = run(&["--format", "json", "id", "backup", "--recipient", recipient, "-o", "c.age"]);
    assert!(json.contains(&absolute("c.age")), "{json}");
    let secret = ["id", "export", "--secret", "--recipient", recipient, "-o", "e.age"];
    assert!(run(&secret).contains(&absolute("e.age")));
}

/// systemd's variable, of a program that uses the library.
#[test]
fn a_directory_of_credentials_that_is_relative_is_refused() {
    use icn_identity::error::CredentialError;
    use icn_identity::home::CredentialSource;
    support::alone::alone_with(&[("CREDENTIALS_DIRECTORY", "relative")], || {
        let error = CredentialSource::systemd("pin").passphrase().unwrap_err();
        assert!(
            matches!(
                &error,
                icn_identity::Error::Credential(CredentialError::NotAbsolute { variable })
                    if variable == "CREDENTIALS_DIRECTORY"
            ),
            "{error:?}"
        );
    });
}

/// A directory that was named by mistake, by root too.
#[test]
fn no_directory_that_serves_for_other_things_is_to_be_made_private() {
    let home = Home::new();
    let own = home.beside("users home");
    std::fs::create_dir(&own).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&own, open).unwrap();
    let own = own.to_str().unwrap();
    let variables = [("HOME", own), ("ICN_HOME", "")];
    for place in ["/", "/etc", "/tmp", "/usr/bin", "/var/lib", "/usr", own] {
        for args in [&["id", "show"][..], &["sign"], &["id", "init"], &["peer", "list"]] {
            let ran = icnctl(&home, &variables, &[&["--home", place], args].concat());
            assert_eq!(ran.code, 1, "{place} {args:?}: {}", ran.out);
            let wanted = ["there is no identity in it", "name a directory of its own below it"];
            assert!(wanted.iter().all(|text| ran.err.contains(text)), "{place}: {}", ran.err);
            assert!(!ran.err.contains("chmod") && !ran.err.contains("chown"), "{}", ran.err);
        }
    }
    // One that is empty, or an identity's, is made fit for it.
    let empty = home.beside("empty");
    std::fs::create_dir(&empty).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&empty, open).unwrap();
    let ran = icnctl(&home, &[], &["--home", empty.to_str().unwrap(), "id", "init"]);
    assert!(ran.err.contains("run: chmod 700 "), "{}", ran.err);
}
