use icn_identity::ExposeSecret;

struct Mine;

impl ExposeSecret for Mine {}

fn main() {}
