use icn_identity::{Hardware, Holds};

enum Mine {}

impl Holds<Mine> for Hardware {}

fn main() {}
