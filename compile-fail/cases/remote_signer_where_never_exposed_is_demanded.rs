use icn_identity::NeverExposed;
use icn_identity::client::RemoteSigner;

fn treasury<K: NeverExposed>(_: &K) {}

fn wrong(key: &RemoteSigner) {
    treasury(key);
}

fn main() {}
