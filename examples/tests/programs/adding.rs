use crate::{fails, figures, program, smoke};

const ADDING: &str = program!("adding");

#[test]
fn short_sums_are_learnt() {
    let (printed, sizes) = smoke(ADDING, &["adding.png"]);
    let figures = figures(&printed);
    assert_eq!(
        figures.iter().map(|figure| figure.0).collect::<Vec<_>>(),
        ["rnn mse", "lstm mse", "gru mse"]
    );
    assert!(figures.iter().all(|figure| figure.1 < 0.3), "{printed}");
    assert_eq!(sizes, [(800, 500)]);
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(ADDING, &["--lengths", "100,1"], "--lengths has 1");
    fails(ADDING, &["--steps", "0"], "expected at least 1");
    fails(ADDING, &["--hidden", "0"], "hidden_size");
    fails(ADDING, &["--smoke", "--steps", "1"], "below 0.05 was expected");
}
