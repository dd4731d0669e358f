//! The commands in `docs/backup.md` do what the page says.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::Command;

use support::home::{FAST, run, write_private};

/// The blocks of `sh` on the page, in order.
fn blocks() -> Vec<String> {
    let page = include_str!("../../../docs/backup.md");
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let (block, more) = after.split_once("```").unwrap();
        blocks.push(block.to_owned());
        rest = more;
    }
    blocks
}

#[test]
fn the_drill_on_the_page_works_as_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join(".icn");
    std::fs::DirBuilder::new().mode(0o700).create(&node).unwrap();
    write_private(&node.join("icn.toml"), FAST);
    let blocks = blocks();
    assert!(blocks.len() >= 4, "{blocks:?}");
    let bin = Path::new(env!("CARGO_BIN_EXE_icnctl")).parent().unwrap().display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let script = blocks.concat();
    let ran = run(
        Command::new("bash")
            .args(["-eu", "-o", "pipefail", "-c", &script])
            .current_dir(dir.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", dir.path())
            .env("ICN_PASSPHRASE", "of the reader's own"),
        b"",
    );
    assert_eq!(ran.code, 0, "{script}\n{}{}", ran.out, ran.err);
    // What the page promises of it.
    for said in ["Nothing was written.", "restored to ", "\nvalid\n"] {
        assert!(ran.out.contains(said), "{said:?} in {}", ran.out);
    }
}
