use icn_identity::{Key, Sealed, TpmSealed, VerifyingKey};

fn show(key: &Key<TpmSealed, Sealed>) -> [u8; 32] {
    let VerifyingKey::Ed25519(public) = key.verifying_key() else { return [0; 32] };
    *public.as_bytes()
}

fn main() {}
