use icn_identity::Confined;

fn demand<K: Confined>(_: &K) {}

fn main() {}
