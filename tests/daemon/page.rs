//! docs/operations.md, of which some blocks are read and run here.

/// The whole page.
pub(crate) const PAGE: &str = include_str!("../../docs/operations.md");

/// The text of its one block that contains this.
#[track_caller]
pub(crate) fn block_with(text: &str) -> String {
    let inside = PAGE.split("\n```").skip(1).step_by(2);
    let found: Vec<&str> = inside.filter(|block| block.contains(text)).collect();
    let [block] = found[..] else { panic!("{} blocks with {text}", found.len()) };
    block.split_once('\n').unwrap().1.to_owned() + "\n"
}
