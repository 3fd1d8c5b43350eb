use crate::{fails, figure, printed, program};

const BERT: &str = program!("bert");

#[test]
fn pre_training_shows() {
    let printed = printed(BERT, &["--smoke"]);
    let of = |name| figure(&printed, name);
    assert!(
        of("pretrained accuracy") > of("scratch accuracy") + 0.05,
        "{printed}"
    );
}

#[test]
fn without_pre_training_both_are_the_same() {
    let run = || printed(BERT, &["--pretrain", "0", "--seeds", "2", "--epochs", "10"]);
    let first = run();
    assert_eq!(
        figure(&first, "pretrained accuracy"),
        figure(&first, "scratch accuracy")
    );
    assert_eq!(first, run());
}

#[test]
fn what_is_wrong_is_one_line() {
    for (flag, value, message) in [
        ("--seeds", "0", "--seeds is 0"),
        ("--labelled", "0", "--labelled is 0"),
        ("--labelled", "480", "less than all 480"),
        ("--pretrain", "18446744073709551615", "--pretrain is 1844"),
        ("--hidden", "0", "is 0"),
        ("--heads", "5", "num_attention_heads = 5"),
        ("--batch-size", "0", "--batch-size is 0"),
        ("--lr", "-1", "lr is -1"),
    ] {
        fails(BERT, &[flag, value], message);
    }
}

/// What was trained from scratch isn't taken for pre-trained.
#[test]
fn a_run_goes_on_from_its_own_pretraining() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    let flags = |steps| {
        let length = ["--seeds", "1", "--epochs", "1", "--pretrain", steps];
        [&length[..], &["--checkpoint", folder, "--resume"]].concat()
    };
    printed(BERT, &flags("0"));
    fails(
        BERT,
        &flags("2"),
        "is of a run with pretrain 0, and this one has 2",
    );
}
