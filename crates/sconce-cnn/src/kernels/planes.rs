//! What the pooling loops share: channels in parallel, and which taps of a window lie in the image.

use super::split;
use crate::window::Axis;
use std::ops::Range;

/// Elements of the input that a thread takes at once.
const SHARE: usize = 1 << 14;

/// Runs `f` for each channel of `out`, whose channels have `size` elements; the input's have `from`.
pub(super) fn each<T: Send>(out: &mut [T], size: usize, from: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let (together, work) = (together(from), out.len() / size.max(1) * from);
    split::parts(out, together * size, work, |share, out| {
        for (k, out) in out.chunks_exact_mut(size).enumerate() {
            f(share * together + k, out);
        }
    });
}

/// Runs `f` for shares of channels of two outputs, with the number of a share's first channel.
pub(super) fn each_share_of_two<T: Send, U: Send>(
    a: &mut [T],
    b: &mut [U],
    size: usize,
    from: usize,
    f: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    let (together, work) = (together(from), a.len() / size.max(1) * from);
    split::parts_of_two(a, b, together * size, work, |share, a, b| {
        f(share * together, a, b)
    });
}

fn together(from: usize) -> usize {
    (SHARE / from.max(1)).max(1)
}

/// A column of the windows, as far as it lies in the image.
pub(super) struct Tap {
    pub(super) number: usize,
    /// The outputs that see the image through it.
    pub(super) outputs: Range<usize>,
    /// The image's column that the first of them sees.
    pub(super) start: usize,
}

/// The taps that lie in the image.
pub(super) struct Taps {
    vertical: Axis,
    pub(super) across: Vec<Tap>,
    /// Height and width of a window.
    pub(super) size: [usize; 2],
    /// Rows of the image.
    pub(super) height: usize,
    /// Rows of the output.
    pub(super) lines: usize,
    /// Columns of the output.
    pub(super) columns: usize,
    /// Columns of the image.
    pub(super) width: usize,
    /// Columns between windows.
    pub(super) stride: usize,
}

impl Taps {
    pub(super) fn new([vertical, h]: &[Axis; 2]) -> Self {
        let before = h.padding[0];
        let tap = |number: usize| {
            let offset = number * h.dilation;
            let first = before.saturating_sub(offset).div_ceil(h.stride);
            let end = (h.input + before)
                .saturating_sub(offset)
                .div_ceil(h.stride)
                .min(h.output);
            (first < end).then(|| Tap {
                number,
                outputs: first..end,
                start: first * h.stride + offset - before,
            })
        };
        Self {
            vertical: *vertical,
            across: (0..h.kernel).filter_map(tap).collect(),
            size: [vertical.kernel, h.kernel],
            height: vertical.input,
            lines: vertical.output,
            columns: h.output,
            width: h.input,
            stride: h.stride,
        }
    }

    /// The image's row that an output row sees through row `u` of its windows.
    pub(super) fn line(&self, output: usize, u: usize) -> Option<usize> {
        let Axis {
            stride,
            dilation,
            padding: [before, _],
            input,
            ..
        } = self.vertical;
        (output * stride + u * dilation)
            .checked_sub(before)
            .filter(|&row| row < input)
    }

    /// The image's rows that an output row sees.
    pub(super) fn rows(&self, output: usize) -> impl Iterator<Item = usize> {
        (0..self.size[0]).filter_map(move |u| self.line(output, u))
    }

    /// The first tap of a window that lies in the image.
    pub(super) fn first(&self, row: usize, column: usize) -> Option<u32> {
        let u = (0..self.size[0]).find(|&u| self.line(row, u).is_some())?;
        let tap = self.across.iter().find(|tap| tap.outputs.contains(&column))?;
        Some((u * self.size[1] + tap.number) as u32)
    }
}
