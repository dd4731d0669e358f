use icn_identity::Did;
use icn_identity::peer::VerifiedDid;

fn believe(claimed: Did) -> VerifiedDid {
    VerifiedDid(claimed)
}

fn main() {}
