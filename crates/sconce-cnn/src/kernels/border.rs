//! Images extended by their padding, and gradients of the padding given back to the image.

use crate::conv::Geometry;
use crate::padding::PaddingMode;
use sconce_core::cpu::Real;
use std::ops::Range;

/// Where the positions of a padded image come from, for some channels of a convolution's input.
pub(super) struct Border {
    rows: Vec<Option<u32>>,
    columns: Vec<Option<u32>>,
    height: usize,
    width: usize,
    before: usize,
    /// Columns of the padded image.
    pub(super) padded: usize,
    channels: usize,
}

impl Border {
    /// `None` where there is no padding.
    pub(super) fn new(geometry: &Geometry, channels: usize) -> Option<Self> {
        let [v, h] = &geometry.axes;
        if geometry.mode == PaddingMode::Zeros && v.padding == [0, 0] && h.padding == [0, 0] {
            return None;
        }
        Some(Self {
            rows: geometry.mode.sources(v),
            columns: geometry.mode.sources(h),
            height: v.input,
            width: h.input,
            before: h.padding[0],
            padded: h.padded(),
            channels,
        })
    }

    /// Elements of a padded image of these many rows.
    pub(super) fn size(&self, rows: usize) -> usize {
        self.channels * rows * self.padded
    }

    /// Padded rows of all channels.
    pub(super) fn pad<T: Real>(&self, image: &[T], rows: Range<usize>, padded: &mut [T]) {
        let count = rows.len();
        let inner = self.before..self.before + self.width;
        for (channel, padded) in padded
            .chunks_exact_mut(count * self.padded)
            .take(self.channels)
            .enumerate()
        {
            for (row, padded) in rows.clone().zip(padded.chunks_exact_mut(self.padded)) {
                let Some(source) = self.rows[row] else {
                    padded.fill(T::zero());
                    continue;
                };
                let source = &image[(channel * self.height + source as usize) * self.width..][..self.width];
                padded[inner.clone()].copy_from_slice(source);
                for j in (0..inner.start).chain(inner.end..self.padded) {
                    padded[j] = self.columns[j].map_or(T::zero(), |j| source[j as usize]);
                }
            }
        }
    }

    /// The image's gradient from the padded image's.
    pub(super) fn fold<T: Real>(&self, padded: &[T], image: &mut [T]) {
        let inner = self.before..self.before + self.width;
        for (channel, padded) in padded
            .chunks_exact(self.rows.len() * self.padded)
            .take(self.channels)
            .enumerate()
        {
            for (row, padded) in self.rows.iter().zip(padded.chunks_exact(self.padded)) {
                let Some(row) = *row else { continue };
                let image = &mut image[(channel * self.height + row as usize) * self.width..][..self.width];
                for (x, p) in image.iter_mut().zip(&padded[inner.clone()]) {
                    *x += *p;
                }
                for j in (0..inner.start).chain(inner.end..self.padded) {
                    if let Some(source) = self.columns[j] {
                        image[source as usize] += padded[j];
                    }
                }
            }
        }
    }
}
