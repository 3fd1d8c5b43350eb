use crate::{fails, figure, printed, program, smoke};

const TRAFFIC: &str = program!("traffic");

#[test]
fn forecasts_beat_persistence() {
    let (printed, sizes) = smoke(TRAFFIC, &["traffic.png"]);
    let of = |name| figure(&printed, name);
    assert!(
        of("rmse") < of("persistence rmse") && of("mae") < of("persistence mae"),
        "{printed}"
    );
    assert_eq!(sizes, [(800, 500)]);
}

#[test]
fn the_papers_recipe_is_another() {
    // Two epochs of it don't beat persistence, so the smoke run fails; the other recipe's does.
    fails(
        TRAFFIC,
        &["--smoke", "--epochs", "2", "--recipe", "paper"],
        "the RMSE, against persistence's, is",
    );
    let change = || printed(TRAFFIC, &["--smoke", "--epochs", "2", "--recipe", "change"]);
    assert_eq!(change(), change());
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (
            &["--smoke", "--lr", "0"][..],
            "the RMSE, against persistence's, is",
        ),
        (&["--epochs", "0"], "--epochs is 0"),
        (&["--hidden", "0"], "hidden is 0"),
        (&["--lr=-1"], "lr is -1"),
        (
            &["--dataset", "los-loop"],
            "los_speed.csv is missing: run `cargo xtask data los-loop`",
        ),
        (&["--device", "gpu"], "unknown device"),
    ] {
        fails(TRAFFIC, flags, message);
    }
}
