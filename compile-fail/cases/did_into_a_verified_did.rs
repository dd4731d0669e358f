use icn_identity::Did;
use icn_identity::peer::VerifiedDid;

fn act_for(peer: VerifiedDid) -> String {
    peer.to_string()
}

fn believe(claimed: Did) -> String {
    act_for(claimed)
}

fn main() {}
