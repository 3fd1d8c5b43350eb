//! What TensorBoard's own reader finds in our files. Without a Python that has the package `tensorboard` (`SCONCE_PYTHON`, or
//! `python3`) it says so and passes.

use sconce_train::{Callback, EpochRecord, Scores, TensorBoard};
use std::process::Command;

const READER: &str = "\
import sys
try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    sys.exit(77)
events = EventAccumulator(sys.argv[1])
events.Reload()
print('version', events.file_version)
for tag in sorted(events.Tags()['scalars']):
    print(tag, *[f'{e.step}:{e.value!r}' for e in events.Scalars(tag)])
";

fn epoch(epoch: usize, train_loss: f64) -> EpochRecord {
    EpochRecord {
        epoch,
        train_loss,
        train_metrics: vec![("accuracy".to_string(), 0.625)],
        turns: vec![("critic".to_string(), 2.)],
        validation: Some(Scores {
            loss: f64::INFINITY,
            metrics: vec![("F₁, 中文".into(), f64::NAN)],
        }),
        learning_rate: 0.125,
        seconds: 3.,
    }
}

#[test]
fn tensorboard_reads_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::new(folder.path());
    // A run of three epochs, of which the last is run again after a stop.
    board.on_fit_start().unwrap();
    for (number, loss) in [(1, 0.5), (2, 0.25), (300, 9.)] {
        assert!(board.on_epoch_end(&epoch(number, loss)).unwrap().is_continue());
    }
    board.on_fit_end().unwrap();
    board.on_fit_start().unwrap();
    assert!(board.on_epoch_end(&epoch(300, 0.125)).unwrap().is_continue());

    let python = std::env::var("SCONCE_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(&python)
        .args(["-c", READER])
        .arg(folder.path())
        .output();
    let Ok(output) = output else {
        return println!("skipped: there is no {python}");
    };
    if output.status.code() == Some(77) {
        return println!("skipped: {python} lacks the package tensorboard");
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let expected = "\
version 2.0
epoch_seconds 1:3.0 2:3.0 300:3.0
learning_rate 1:0.125 2:0.125 300:0.125
loss/train 1:0.5 2:0.25 300:0.125
loss/validation 1:inf 2:inf 300:inf
metric/F₁, 中文/validation 1:nan 2:nan 300:nan
metric/accuracy/train 1:0.625 2:0.625 300:0.625
turn/critic 1:2.0 2:2.0 300:2.0
";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{errors}");
}
