use icn_identity::State;

enum Mine {}

impl State for Mine {}

fn main() {}
