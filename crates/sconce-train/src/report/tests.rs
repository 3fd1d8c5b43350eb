//! Lines are those that are stated; a bar is drawn on a terminal of the test's own.

use super::*;
use crate::Scores;
use indicatif::TermLike;
use std::io;
use std::sync::Arc;

fn record() -> EpochRecord {
    EpochRecord {
        epoch: 2,
        train_loss: 0.51234,
        train_metrics: vec![],
        turns: vec![],
        validation: None,
        learning_rate: 0.1,
        seconds: 1.234,
    }
}

#[test]
fn an_epoch_is_one_line() {
    let mut record = record();
    assert_eq!(line(&record, 5), "epoch 2/5: loss 0.5123, 1.23 s");
    record.turns.push(("generator".to_string(), 1.5));
    assert_eq!(
        line(&record, 5),
        "epoch 2/5: loss 0.5123, generator loss 1.5000, 1.23 s"
    );
    record.turns.clear();
    assert_eq!(
        (number(1e30), number(f64::NAN)),
        ("1.000e30".into(), "NaN".into())
    );
    record.validation = Some(Scores {
        loss: 0.4,
        metrics: vec![("accuracy".to_owned(), 0.875)],
    });
    assert_eq!(
        line(&record, 5),
        "epoch 2/5: loss 0.5123, validation loss 0.4000, validation accuracy 0.8750, 1.23 s"
    );
    record.train_metrics.push(("accuracy".to_owned(), 0.9));
    assert_eq!(
        line(&record, 5),
        "epoch 2/5: loss 0.5123, accuracy 0.9000, validation loss 0.4000, validation accuracy 0.8750, 1.23 s"
    );
}

#[test]
fn a_debug_build_is_called_one() {
    assert!(DEBUG.starts_with("WARNING: this is a debug build"));
    assert_eq!(loud("text", false), "text");
    assert_eq!(loud("text", true), "\u{1b}[1;33mtext\u{1b}[0m");
}

/// Keeps all that is written to it.
#[derive(Debug, Clone, Default)]
struct Terminal(Arc<Mutex<String>>);

impl Terminal {
    fn written(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn target(&self) -> ProgressDrawTarget {
        ProgressDrawTarget::term_like(Box::new(self.clone()))
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        160
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r")
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn running() -> Running {
    Running {
        loss: 0.25,
        metrics: vec![("accuracy".to_owned(), 0.75)],
    }
}

/// The drawings, each until the line was cleared.
fn drawings(terminal: &Terminal) -> Vec<String> {
    let written = terminal.written();
    let drawings = written
        .split('\r')
        .map(str::trim)
        .filter(|drawing| !drawing.is_empty());
    drawings.map(str::to_string).collect()
}

#[test]
fn a_bar_says_how_far_how_fast_how_long_and_how_well() {
    let (terminal, mut before) = (Terminal::default(), record());
    before.validation = Some(Scores {
        loss: 0.5,
        metrics: vec![("f1".to_owned(), 0.625)],
    });
    let mut bar = EpochBar::on(
        terminal.target(),
        "epoch 3/9".to_string(),
        (0, 1000),
        Some(&before),
    );
    std::thread::sleep(Duration::from_millis(60));
    bar.step(running);
    std::thread::sleep(Duration::from_millis(60));
    bar.step(running);
    let drawings = drawings(&terminal);
    let last = drawings.last().unwrap();
    assert!(
        last.starts_with("epoch 3/9 ") && last.contains(" 2/1000  "),
        "{last}"
    );
    let message = " left  loss 0.2500, accuracy 0.7500; validated: loss 0.5000, f1 0.6250";
    assert!(last.ends_with(message), "{last}");
    // Two steps of 60 ms, on a machine that may be busy.
    let rate = last.split("/s").next().unwrap().split(' ').next_back().unwrap();
    let rate: f64 = rate.parse().expect(last);
    assert!((1. ..=17.).contains(&rate), "{last}");
    let before = terminal.written().len();
    drop(bar);
    assert!(
        terminal.written()[before..].chars().all(char::is_whitespace),
        "it vanishes"
    );
}

#[test]
fn a_resumed_epoch_counts_its_speed_from_there() {
    let terminal = Terminal::default();
    let mut bar = EpochBar::on(terminal.target(), "epoch 1/1".to_string(), (5000, 10_000), None);
    std::thread::sleep(Duration::from_millis(60));
    bar.step(running);
    let drawings = drawings(&terminal);
    let last = drawings.last().unwrap();
    assert!(
        last.contains(" 5001/10000  ") && last.ends_with("accuracy 0.7500"),
        "{last}"
    );
    let rate = last.split("/s").next().unwrap().split(' ').next_back().unwrap();
    assert!(rate.parse::<f64>().expect(last) < 20., "{last}");
}

#[test]
fn what_takes_long_to_say_is_said_seldom() {
    let terminal = Terminal::default();
    let mut bar = EpochBar::on(terminal.target(), "epoch 1/1".to_string(), (0, 100), None);
    let mut said = 0;
    let begun = Instant::now();
    for _ in 0..30 {
        bar.step(|| {
            said += 1;
            std::thread::sleep(Duration::from_millis(20));
            running()
        });
        std::thread::sleep(Duration::from_millis(10));
    }
    // Saying it took a fiftieth of the time: once a second at the most.
    assert!(said <= 1 + begun.elapsed().as_secs() as usize, "{said}");
    let mut none = EpochBar::none();
    none.step(|| panic!("nobody sees it"));
}
