use crate::{fails, figure, program, smoke};

const SEGMENT: &str = program!("segment");

#[test]
fn shapes_are_found_and_drawn() {
    let (printed, sizes) = smoke(SEGMENT, &["segment.png"]);
    assert!(figure(&printed, "iou") > 0.5, "{printed}");
    // Four lines of twice a picture, the truth and the prediction.
    assert_eq!(sizes, [(6 * (48 * 3 + 6) + 6, 4 * (48 * 3 + 6) + 6)]);
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(SEGMENT, &["--side", "4"], "--side is 4");
    fails(SEGMENT, &["--side", "3037000500"], "--side is 3037000500");
    fails(SEGMENT, &["--epochs", "0"], "--epochs is 0");
    fails(SEGMENT, &["--pictures", "0"], "--pictures is 0");
    fails(SEGMENT, &["--pictures", "10", "--width", "0"], "width is 0");
    fails(
        SEGMENT,
        &["--pictures", "10", "--width", "1", "--depth", "6"],
        "sides of at least 64",
    );
    fails(
        SEGMENT,
        &["--pictures", "10", "--batch-size", "0"],
        "batch_size is 0",
    );
}
