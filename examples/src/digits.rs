//! The embedded digits: one split for all programs, and a sheet of what a network takes them for.

use crate::picture::{self, Digit};
use crate::{Failure, Result};
use sconce::candle_core::{DType, Tensor};
use sconce::data::{Dataset, Subset, TensorDataset, digits};
use sconce::train::{Accumulator, ConfusionMatrix, RunReport, Sample, Scores, Trainer, plot};
use std::path::Path;

/// The part of the digits to test on, and the seed that draws it: the same test for every `--seed`.
const TEST_PART: f64 = 0.2;
const TEST_SEED: u64 = 0;
const DRAWN: usize = 100;
/// Of the page about a run.
const SHOWN: usize = 24;
const BATCH: usize = 64;

/// The digits with their images, `[1797, 1, 8, 8]` from 0 to 16, made into what a network takes: those to train with, and a
/// fifth to test on.
///
/// # Errors
/// Those of `prepare`, or that it gave another number of images.
pub fn split<E>(
    prepare: impl FnOnce(&Tensor) -> std::result::Result<Tensor, E>,
) -> Result<(Subset<TensorDataset>, Subset<TensorDataset>)>
where
    Failure: From<E>,
{
    let digits = digits()?;
    let all = TensorDataset::new(&prepare(&digits.images)?, &digits.labels)?;
    Ok(all.split_random(TEST_PART, TEST_SEED)?)
}

/// Adds to the page about a run what the network makes of the test digits, whose whitest pixel is `white`: its scores, which
/// digits it takes for which, and the first of them.
///
/// # Errors
/// The network fails.
pub fn describe(
    page: RunReport,
    trainer: &Trainer<'_>,
    (test, scores): (&dyn Dataset, &Scores),
    white: f64,
) -> Result<RunReport> {
    let (images, labels) = test.batch(&(0..test.len()).collect::<Vec<_>>())?;
    let logits = trainer.predict(&images, BATCH)?;
    let mut matrix = ConfusionMatrix::default();
    matrix.update(&logits, &labels)?;
    let first = 0..test.len().min(SHOWN);
    let taken = logits.argmax(1)?.to_vec1::<u32>()?;
    let labels = labels.to_vec1::<u32>()?;
    let samples = first.zip(taken).zip(labels).map(|((i, taken), label)| {
        let picture = (images.get(i)?.to_dtype(DType::F32)? / white)?;
        Ok(Sample::picture(&picture, taken, label)?)
    });
    let samples = samples.collect::<Result<Vec<_>>>()?;
    Ok(page
        .with_scores("test", scores)
        .with_chart(plot::confusion_matrix(&matrix, &[] as &[&str])?)
        .with_samples(samples))
}

/// Draws the first hundred test digits, whose whitest pixel is `white`, with what the network takes them for.
///
/// # Errors
/// The network fails, or the file can't be written.
pub fn draw(trainer: &Trainer<'_>, test: &dyn Dataset, white: f64, path: &Path) -> Result<()> {
    let first: Vec<usize> = (0..test.len().min(DRAWN)).collect();
    let (images, labels) = test.batch(&first)?;
    let predicted = trainer.predict(&images, BATCH)?.argmax(1)?.to_vec1::<u32>()?;
    let images = (images.to_dtype(DType::F32)?.flatten_from(1)? / white)?.to_vec2::<f32>()?;
    let labels = labels.to_vec1::<u32>()?;
    let digits = images
        .into_iter()
        .zip(labels)
        .zip(predicted)
        .map(|((pixels, label), predicted)| Digit {
            pixels,
            label: label as usize,
            predicted: predicted as usize,
        });
    let sheet = picture::sheet(&digits.collect::<Vec<_>>(), 10);
    picture::save(&sheet, path)
}
