//! Rectangles that may reach past images.

use super::size::{check_fill, height_and_width, room};
use crate::Result;
use crate::dispatch::on_cpu;
use candle_core::{D, Tensor, WithDType};
use sconce_core::cpu;

/// How a rectangle lies along one axis: how much of it is before the images, within them and after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    before: usize,
    /// The first of the images that it shows,
    start: usize,
    /// and how many.
    within: usize,
    after: usize,
}

impl Span {
    /// `len` from `start` on, counted from `padding` before the first of `old`.
    pub(super) fn new(start: usize, len: usize, padding: usize, old: usize) -> Self {
        let before = padding.saturating_sub(start).min(len);
        let start = start.saturating_sub(padding).min(old);
        let within = (len - before).min(old - start);
        Self {
            before,
            start,
            within,
            after: len - before - within,
        }
    }

    fn len(self) -> usize {
        self.before + self.within + self.after
    }
}

/// What a rectangle shows of images, and `fill` where it reaches past them.
///
/// # Shapes
/// images `[*, old height, old width]`, any type; output `[*, height, width]`
///
/// # Errors
/// Fewer than two axes; a fill that the images' type can't hold; more pixels than the memory has room for.
pub(super) fn window(images: &Tensor, rows: Span, columns: Span, fill: f64) -> Result<Tensor> {
    check_fill(fill, images.dtype())?;
    if let Some(copied) = on_cpu!(images, copy(images, rows, columns, fill)) {
        return copied;
    }
    let mut shown = images.narrow(D::Minus2, rows.start, rows.within)?.narrow(
        D::Minus1,
        columns.start,
        columns.within,
    )?;
    if images.device().is_cpu() {
        // candle ends the process where there is none.
        let mut dims = images.dims().to_vec();
        for (dim, len) in dims.iter_mut().rev().zip([columns.len(), rows.len()]) {
            *dim = len;
        }
        room::<f32>(&dims)?;
    }
    for (axis, span) in [(images.rank() - 2, rows), (images.rank() - 1, columns)] {
        let mut dims = shown.dims().to_vec();
        let mut side = |len: usize| {
            if let Some(dim) = dims.get_mut(axis) {
                *dim = len;
            }
            Tensor::full(fill, dims.as_slice(), images.device())?.to_dtype(images.dtype())
        };
        shown = Tensor::cat(&[&side(span.before)?, &shown, &side(span.after)?], axis)?;
    }
    Ok(shown.contiguous()?)
}

/// [`window`] on the CPU: every pixel is written once, rows as wholes.
fn copy<T: WithDType>(images: &Tensor, rows: Span, columns: Span, fill: f64) -> Result<Tensor> {
    let [old_height, old_width] = height_and_width(images)?;
    let (height, width) = (rows.len(), columns.len());
    let mut dims = images.dims().to_vec();
    let planes: usize = dims.iter().rev().skip(2).product();
    for (dim, len) in dims.iter_mut().rev().zip([width, height]) {
        *dim = len;
    }
    let images = images.contiguous()?;
    let old = cpu::slice::<T>(&images)?;
    let mut new = room::<T>(&dims)?;
    let fill = T::from_f64(fill);
    let blank = |new: &mut Vec<T>, count: usize| new.resize(new.len() + count, fill);
    for plane in 0..planes {
        blank(&mut new, rows.before * width);
        for row in rows.start..rows.start + rows.within {
            let first = (plane * old_height + row) * old_width + columns.start;
            blank(&mut new, columns.before);
            new.extend_from_slice(old.get(first..first + columns.within).unwrap_or_default());
            blank(&mut new, columns.after);
        }
        blank(&mut new, rows.after * width);
    }
    Ok(Tensor::from_vec(new, dims, images.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn spans_add_up_wherever_they_lie() {
        let span = |before, start, within, after| Span {
            before,
            start,
            within,
            after,
        };
        for (start, len, padding, old, expected) in [
            (0, 4, 0, 4, span(0, 0, 4, 0)),
            (2, 4, 3, 4, span(1, 0, 3, 0)),
            (5, 4, 3, 4, span(0, 2, 2, 2)),
            (0, 2, 3, 4, span(2, 0, 0, 0)),
            (8, 2, 3, 4, span(0, 4, 0, 2)),
            (0, 10, 3, 4, span(3, 0, 4, 3)),
        ] {
            assert_eq!(Span::new(start, len, padding, old), expected);
        }
    }

    /// The copy on the CPU and the operations for other types and devices agree.
    #[test]
    fn every_type_shows_the_same() {
        let pixels = Tensor::arange(1u32, 25, &Device::Cpu)
            .unwrap()
            .reshape((2, 3, 4))
            .unwrap();
        // Transposed, so that it isn't contiguous.
        let pixels = pixels.t().unwrap();
        for (top, left, height, width) in [
            (0, 0, 3, 2),
            (2, 3, 4, 3),
            (0, 4, 9, 2),
            (5, 0, 1, 8),
            (6, 5, 1, 1),
        ] {
            let (rows, columns) = (Span::new(top, height, 2, 4), Span::new(left, width, 3, 3));
            let shown = |dtype| {
                let images = pixels.to_dtype(dtype).unwrap();
                let shown = window(&images, rows, columns, 7.).unwrap();
                assert_eq!((shown.dims(), shown.dtype()), (&[2, height, width][..], dtype));
                shown.to_dtype(DType::F64).unwrap().to_vec3::<f64>().unwrap()
            };
            let expected: Vec<Vec<Vec<f64>>> = (0..2)
                .map(|plane| {
                    let pixel = |row: usize, column: usize| {
                        let at = |i: usize, padding: usize, old: usize| {
                            i.checked_sub(padding).filter(|&i| i < old)
                        };
                        match (at(top + row, 2, 4), at(left + column, 3, 3)) {
                            // The pixel before the transposition.
                            (Some(row), Some(column)) => (plane * 12 + column * 4 + row + 1) as f64,
                            _ => 7.,
                        }
                    };
                    let row = |row| (0..width).map(|column| pixel(row, column)).collect();
                    (0..height).map(row).collect()
                })
                .collect();
            for dtype in [
                DType::U8,
                DType::U32,
                DType::I16,
                DType::I64,
                DType::F16,
                DType::F32,
                DType::F64,
            ] {
                assert_eq!(shown(dtype), expected, "{dtype:?} {rows:?} {columns:?}");
            }
        }
    }
}
