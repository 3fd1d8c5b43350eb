//! Numbers keep their bits and names their order; damaged lines are named.

use super::super::columns::tests::{history, record, scores};
use super::*;
use proptest::prelude::*;

/// The bits of all figures with their names, since a NaN equals nothing.
fn bits(history: &History) -> Vec<(usize, String, u64)> {
    let epochs = history.epochs.iter();
    let figures = epochs.flat_map(|record| {
        let figures = record.figures().into_iter();
        figures.map(|(figure, value)| (record.epoch, figure.title(), value.to_bits()))
    });
    figures.collect()
}

proptest! {
    #[test]
    fn any_history_comes_back_to_the_bit(
        values in prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 6),
        name in any::<String>(),
        epoch in any::<usize>(),
        validated in any::<bool>(),
    ) {
        let mut first = record(epoch, values[0]);
        (first.learning_rate, first.seconds) = (values[1], values[2]);
        if validated {
            first.validation = Some(scores(values[3], &[(&name, values[4]), ("b", 1.), ("a", values[5]), ("b", 2.)]));
        }
        let history = history(vec![first, record(1, 0.5)]);
        let text = history.to_json_lines();
        prop_assert_eq!(text.lines().count(), 2);
        let back = History::from_json_lines(&text).unwrap();
        prop_assert_eq!(bits(&back), bits(&history));
    }
}

#[test]
fn chosen_numbers_come_back_to_the_bit() {
    let chosen = [
        f64::NAN,
        -f64::NAN,
        f64::from_bits(0x7ff0_0000_0000_0001),
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.,
        f64::MIN_POSITIVE / 4.,
        f64::from_bits(1),
        f64::MAX,
        0.1 + 0.2,
        // These two need the exact way of reading.
        2.480_348_540_293_984_5e-107,
        9_007_199_254_740_993.,
        1e23,
    ];
    let history = history(chosen.iter().map(|&value| record(1, value)).collect());
    let text = history.to_json_lines();
    for part in [
        "\"NaN\"",
        "\"NaN(0xfff8000000000000)\"",
        "\"Infinity\"",
        "\"-Infinity\"",
        ":-0.0,",
    ] {
        assert!(text.contains(part), "{part} isn't in {text}");
    }
    assert_eq!(bits(&History::from_json_lines(&text).unwrap()), bits(&history));
}

#[test]
fn turns_and_metrics_come_back() {
    let mut one = record(1, 1.);
    one.train_metrics = vec![("accuracy".to_string(), 0.75)];
    one.turns = vec![
        ("generator".to_string(), 0.25),
        ("critic \"2\"".to_string(), f64::INFINITY),
    ];
    let back = EpochRecord::from_json(&one.to_json()).unwrap();
    assert_eq!(back, one);
}

#[test]
fn fields_of_later_versions_are_passed_over_and_whole_numbers_are_numbers() {
    let line = r#"{"seconds":2,"new":[1],"epoch":7,"train_loss":-3,"learning_rate":0}"#;
    let back = EpochRecord::from_json(line).unwrap();
    assert_eq!(
        (back.epoch, back.train_loss, back.seconds, back.validation),
        (7, -3., 2., None)
    );
}

#[test]
fn damaged_lines_are_named() {
    let good = record(1, 0.5).to_json();
    for (damage, words) in [
        ("{", "EOF"),
        (&good[..good.len() - 5], "EOF"),
        ("[]", "invalid"),
        (&good.replace("0.5", "\"lots\""), "\"lots\", expected a number"),
        (
            &good.replace("0.5", "\"NaN(0x3ff0000000000000)\""),
            "expected a number",
        ),
        (&good.replace("0.5", "1e999"), "out of range"),
        (&good.replace("train_loss", "loss"), "missing field `train_loss`"),
        (&good.replace(":1,", ":-1,"), "invalid value"),
    ] {
        let text = format!("{good}\n\n{damage}\n");
        let error = History::from_json_lines(&text).unwrap_err().to_string();
        assert!(
            error.contains("line 3 is no epoch's record: ") && error.contains(words),
            "{damage}: {error}"
        );
    }
}

#[test]
fn files_are_named_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let history = history(vec![record(1, 2.), record(2, 1.)]);
    history.write_json_lines(&path).unwrap();
    assert_eq!(History::read_json_lines(&path).unwrap(), history);
    std::fs::write(&path, "{}\n").unwrap();
    let error = History::read_json_lines(&path).unwrap_err().to_string();
    assert!(error.contains("history.jsonl: line 1"), "{error}");
    let error = History::read_json_lines(folder.path().join("none"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("none: "), "{error}");
}
