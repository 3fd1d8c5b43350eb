use crate::{fails, figure, figures, printed, program, smoke};

const GAN: &str = program!("gan");

#[test]
fn noise_becomes_digits() {
    let (printed, sizes) = smoke(GAN, &["samples.png"]);
    assert!(figure(&printed, "classifier accuracy") > 0.9, "{printed}");
    assert!(figure(&printed, "recognised") >= 0.35, "{printed}");
    assert!(figure(&printed, "digits covered") >= 8., "{printed}");
    assert!(sizes[0].0 > 600 && sizes[0].1 > 600, "{sizes:?}");
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let run = || printed(GAN, &["--epochs", "2", "--seed", "7"]);
    let (one, two) = (run(), run());
    assert_eq!(figures(&one), figures(&two));
    assert_eq!(figures(&one).len(), 5);
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(GAN, &["--noise", "0"], "--noise is 0, expected 1 to 4096");
    fails(GAN, &["--batch-size", "0"], "batch_size is 0");
    fails(GAN, &["--lr=-1"], "lr is -1");
    fails(GAN, &["--epochs", "0"], "--epochs is 0");
    fails(GAN, &["--smoke", "--lr", "0"], "at least 0.35 was expected");
}
