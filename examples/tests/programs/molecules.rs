use crate::{fails, figure, printed, program, smoke};

const MOLECULES: &str = program!("molecules");

#[test]
fn bonds_tell_molecules_of_the_same_atoms_apart() {
    let (printed, sizes) = smoke(MOLECULES, &["molecules.png"]);
    let (with, without) = (
        figure(&printed, "test accuracy"),
        figure(&printed, "accuracy without bonds"),
    );
    assert!(with >= 0.9 && without < 0.4, "{printed}");
    assert_eq!(sizes, [(1200, 900)]);
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let run = || printed(MOLECULES, &["--epochs", "2", "--seed", "3"]);
    assert_eq!(run(), run());
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(MOLECULES, &["--smoke", "--lr", "0"], "at least 0.9 was expected");
    fails(MOLECULES, &["--layers", "0"], "--layers is 0");
    fails(MOLECULES, &["--hidden", "0"], "out_features is 0");
    fails(MOLECULES, &["--lr=-1"], "lr is -1");
    fails(MOLECULES, &["--device", "gpu"], "unknown device");
}
