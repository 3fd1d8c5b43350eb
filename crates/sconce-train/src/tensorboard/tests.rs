//! Files are whole after each epoch. What TensorBoard reads from them is looked at in tests/tensorboard.rs.

use super::*;
use crate::Scores;

fn epoch(epoch: usize) -> EpochRecord {
    EpochRecord {
        epoch,
        train_loss: 0.5,
        train_metrics: vec![("accuracy".to_string(), 0.625)],
        turns: vec![("critic".to_string(), 2.)],
        validation: Some(Scores {
            loss: 0.75,
            metrics: vec![("accuracy".into(), 0.875)],
        }),
        learning_rate: 0.1,
        seconds: 3.,
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// The payloads without their times, which take the first nine bytes.
fn events(file: &Path) -> Vec<Vec<u8>> {
    let payloads = record::payloads(&std::fs::read(file).unwrap()).unwrap();
    payloads.iter().map(|payload| payload[9..].to_vec()).collect()
}

#[test]
fn each_epoch_is_in_the_file_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("runs").join("a b");
    let mut board = TensorBoard::new(&folder);
    board.on_fit_start().unwrap();
    let begun = files(&folder);
    assert_eq!(begun.len(), 1);
    assert_eq!(events(&begun[0]).len(), 1);
    for number in [4, 5, 300] {
        assert!(board.on_epoch_end(&epoch(number)).unwrap().is_continue());
        let events = events(&begun[0]);
        let expected = Event::scalars(
            number as u64,
            &[
                ("loss/train", 0.5),
                ("metric/accuracy/train", 0.625),
                ("turn/critic", 2.),
                ("loss/validation", 0.75),
                ("metric/accuracy/validation", 0.875),
                ("learning_rate", 0.1),
                ("epoch_seconds", 3.),
            ],
        );
        assert_eq!(events.last().unwrap(), &expected.encoded(0.)[9..]);
    }
    // Version, start, three epochs.
    let written = events(&begun[0]);
    assert_eq!(written.len(), 5);
    assert_eq!(written[1], Event::session_start(4).encoded(0.)[9..]);
    board.on_fit_end().unwrap();

    // A second run has a file of its own.
    board.on_fit_start().unwrap();
    assert!(board.on_epoch_end(&epoch(5)).unwrap().is_continue());
    let both = files(&folder);
    assert_eq!(both.len(), 2);
    assert_eq!(events(&both[1])[1], Event::session_start(5).encoded(0.)[9..]);
}

#[test]
fn times_are_now() {
    let folder = tempfile::tempdir().unwrap();
    let file = EventFile::create(folder.path()).unwrap();
    let payloads = record::payloads(&std::fs::read(file.path()).unwrap()).unwrap();
    let time: [u8; 8] = payloads[0][1..9].try_into().unwrap();
    assert!((f64::from_le_bytes(time) - now()).abs() < 60.);
    assert!(now() > 1.7e9);
}

#[test]
fn a_folder_that_is_a_file_stops_the_run_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "").unwrap();
    let error = TensorBoard::new(&taken).on_fit_start().unwrap_err().to_string();
    assert!(error.contains("taken: "), "{error}");
}
