use crate::{fails, figure, figures, program, smoke};

const LOSSES: &str = program!("losses");

#[test]
fn slopes_are_what_the_curves_say() {
    let (printed, sizes) = smoke(LOSSES, &["losses.png"]);
    assert_eq!(figures(&printed).len(), 21);
    let slope = |name: &str| figure(&printed, &format!("{name} slope"));
    assert!(slope("mse") == 6. && slope("huber, delta 2") == 2. && slope("quantile, q 0.8") == 0.8);
    assert!(slope("hinge") == 1. && slope("soft margin") < 1. && slope("log-cosh") < 1.);
    assert!(figure(&printed, "error of slopes") < 1e-4);
    assert_eq!(sizes, [(1360, 1350)]);
}

#[test]
fn what_is_wrong_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    fails(LOSSES, &["--out", file.to_str().unwrap()], "file: ");
    fails(LOSSES, &["--device", "gpu"], "unknown device");
    fails(LOSSES, &["--points", "1"], "--points is 1");
    fails(LOSSES, &["--reach", "-1"], "--reach is -1");
    fails(LOSSES, &["--reach", "nan"], "--reach is NaN");
}
