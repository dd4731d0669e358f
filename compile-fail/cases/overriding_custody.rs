use icn_identity::{Custody, DidSigner, DidSignerExt};

struct Mine<S>(S);

impl<S: DidSigner> DidSignerExt for Mine<S> {
    fn custody(&self) -> Custody {
        self.0.custody()
    }
}

fn main() {}
