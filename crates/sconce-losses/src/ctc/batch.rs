//! What is known of each row besides its probabilities, and checked.

use super::NAME;
use candle_core::{DType, Tensor};
use sconce_core::{Error, Result};

/// The rows of a batch and the sizes that they share.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) frames: usize,
    pub(crate) classes: usize,
    pub(crate) rows: Vec<Row>,
}

/// How long a row is, and the states that an alignment goes through.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) frames: usize,
    /// The class of each state: the labels, with blanks before, between and after them.
    pub(crate) states: Vec<usize>,
}

impl Row {
    pub(crate) fn labels(&self) -> usize {
        self.states.len() / 2
    }

    /// Whether a state may follow the one two before it: the blank between may be left out if it doesn't part equal labels.
    pub(crate) fn skips(&self) -> impl Iterator<Item = bool> {
        let two_before = self.states.iter().map(Some);
        let two_before = [None, None].into_iter().chain(two_before);
        let pairs = self.states.iter().zip(two_before).enumerate();
        pairs.map(|(s, (state, before))| s % 2 == 1 && before.is_some_and(|before| before != state))
    }
}

impl Batch {
    pub(super) fn new(
        log_probs: &Tensor,
        targets: &Tensor,
        input_lengths: &[usize],
        target_lengths: &[usize],
        blank: usize,
    ) -> Result<Self> {
        let (frames, batch, classes) = match *log_probs.dims() {
            [frames, batch, classes] => (frames, batch, classes),
            [frames, classes] => (frames, 1, classes),
            ref dims => {
                let expected = "[frames, batch, classes] or [frames, classes]";
                return Err(Error::shape(NAME, "log_probs", expected, dims));
            }
        };
        if blank >= classes {
            let expected = format!("a class, below {classes}");
            return Err(Error::config(NAME, "blank", blank, expected));
        }
        for (argument, lengths) in [
            ("input_lengths", input_lengths),
            ("target_lengths", target_lengths),
        ] {
            if lengths.len() != batch {
                let expected = format!("[batch = {batch}]");
                return Err(Error::shape(NAME, argument, expected, &[lengths.len()]));
            }
        }
        at_most(
            "input_lengths",
            input_lengths,
            frames,
            &format!("at most {frames}, the number of frames"),
        )?;
        let labels = labels(targets, target_lengths, classes, blank)?;
        let row = |(&frames, labels): (&usize, Vec<usize>)| Row {
            frames,
            states: std::iter::once(blank)
                .chain(labels.into_iter().flat_map(|label| [label, blank]))
                .collect(),
        };
        Ok(Self {
            frames,
            classes,
            rows: input_lengths.iter().zip(labels).map(row).collect(),
        })
    }

    /// What each row's loss is multiplied by before they are added up; over no rows at all there is none.
    pub(super) fn factors(&self, reduction: crate::Reduction) -> Vec<f64> {
        let each = reduction.factor(self.rows.len() as f64);
        let factor = |row: &Row| match reduction {
            crate::Reduction::Mean => each / row.labels().max(1) as f64,
            _ => each,
        };
        self.rows.iter().map(factor).collect()
    }
}

fn at_most(argument: &'static str, lengths: &[usize], most: usize, expected: &str) -> Result<()> {
    match lengths.iter().enumerate().find(|(_, length)| **length > most) {
        Some((index, length)) => Err(Error::Value {
            layer: NAME.into(),
            argument,
            index,
            value: length.to_string(),
            expected: expected.into(),
        }),
        None => Ok(()),
    }
}

/// Each row's labels.
fn labels(targets: &Tensor, lengths: &[usize], classes: usize, blank: usize) -> Result<Vec<Vec<usize>>> {
    if !matches!(targets.dtype(), DType::U8 | DType::U32 | DType::I64) {
        return Err(Error::DType {
            layer: NAME.into(),
            argument: "targets",
            expected: "u8, u32 or i64".into(),
            got: targets.dtype(),
        });
    }
    let (batch, total) = (
        lengths.len(),
        lengths.iter().fold(0usize, |a, &b| a.saturating_add(b)),
    );
    // Where each row begins.
    let starts: Vec<usize> = match *targets.dims() {
        [rows, longest] if rows == batch => {
            let expected = format!("at most {longest}, the targets' second axis");
            at_most("target_lengths", lengths, longest, &expected)?;
            (0..batch).map(|row| row * longest).collect()
        }
        [all] if all == total => lengths
            .iter()
            .scan(0, |next, length| Some(std::mem::replace(next, *next + length)))
            .collect(),
        ref dims => {
            let expected = format!("[batch = {batch}, longest] or [{total}], the sum of target_lengths");
            return Err(Error::shape(NAME, "targets", expected, dims));
        }
    };
    let values = targets.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
    let label = |(index, &value): (usize, &i64)| match usize::try_from(value) {
        Ok(label) if label < classes && label != blank => Ok(label),
        _ => Err(Error::Value {
            layer: NAME.into(),
            argument: "targets",
            index,
            value: value.to_string(),
            expected: format!("a class, at least 0 and below {classes}, that isn't the blank, {blank}"),
        }),
    };
    let row = |(&start, &length): (&usize, &usize)| {
        let values = values.iter().enumerate().skip(start).take(length);
        values.map(label).collect()
    };
    starts.iter().zip(lengths).map(row).collect()
}
