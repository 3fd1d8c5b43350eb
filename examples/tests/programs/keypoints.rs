use crate::{fails, figure, program, smoke};

const KEYPOINTS: &str = program!("keypoints");

#[test]
fn corners_are_found_and_drawn() {
    let (printed, sizes) = smoke(KEYPOINTS, &["keypoints.png"]);
    assert!(figure(&printed, "found within 2 pixels") > 0.5, "{printed}");
    assert!(figure(&printed, "mean distance") < 10., "{printed}");
    assert_eq!(sizes, [(6 * (48 * 3 + 6) + 6, 4 * (48 * 3 + 6) + 6)]);
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(KEYPOINTS, &["--side", "4"], "--side is 4");
    fails(KEYPOINTS, &["--pictures", "0"], "--pictures is 0");
    fails(KEYPOINTS, &["--pictures", "10", "--width", "0"], "width is 0");
    fails(KEYPOINTS, &["--pictures", "10", "--lr=-1"], "lr is -1");
}
