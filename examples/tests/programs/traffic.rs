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
    assert_eq!(sizes, [(900, 560)]);
}

#[test]
fn the_papers_recipe_is_another() {
    let run = |recipe| printed(TRAFFIC, &["--smoke", "--epochs", "1", "--recipe", recipe]);
    let paper = crate::run(TRAFFIC, &["--smoke", "--epochs", "1", "--recipe", "paper"]);
    let paper = String::from_utf8(paper.stdout).unwrap();
    assert!(paper.contains("epoch 1: loss "), "{paper}");
    let change = run("change");
    assert_ne!(paper, change);
    assert_eq!(change, run("change"));
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flags, message) in [
        (&["--smoke", "--lr", "0"][..], "below persistence's"),
        (&["--epochs", "0"], "is 0"),
        (&["--hidden", "0"], "is 0"),
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
