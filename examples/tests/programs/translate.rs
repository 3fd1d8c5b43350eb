use crate::{fails, figure, printed, program, smoke};

const TRANSLATE: &str = program!("translate");

#[test]
fn dates_are_translated_and_attention_is_drawn() {
    let (printed, sizes) = smoke(TRANSLATE, &["attention.png"]);
    assert!(figure(&printed, "exact match") > 0.5, "{printed}");
    // Three dates after each of five epochs.
    assert_eq!(printed.matches(" → ").count(), 15, "{printed}");
    // Ten characters are written, from a date that has at least eight.
    let (width, height) = sizes[0];
    assert!(
        width >= 2 * 56 + 8 * 26 && height == 2 * 56 + 10 * 26,
        "{sizes:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_translations() {
    let run = || printed(TRANSLATE, &["--dates", "64", "--epochs", "1", "--seed", "5"]);
    let translations = |printed: &str| {
        printed
            .lines()
            .filter(|line| !line.contains(" s"))
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let first = translations(&run());
    assert!(first.iter().any(|line| line.contains(" → ")));
    assert_eq!(first, translations(&run()));
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flag, value, message) in [
        ("--dates", "0", "--dates is 0"),
        ("--dates", "18446744073709551615", "--dates is 1844"),
        ("--epochs", "0", "--epochs is 0"),
        ("--heads", "5", "num_heads = 5"),
        ("--width", "0", "is 0"),
        ("--batch-size", "0", "batch_size is 0"),
        ("--lr", "-1", "lr is -1"),
    ] {
        fails(TRANSLATE, &[flag, value], message);
    }
}
