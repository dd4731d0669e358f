use icn_identity::Confined;

trait Local {}

impl Confined for dyn Local {}

fn main() {}
