use icn_identity::Evidence;

fn forge() -> Evidence {
    Evidence::software()
}

fn main() {}
