use icn_identity::Did;
use icn_identity::peer::VerifiedDid;

fn known(verified: &VerifiedDid) -> &Did {
    verified.as_did()
}

fn main() {}
