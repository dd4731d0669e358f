use icn_identity::peer::VerifiedDid;

fn believe(text: &str) -> Option<VerifiedDid> {
    VerifiedDid::parse(text).ok()
}

fn main() {}
