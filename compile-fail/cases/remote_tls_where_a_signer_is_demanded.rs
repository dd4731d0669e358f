use icn_identity::DidSigner;
use icn_identity::client::RemoteTls;

fn treasury<S: DidSigner>(_: &S) {}

fn wrong(tls: &RemoteTls) {
    treasury(tls);
}

fn main() {}
