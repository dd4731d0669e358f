//! Files that ask for more work or memory than they are worth.

use std::process::Command;

use support::home::{FAST, Home, PASSPHRASE, run};

/// With so little memory that the work cannot even begin.
fn sign(home: &Home, memory: &str) -> support::home::Ran {
    let sign = home.command(&["sign"]);
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--as={memory}"))
        .arg(sign.get_program())
        .arg("sign")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("ICN_HOME", home.path(""))
        .env("ICN_PASSPHRASE", PASSPHRASE);
    run(&mut command, b"hello")
}

fn with_work(age: &[u8], work: &str) -> Vec<u8> {
    let start = age.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let end = start + age[start..].iter().position(|byte| *byte == b'\n').unwrap();
    assert!(age[..end].ends_with(b" 10"));
    [&age[..end - 2], work.as_bytes(), &age[end..]].concat()
}

#[test]
fn a_scrypt_bomb_is_refused_without_the_work() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let age = std::fs::read(home.path("identity.age")).unwrap();
    let memory = (256 * 1024 * 1024).to_string();
    assert_eq!(sign(&home, &memory).code, 0);
    // 22 can be allowed, and is not; 2^63 is the most that age can say.
    for work in ["21", "22", "30", "40", "63"] {
        std::fs::write(home.path("identity.age"), with_work(&age, work)).unwrap();
        let ran = sign(&home, &memory);
        assert_eq!(ran.code, 1, "{work}: {}", ran.err);
        let file = home.path("identity.age");
        let wanted = [
            format!("{} cannot be opened", file.display()),
            format!("asks for scrypt work 2^{work}, more than the limit 2^20"),
            "try: ".to_owned(),
            "max_work_factor".to_owned(),
        ];
        assert!(wanted.iter().all(|text| ran.err.contains(text)), "{work}: {}", ran.err);
    }
    // What is no work factor.
    for work in ["0", "64", "99", "255", "256", "300", "010", "+9", "-1", "1e1", "", "10 10", "９"]
    {
        std::fs::write(home.path("identity.age"), with_work(&age, work)).unwrap();
        let ran = sign(&home, &memory);
        // Not read as a number, or as one that is not the file's.
        let told = ["identity.age cannot be opened", "the passphrase does not open this key"];
        assert!(ran.code == 1 || ran.code == 77, "{work:?}: {}", ran.err);
        assert!(told.iter().any(|text| ran.err.contains(text)), "{work:?}: {}", ran.err);
    }
    // Less than was written is another key.
    std::fs::write(home.path("identity.age"), with_work(&age, "9")).unwrap();
    assert_eq!(sign(&home, &memory).code, 77);
}

/// The limit is the operator's.
#[test]
fn the_limit_can_be_lowered_and_raised() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let age = std::fs::read(home.path("identity.age")).unwrap();
    home.write("icn.toml", &format!("{FAST}max_work_factor = 11\n"));
    std::fs::write(home.path("identity.age"), with_work(&age, "12")).unwrap();
    home.fails(&["sign"], b"", &["work 2^12, more than the limit 2^11"]);
    home.write("icn.toml", &format!("{FAST}max_work_factor = 12\n"));
    home.refused(&["sign"], b"", &["the passphrase does not open this key"]);
}

#[test]
fn files_that_are_too_long_are_refused_unread() {
    for name in ["identity.age", "identity.json"] {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        home.ok(&["id", "init"], b"");
        let file = std::fs::File::options().write(true).open(home.path(name)).unwrap();
        // Sparse: a terabyte that is not there.
        file.set_len(1 << 40).unwrap();
        let memory = (256 * 1024 * 1024).to_string();
        let ran = sign(&home, &memory);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains(name) && ran.err.contains("longer than 1 MiB"), "{}", ran.err);
    }
}
