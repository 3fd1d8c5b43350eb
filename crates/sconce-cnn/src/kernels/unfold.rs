//! Images as matrices: every window's taps beside each other, and back.

use super::border::Border;
use crate::conv::Geometry;
use crate::window::Axis;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{self, Kernel, Simd, Vector};
use std::ops::Range;

/// Elements that are copied at once; buffers have this much room behind their end.
pub(super) const RUN: usize = 8;

/// Channels of a padded image, or some rows of them: element (c, i, j) is `data[c·channel + i·row + j]`.
pub(super) struct View<'a, T> {
    pub(super) data: &'a [T],
    channel: usize,
    row: usize,
}

impl<T> View<'_, T> {
    /// Where each tap of the first pixel's window stands in the data.
    pub(super) fn taps(&self, geometry: &Geometry) -> Vec<usize> {
        let [v, h] = &geometry.axes;
        let place = |channel: usize, u: usize, t: usize| {
            channel * self.channel + u * v.dilation * self.row + t * h.dilation
        };
        let window = |channel| (0..v.kernel).flat_map(move |u| (0..h.kernel).map(move |t| (channel, u, t)));
        (0..geometry.c_in)
            .flat_map(window)
            .map(|(channel, u, t)| place(channel, u, t))
            .collect()
    }
}

/// Part of an output channel: whole rows of pixels, or some pixels of one row.
#[derive(Debug, Clone)]
pub(super) struct Tile {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Tile {
    /// The tile's pixels, which follow each other.
    pub(super) fn pixels(&self, width: usize) -> Range<usize> {
        let start = self.rows.start * width + self.columns.start;
        start..start + self.rows.len() * self.columns.len()
    }
}

/// An output channel cut into tiles of at most `most` pixels, which is more than 0.
pub(super) fn tiles([v, h]: &[Axis; 2], most: usize) -> Vec<Tile> {
    if h.output > most {
        let pieces = h.output.div_ceil(most);
        let piece = |row: usize, i: usize| Tile {
            rows: row..row + 1,
            columns: i * h.output / pieces..(i + 1) * h.output / pieces,
        };
        return (0..v.output)
            .flat_map(|row| (0..pieces).map(move |i| piece(row, i)))
            .collect();
    }
    let bands = v.output.div_ceil((most / h.output).max(1));
    let band = |i: usize| Tile {
        rows: i * v.output / bands..(i + 1) * v.output / bands,
        columns: 0..h.output,
    };
    (0..bands).map(band).collect()
}

/// The rows of a padded image that a tile's windows lie on.
fn rows_under(axis: &Axis, rows: &Range<usize>) -> Range<usize> {
    let last = rows.end.saturating_sub(1);
    rows.start * axis.stride..last * axis.stride + (axis.kernel - 1) * axis.dilation + 1
}

/// Most rows of a padded image under any of these tiles.
pub(super) fn rows_under_any(axis: &Axis, tiles: &[Tile]) -> usize {
    tiles
        .iter()
        .map(|tile| rows_under(axis, &tile.rows).len())
        .max()
        .unwrap_or(0)
}

/// What a tile's windows lie on, so that the tile's first row begins at the view's row 0; padded in `scratch`, if at all.
pub(super) fn view<'a, T: Real>(
    geometry: &Geometry,
    border: Option<&Border>,
    image: &'a [T],
    tile: &Tile,
    scratch: &'a mut [T],
) -> View<'a, T> {
    let [v, h] = &geometry.axes;
    let rows = rows_under(v, &tile.rows);
    match border {
        None => View {
            data: &image[rows.start * h.input..],
            channel: v.input * h.input,
            row: h.input,
        },
        Some(border) => {
            let (count, row) = (rows.len(), border.padded);
            border.pad(image, rows, scratch);
            View {
                data: scratch,
                channel: count * row,
                row,
            }
        }
    }
}

/// The view's windows as columns: `out[tap·pixels + pixel]`, and [`RUN`] elements more of no meaning.
pub(super) fn to_columns<T: Real>(geometry: &Geometry, view: &View<'_, T>, tile: &Tile, out: &mut [T]) {
    simd::dispatch(ToColumns {
        geometry,
        view,
        tile,
        out,
    });
}

struct ToColumns<'a, T> {
    geometry: &'a Geometry,
    view: &'a View<'a, T>,
    tile: &'a Tile,
    out: &'a mut [T],
}

impl<T: Real> Kernel for ToColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self {
            geometry,
            view,
            tile,
            out,
        } = self;
        let [v, h] = &geometry.axes;
        let (height, width) = (tile.rows.len(), tile.columns.len());
        let below = v.stride * view.row;
        let mut at = 0;
        for channel in 0..geometry.c_in {
            for u in 0..v.kernel {
                for t in 0..h.kernel {
                    let first = channel * view.channel
                        + u * v.dilation * view.row
                        + t * h.dilation
                        + tile.columns.start * h.stride;
                    let (from, to) = (&view.data[first..], &mut out[at..]);
                    if h.stride == 1 && width >= RUN {
                        // The last piece overlaps the one before it.
                        for piece in (0..width).step_by(RUN) {
                            let piece = piece.min(width - RUN);
                            copy_pieces(&mut to[piece..], width, &from[piece..], below, height);
                        }
                    } else if h.stride == 1 && from.len() >= (height - 1) * below + RUN {
                        // Each piece's surplus is overwritten by the next one.
                        copy_pieces(to, width, from, below, height);
                    } else {
                        for row in 0..height {
                            let from = from[row * below..].iter().step_by(h.stride);
                            for (to, from) in to[row * width..][..width].iter_mut().zip(from) {
                                *to = *from;
                            }
                        }
                    }
                    at += height * width;
                }
            }
        }
    }
}

/// Copies `count` pieces of [`RUN`] elements that stand some strides apart.
#[inline(always)]
fn copy_pieces<T: Copy>(to: &mut [T], to_stride: usize, from: &[T], from_stride: usize, count: usize) {
    for i in 0..count {
        let (at, start) = (i * to_stride, i * from_stride);
        to[at..at + RUN].copy_from_slice(&from[start..start + RUN]);
    }
}

/// Length of a row of [`to_rows`].
pub(super) fn row_length(geometry: &Geometry) -> usize {
    let kernel = geometry.axes[1].kernel;
    let surplus = kernel.next_multiple_of(RUN) - kernel;
    // An odd number of runs, so that rows don't fall into the same places of a cache.
    ((geometry.taps() + surplus).div_ceil(RUN) | 1) * RUN
}

/// The view's windows as rows: `out[pixel·row_length + tap]`, with elements of no meaning behind the last tap.
pub(super) fn to_rows<T: Real>(geometry: &Geometry, view: &View<'_, T>, tile: &Tile, out: &mut [T]) {
    simd::dispatch(ToRows {
        geometry,
        view,
        tile,
        out,
    });
}

struct ToRows<'a, T> {
    geometry: &'a Geometry,
    view: &'a View<'a, T>,
    tile: &'a Tile,
    out: &'a mut [T],
}

impl<T: Real> Kernel for ToRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self {
            geometry,
            view,
            tile,
            out,
        } = self;
        let [v, h] = &geometry.axes;
        let (length, width) = (row_length(geometry), tile.columns.len());
        for (row, out) in out
            .chunks_exact_mut(length * width)
            .take(tile.rows.len())
            .enumerate()
        {
            for channel in 0..geometry.c_in {
                for u in 0..v.kernel {
                    let first = channel * view.channel
                        + (row * v.stride + u * v.dilation) * view.row
                        + tile.columns.start * h.stride;
                    let tap = (channel * v.kernel + u) * h.kernel;
                    let from = &view.data[first..];
                    // Every run's surplus is overwritten by the next one's, the last one's lies behind the row.
                    for piece in (0..h.kernel).step_by(RUN) {
                        let at = tap + piece;
                        if h.dilation == 1 && from.len() >= piece + (width - 1) * h.stride + RUN {
                            // Indices rather than iterators over chunks, whose divisions cost more than such short loops.
                            for j in 0..width {
                                let (at, start) = (j * length + at, piece + j * h.stride);
                                out[at..at + RUN].copy_from_slice(&from[start..start + RUN]);
                            }
                        } else {
                            let taps = piece..h.kernel.min(piece + RUN);
                            for (j, out) in out.chunks_exact_mut(length).enumerate() {
                                for t in taps.clone() {
                                    out[tap + t] = from[j * h.stride + t * h.dilation];
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Adds columns, as [`to_columns`] makes them, to what their windows lie on: channels of `channel` elements in rows of `row`.
pub(super) fn add_columns<T: Real>(
    geometry: &Geometry,
    columns: &[T],
    tile: &Tile,
    out: &mut [T],
    channel: usize,
    row: usize,
) {
    simd::dispatch(AddColumns {
        geometry,
        columns,
        tile,
        out,
        channel,
        row,
    });
}

struct AddColumns<'a, T> {
    geometry: &'a Geometry,
    columns: &'a [T],
    tile: &'a Tile,
    out: &'a mut [T],
    channel: usize,
    row: usize,
}

impl<T: Real> Kernel for AddColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            geometry,
            columns,
            tile,
            out,
            channel,
            row,
        } = self;
        let [v, h] = &geometry.axes;
        let (height, width) = (tile.rows.len(), tile.columns.len());
        let below = v.stride * row;
        let (kernel, size) = (v.kernel * h.kernel, height * width);
        for u in 0..v.kernel {
            for t in 0..h.kernel {
                // Channels within, so that neighbouring taps, which touch the same elements, are far apart in time.
                for (c, columns) in columns.chunks_exact(kernel * size).enumerate() {
                    let columns = &columns[(u * h.kernel + t) * size..][..size];
                    let first = c * channel
                        + (tile.rows.start * v.stride + u * v.dilation) * row
                        + t * h.dilation
                        + tile.columns.start * h.stride;
                    for i in 0..height {
                        let (to, from) = (&mut out[first + i * below..], &columns[i * width..][..width]);
                        if h.stride == 1 {
                            add_line(s, &mut to[..width], from);
                        } else {
                            for (to, from) in to.iter_mut().step_by(h.stride).zip(from) {
                                *to += *from;
                            }
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn add_line<T: Real, S: Simd>(s: S, to: &mut [T], from: &[T]) {
    let (to, to_rest) = to.as_chunks_mut::<RUN>();
    let (from, from_rest) = from.as_chunks::<RUN>();
    for (to, from) in to.iter_mut().zip(from) {
        // Through a copy, since a sum in place isn't vectorised.
        let mut sum = *to;
        for i in 0..RUN {
            sum[i] += from[i];
        }
        *to = sum;
    }
    let lanes = s.lanes::<T>();
    for (to, from) in to_rest.chunks_mut(lanes).zip(from_rest.chunks(lanes)) {
        (s.load::<T>(to) + s.load::<T>(from)).store(to);
    }
}
