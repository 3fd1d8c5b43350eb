//! The embedded digits: one split for all programs, and a sheet of what a network takes them for.

use crate::picture::{self, Digit};
use crate::{Failure, Result};
use sconce::candle_core::{DType, Tensor};
use sconce::data::{Dataset, Subset, TensorDataset, digits};
use sconce::train::Trainer;
use std::path::Path;

/// The part of the digits to test on, and the seed that draws it: the same test for every `--seed`.
const TEST_PART: f64 = 0.2;
const TEST_SEED: u64 = 0;
const DRAWN: usize = 100;
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
