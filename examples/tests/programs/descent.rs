use crate::{fails, figure, figures, program, smoke};

const DESCENT: &str = program!("descent");

#[test]
fn rules_differ_where_the_surfaces_say_so() {
    let (printed, sizes) = smoke(DESCENT, &["descent.png"]);
    assert_eq!(figures(&printed).len(), 18);
    let reached = |name| figure(&printed, name);
    assert!(reached("plateau gradient descent") > 0.9 && reached("plateau adam") < 0.01);
    assert!(reached("saddle momentum") < -0.99);
    assert!(reached("double well gradient descent") > 0.2 && reached("double well momentum") < -0.3);
    // As many looks at the points: one step, or 256.
    assert!(
        reached("batch loss") > 1. && reached("mini-batch loss") < 0.02 && reached("stochastic loss") < 0.02
    );
    assert_eq!(sizes, [(1380, 520)]);
}

#[test]
fn what_is_wrong_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    fails(DESCENT, &["--out", file.to_str().unwrap()], "file: ");
    fails(DESCENT, &["--device", "gpu"], "unknown device");
    fails(DESCENT, &["--lr-scale", "-1"], "lr is -");
    fails(DESCENT, &["--smoke", "--steps", "1"], "below 0.01 was expected");
}
