use crate::{fails, figure, printed, program, smoke};

const VIT: &str = program!("vit");

#[test]
fn patches_are_read() {
    let (printed, sizes) = smoke(VIT, &["predictions.png"]);
    assert!(figure(&printed, "test accuracy") > 0.85, "{printed}");
    // A hundred digits of 8×8 pixels, twice as large, with numbers below them.
    assert_eq!(sizes, [(226, 406)]);
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let run = || printed(VIT, &["--epochs", "1", "--seed", "7"]);
    let figures = |printed: &str| {
        printed
            .lines()
            .rev()
            .take(2)
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert_eq!(figures(&run()), figures(&run()));
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(VIT, &["--hidden", "0"], "intermediate_size is 0");
    fails(VIT, &["--patch", "9"], "--patch is 9");
    fails(VIT, &["--patch", "3"], "expected a divisor of 8");
    fails(
        VIT,
        &["--layers", "18446744073709551615"],
        "--layers is 18446744073709551615",
    );
    fails(VIT, &["--heads", "5"], "num_attention_heads = 5");
    fails(VIT, &["--lr=-1"], "lr is -1");
    fails(VIT, &["--batch-size", "0"], "--batch-size is 0");
    fails(VIT, &["--epochs", "0"], "--epochs is 0");
    fails(VIT, &["--smoke", "--lr", "0"], "at least 0.85 was expected");
}
