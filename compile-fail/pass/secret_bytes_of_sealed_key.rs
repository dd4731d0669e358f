use icn_identity::{Hardware, Key, Sealed};

fn show(key: &Key<Hardware, Sealed>) -> [u8; 32] {
    let icn_identity::VerifyingKey::Ed25519(public) = key.verifying_key() else { return [0; 32] };
    *public.as_bytes()
}

fn main() {}
