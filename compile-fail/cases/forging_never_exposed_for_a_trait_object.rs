use icn_identity::NeverExposed;

trait Local {}

impl NeverExposed for dyn Local {}

fn main() {}
