use icn_identity::{Custody, DidSigner, DidSignerExt};

struct Mine<S>(S);

impl<S: DidSigner> Mine<S> {
    fn custody_of_inner(&self) -> Custody {
        self.0.custody()
    }
}

fn main() {}
