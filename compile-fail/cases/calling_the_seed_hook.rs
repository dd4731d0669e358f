use icn_identity::ExposeSecret;

fn steal<K: ExposeSecret>(key: &K) -> [u8; 32] {
    *key.seed(())
}

fn main() {}
