use icn_identity::{Hardware, Holds, Locked};

impl Holds<Locked> for Hardware {}

fn main() {}
