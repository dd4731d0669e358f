use icn_identity::DidSigner;
use icn_identity::client::RemoteIdentity;

fn treasury<S: DidSigner>(_: &S) {}

fn right(identity: &RemoteIdentity) {
    treasury(&identity.signer());
}

fn main() {}
