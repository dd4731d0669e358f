use icn_identity::ExposeSecret;

fn demand<K: ExposeSecret>(_: &K) {}

fn main() {}
