use icn_identity::{Key, Locked, Pin, Software};

fn unlock(key: Key<Software, Locked>, pin: &Pin) {
    let _ = key.unlock(pin);
}

fn main() {}
