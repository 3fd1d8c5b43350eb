//! A history as CSV.

use crate::{History, Result};
use sconce_core::io::write_atomically;
use std::path::Path;

impl History {
    /// A table in CSV (RFC 4180, with lines that end with `\n`): one line an epoch under a line of names.
    ///
    /// The columns are `epoch`, `train loss`, `train NAME` for each metric over the training batches, `NAME loss` for each further turn, `validation loss`, `validation NAME` for each
    /// metric, `learning rate` and `seconds`; a cell is empty where an epoch doesn't have the figure. Numbers have as many
    /// digits as it takes to get the same `f64` back; what isn't finite is `NaN`, `inf` or `-inf`, which pandas, NumPy and
    /// Rust read.
    ///
    /// # Example
    /// ```
    /// use sconce_train::{EpochRecord, History, Scores};
    /// let record = |epoch: usize| EpochRecord {
    ///     epoch,
    ///     train_loss: 1. / epoch as f64,
    ///     train_metrics: vec![],
    ///     turns: vec![],
    ///     validation: Some(Scores { loss: f64::NAN, metrics: vec![("top 1, top 5".to_owned(), 0.1)] }),
    ///     learning_rate: 1e-3,
    ///     seconds: 2.,
    /// };
    /// let history = History { epochs: vec![record(1), record(3)], ..History::default() };
    /// let expected = r#"epoch,train loss,validation loss,"validation top 1, top 5",learning rate,seconds
    /// 1,1.0,NaN,0.1,0.001,2.0
    /// 3,0.3333333333333333,NaN,0.1,0.001,2.0
    /// "#;
    /// assert_eq!(history.to_csv(), expected);
    /// ```
    pub fn to_csv(&self) -> String {
        let columns = self.columns();
        let titles = columns.iter().map(|column| cell(&column.figure.title()));
        let mut text = line(std::iter::once("epoch".to_string()).chain(titles));
        for (row, record) in self.epochs.iter().enumerate() {
            let values = columns.iter().map(|column| match column.values.get(row) {
                Some(Some(value)) => format!("{value:?}"),
                _ => String::new(),
            });
            text += &line(std::iter::once(record.epoch.to_string()).chain(values));
        }
        text
    }

    /// Writes [`to_csv`](Self::to_csv) to a file, whole or not at all.
    ///
    /// # Errors
    /// The folder is missing or can't be written to.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(write_atomically(path, self.to_csv().as_bytes())?)
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(",") + "\n"
}

/// In quotes where a comma, a quote or the end of a line would be taken for the table's own.
fn cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::tests::{history, record, scores};
    use super::*;

    #[test]
    fn names_are_quoted_and_numbers_keep_their_bits() {
        let losses = [
            0.1 + 0.2,
            f64::MIN_POSITIVE / 3.,
            -0.,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        let mut epochs: Vec<_> = losses
            .iter()
            .enumerate()
            .map(|(i, &loss)| record(i + 1, loss))
            .collect();
        epochs[0].validation = Some(scores(1., &[("say \"hi\"\nto", 0.5)]));
        let text = history(epochs).to_csv();
        let (head, body) = text
            .split_once("learning rate,seconds\n")
            .expect("the head's end");
        assert_eq!(
            head,
            "epoch,train loss,validation loss,\"validation say \"\"hi\"\"\nto\","
        );
        for (line, loss) in body.lines().zip(losses) {
            let value: f64 = line.split(',').nth(1).and_then(|cell| cell.parse().ok()).unwrap();
            assert_eq!(value.to_bits(), loss.to_bits(), "{line}");
        }
        assert_eq!(body.lines().nth(1).unwrap(), "2,7.41691286169067e-309,,,0.1,1.5");
        assert_eq!(History::default().to_csv(), "epoch\n");
    }

    #[test]
    fn files_name_their_path_in_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let history = history(vec![record(1, 2.)]);
        history.write_csv(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), history.to_csv());
        let error = history
            .write_csv(folder.path().join("no/history.csv"))
            .unwrap_err();
        assert!(error.to_string().contains("no/history.csv: "), "{error}");
    }
}
