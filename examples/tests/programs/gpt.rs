use crate::{fails, figure, figures, printed, program};

const GPT: &str = program!("gpt");

#[test]
fn unseen_sums_are_added() {
    let printed = printed(GPT, &["--smoke"]);
    assert!(figure(&printed, "exact match") > 0.5, "{printed}");
    assert_eq!(figures(&printed).len(), 2);
    // It shows what it writes as it learns.
    assert!(printed.lines().filter(|line| line.starts_with("| ")).count() >= 50);
}

#[test]
fn a_play_is_read_from_the_folder_of_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    std::fs::create_dir(folder.path().join("shakespeare")).unwrap();
    let play = "To be, or not to be – that is the question.\n".repeat(40);
    std::fs::write(folder.path().join("shakespeare/input.txt"), play).unwrap();
    let flags = ["--data", data, "--steps", "20", "--block", "16", "--width", "16"];
    let read = || printed(GPT, &flags);
    let (first, second) = (read(), read());
    assert!(
        first.contains("1584 characters to train with, 176 to validate"),
        "{first}"
    );
    assert!(figure(&first, "validation loss") < 3.5, "{first}");
    assert_eq!(figures(&first), figures(&second));
}

#[test]
fn what_is_wrong_is_one_line() {
    fails(
        GPT,
        &["--dataset", "shakespeare", "--data", "nowhere"],
        "cargo xtask data shakespeare",
    );
    for (flag, value, message) in [
        ("--steps", "0", "--steps is 0"),
        ("--block", "0", "--block is 0"),
        ("--block", "5", "--block is 5"),
        ("--steps", "18446744073709551615", "--steps is 1844"),
        ("--batch-size", "0", "--batch-size is 0"),
        ("--heads", "5", "n_head = 5"),
        ("--width", "0", "is 0"),
        ("--temperature", "-1", "--temperature is -1"),
    ] {
        fails(GPT, &["--dataset", "sums", flag, value], message);
    }
}

/// A text is the same wherever it lies, and another one though its length and its characters are the same.
#[test]
fn a_run_goes_on_with_its_own_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let play = "To be, or not to be – that is the question.\n".repeat(40);
    for (name, text) in [
        ("one", play.clone()),
        ("copy", play.clone()),
        ("other", play.replace("to be", "be to")),
    ] {
        let folder = folder.path().join(name).join("shakespeare");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("input.txt"), text).unwrap();
    }
    let (run, [one, copy, other]) = (path("run"), ["one", "copy", "other"].map(path));
    let flags = |data| {
        let shape = ["--steps", "3", "--block", "16", "--width", "16"];
        [&["--data", data, "--checkpoint", &run, "--resume"], &shape[..]].concat()
    };
    printed(GPT, &flags(&one));
    assert!(printed(GPT, &flags(&copy)).contains("resumed at step: 3\n"));
    fails(GPT, &flags(&other), "is of a run with text ");
}
