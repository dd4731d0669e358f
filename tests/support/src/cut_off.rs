//! `icnctl` killed while it writes.

use std::process::Command;

use crate::home::{Home, Ran, run};

/// Kills it at its `nth` rename, each of which makes one file of the identity.
pub fn at_rename(home: &Home, args: &[&str], nth: usize) -> Ran {
    let icnctl = home.command(args);
    let mut strace = Command::new("strace");
    let inject = format!("inject=rename,renameat,renameat2:signal=SIGKILL:when={nth}");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=rename,renameat,renameat2"]);
    strace.args(["-e", &inject]).arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
    strace.envs(icnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(&mut strace, b"")
}

/// Kills it at each rename in turn, each time in an empty home: there is no
/// identity, or one that is pinned and signs; and the command itself can be run
/// again until there is one.
pub fn at_every_rename(empty: impl Fn() -> Home, args: &[&str], did: &str) {
    for nth in 1.. {
        let home = empty();
        let ran = at_rename(&home, args, nth);
        if ran.code == 0 {
            // The configuration, the header, the payload; each was killed once.
            assert_eq!(nth, 4, "{}", ran.err);
            break;
        }
        assert_eq!(ran.code, -1, "install strace? {}{}", ran.out, ran.err);
        if !home.path("identity.age").exists() {
            let again = home.icnctl(args, b"");
            assert_eq!(again.code, 0, "at {nth}: {}", again.err);
        }
        assert!(home.read("icn.toml").contains(&format!("did = \"{did}\"")), "at {nth}");
        let signed = home.icnctl(&["sign"], b"x");
        assert_eq!((signed.code, signed.err.as_str()), (0, ""), "at {nth}");
        assert_eq!(home.show()["did"], did, "at {nth}");
        let left = std::fs::read_dir(home.path("")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.len() == 4, "at {nth}: {left:?}");
    }
}

/// What an `id init` leaves that was cut off between its two files.
pub fn init(home: &Home, header: &str) {
    let _ = std::fs::create_dir(home.path(""));
    home.chmod("", 0o700);
    home.write("identity.json", header);
    home.write(LEFT, "half of something");
}

/// What was put aside of it, so that the key of a device is not lost with it.
pub fn kept(home: &Home) -> Vec<String> {
    let names = std::fs::read_dir(home.path("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("identity.json.")).map(|name| home.read(&name)).collect()
}

/// A file that was not yet renamed.
pub const LEFT: &str = ".identity.json.0123456789abcdef01234567";
