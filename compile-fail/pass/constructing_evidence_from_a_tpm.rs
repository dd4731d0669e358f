use icn_identity::evidence::DeviceIdentity;
use icn_identity::{DidSigner, DidSignerExt};

fn read(signer: &dyn DidSigner) -> Option<&DeviceIdentity> {
    signer.evidence()?.device()
}

fn main() {}
