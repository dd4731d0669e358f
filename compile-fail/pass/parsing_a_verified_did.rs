use icn_identity::Did;

fn read(text: &str) -> Option<Did> {
    Did::parse(text).ok()
}

fn main() {}
