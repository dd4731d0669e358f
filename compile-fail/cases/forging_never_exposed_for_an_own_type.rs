use icn_identity::NeverExposed;

struct Mine;

impl NeverExposed for Mine {}

fn main() {}
