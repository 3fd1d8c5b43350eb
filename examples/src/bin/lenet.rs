//! LeNet-5.
fn main() {}
