use icn_identity::Confined;
use icn_identity::client::RemoteSigner;

fn treasury<K: Confined>(_: &K) {}

fn wrong(key: &RemoteSigner) {
    treasury(key);
}

fn main() {}
