use icn_identity::State;

fn generic<S: State>() {}

fn main() {}
