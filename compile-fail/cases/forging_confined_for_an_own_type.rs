use icn_identity::Confined;

struct Mine;

impl Confined for Mine {}

fn main() {}
