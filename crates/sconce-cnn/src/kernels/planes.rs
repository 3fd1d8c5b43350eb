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

/// [`each`] for two outputs.
pub(super) fn each_of_two<T: Send, U: Send>(
    a: &mut [T],
    b: &mut [U],
    size: usize,
    from: usize,
    f: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    let (together, work) = (together(from), a.len() / size.max(1) * from);
    split::parts_of_two(a, b, together * size, work, |share, a, b| {
        for (k, (a, b)) in a.chunks_exact_mut(size).zip(b.chunks_exact_mut(size)).enumerate() {
            f(share * together + k, a, b);
        }
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
    /// The outputs of a row that see the image through all taps, and the image's column where the first of them begins.
    pub(super) inner: Range<usize>,
    pub(super) inner_start: usize,
    /// Columns of a window.
    pub(super) kernel: usize,
    /// Height and width of a window; 0 where there are gaps in it.
    pub(super) size: [usize; 2],
    pub(super) columns: usize,
    pub(super) width: usize,
    pub(super) stride: usize,
}

impl Taps {
    pub(super) fn new([vertical, h]: &[Axis; 2]) -> Self {
        let before = h.padding[0];
        let mut across = Vec::with_capacity(h.kernel);
        for t in 0..h.kernel {
            let offset = t * h.dilation;
            let first = before.saturating_sub(offset).div_ceil(h.stride);
            let end = (h.input + before)
                .saturating_sub(offset)
                .div_ceil(h.stride)
                .min(h.output);
            if first >= end {
                continue;
            }
            let start = first * h.stride + offset - before;
            across.push(Tap { number: t, outputs: first..end, start });
        }
        let first = across.iter().map(|tap: &Tap| tap.outputs.start).max().unwrap_or(0);
        let inner = first..across.iter().map(|tap| tap.outputs.end).min().unwrap_or(0).max(first);
        let inner_start = (first * h.stride).saturating_sub(before);
        Self {
            vertical: *vertical,
            inner: if across.len() == h.kernel { inner } else { 0..0 },
            inner_start,
            across,
            kernel: h.kernel,
            size: [vertical, h].map(|axis| if axis.dilation == 1 { axis.kernel } else { 0 }),
            columns: h.output,
            width: h.input,
            stride: h.stride,
        }
    }

    /// The image's row at which an output row's windows begin, if they lie in the image from top to bottom.
    pub(super) fn whole(&self, output: usize) -> Option<usize> {
        let Axis { stride, dilation, padding: [before, _], input, kernel, .. } = self.vertical;
        let top = (output * stride).checked_sub(before)?;
        (top + (kernel - 1) * dilation < input).then_some(top)
    }

    /// The rows of an output row's windows that lie in the image, with the image's rows that they are.
    pub(super) fn rows(&self, output: usize) -> impl Iterator<Item = (usize, usize)> {
        let Axis { stride, dilation, padding: [before, _], input, kernel, .. } = self.vertical;
        (0..kernel)
            .filter_map(move |u| Some((u, (output * stride + u * dilation).checked_sub(before)?)))
            .filter(move |&(_, row)| row < input)
    }
}
