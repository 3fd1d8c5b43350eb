use crate::{fails, figure, printed, program, smoke};

const GCN: &str = program!("gcn");

#[test]
fn citations_tell_more_than_words() {
    let (printed, sizes) = smoke(GCN, &["gcn.png"]);
    let (with, without) = (
        figure(&printed, "test accuracy"),
        figure(&printed, "accuracy without citations"),
    );
    assert!(with >= 0.8 && with > without + 0.2, "{printed}");
    assert_eq!(sizes, [(800, 500)]);
}

#[test]
fn the_same_seeds_give_the_same_figures() {
    let run = || printed(GCN, &["--smoke", "--seeds", "2"]);
    assert_eq!(run(), run());
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (&["--smoke", "--lr", "0"][..], "at least 0.8 was expected"),
        (&["--seeds", "0"], "--seeds is 0"),
        (&["--hidden", "0"], "out_features is 0"),
        (&["--dropout", "1.5"], "p is 1.5"),
        (
            &["--weight-decay=-1"],
            "--weight-decay is -1, expected at least 0",
        ),
        (
            &["--dataset", "cora"],
            "ind.cora.test.index: is missing: run `cargo xtask data cora`",
        ),
        (&["--device", "gpu"], "unknown device"),
    ] {
        fails(GCN, flags, message);
    }
}
