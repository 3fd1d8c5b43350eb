use crate::{fails, figure, program, smoke};

const FILTERS: &str = program!("filters");

#[test]
fn windows_and_filters_are_drawn() {
    let (printed, sizes) = smoke(FILTERS, &["convolution.png", "pooling.png", "filters.png"]);
    assert!(figure(&printed, "test accuracy") > 0.85, "{printed}");
    // The kernel at the first place: 1 + 0 + 2 on the left, 0 + 5 + 6 on the right.
    let table = printed.split("stride 1:\n").nth(1).unwrap();
    assert_eq!(table.split_whitespace().next(), Some("-8"));
    assert!(printed.contains("length 6, kernel 3, stride 2: 2"), "{printed}");
    assert!(printed.contains("4×4   16×16"), "{printed}");
    assert!(sizes.iter().all(|size| size.0 > 600 && size.1 > 200), "{sizes:?}");
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(FILTERS, &["--digit", "10"], "--digit is 10");
    fails(FILTERS, &["--batch-size", "0"], "batch_size is 0");
    fails(FILTERS, &["--lr=-1"], "lr is -1");
    fails(FILTERS, &["--epochs", "0"], "--epochs is 0");
    fails(FILTERS, &["--smoke", "--lr", "0"], "at least 0.85 was expected");
}
