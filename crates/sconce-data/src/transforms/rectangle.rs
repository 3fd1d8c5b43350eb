//! A rectangle of other pixels.

use super::size::height_and_width;
use crate::Result;
use candle_core::Tensor;
use std::ops::Range;

/// Images with `other`'s pixels where `rows` and `columns` cross.
pub(super) fn paste(
    images: &Tensor,
    other: &Tensor,
    rows: &Range<usize>,
    columns: &Range<usize>,
) -> Result<Tensor> {
    let [height, width] = height_and_width(images)?;
    let in_row =
        |row: usize| (0..width).map(move |column| u8::from(rows.contains(&row) && columns.contains(&column)));
    let inside: Vec<u8> = (0..height).flat_map(in_row).collect();
    let inside = Tensor::from_vec(inside, (height, width), images.device())?.broadcast_as(images.shape())?;
    Ok(inside.where_cond(&other.broadcast_as(images.shape())?, images)?)
}
