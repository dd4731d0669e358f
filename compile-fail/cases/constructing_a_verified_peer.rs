use icn_identity::bundle::{BindingNumber, Instance};
use icn_identity::peer::{VerifiedDid, VerifiedPeer};

fn with_another_key(did: VerifiedDid, key: [u8; 32], instance: Instance) -> VerifiedPeer {
    let number = BindingNumber { epoch: 0, sequence: 1 };
    VerifiedPeer { did, x25519_public: key, not_after: u64::MAX, instance, number }
}

fn main() {}
