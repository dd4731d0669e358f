use icn_identity::X25519PublicKey;
use icn_identity::bundle::{BindingNumber, Instance};
use icn_identity::peer::{VerifiedDid, VerifiedPeer};

fn with_another_key(did: VerifiedDid, key: X25519PublicKey, instance: Instance) -> VerifiedPeer {
    let number = BindingNumber { epoch: 0, sequence: 1 };
    VerifiedPeer { did, x25519_public: key, not_after: u64::MAX, instance, number }
}

fn main() {}
