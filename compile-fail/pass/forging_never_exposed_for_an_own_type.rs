use icn_identity::NeverExposed;

fn demand<K: NeverExposed>(_: &K) {}

fn main() {}
