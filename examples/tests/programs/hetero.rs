use crate::{fails, figure, printed, program, smoke};

const HETERO: &str = program!("hetero");

#[test]
fn types_of_nodes_and_edges_are_worth_something() {
    let (printed, sizes) = smoke(HETERO, &["hetero.png"]);
    let (with, without) = (
        figure(&printed, "test accuracy"),
        figure(&printed, "homogeneous accuracy"),
    );
    assert!(with >= 0.7 && with > without + 0.1, "{printed}");
    assert_eq!(sizes, [(800, 500)]);
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let run = || printed(HETERO, &["--smoke", "--seed", "3"]);
    assert_eq!(run(), run());
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(HETERO, &["--smoke", "--lr", "0"], "at least 0.7 was expected");
    fails(HETERO, &["--seeds", "0"], "--seeds is 0");
    fails(HETERO, &["--hidden", "0"], "out_features is 0");
    fails(HETERO, &["--lr=-1"], "lr is -1");
    fails(HETERO, &["--device", "gpu"], "unknown device");
}
