//! The gradients of a convolution.

use super::{Conv2d, SHARES, Scratch, TILE, TILE_PIXELS, most_pixels};
use crate::kernels::border::Border;
use crate::kernels::correlate::Correlate;
use crate::kernels::fused::{self, Fused};
use crate::kernels::multiply::{self, Left, ROOM, Start};
use crate::kernels::split;
use crate::kernels::unfold::{self, Tile};
use sconce_core::cpu::Real;
use std::ops::Range;

/// Bytes of a tile's output channel from which its weight gradient is found without unfolding: adding up the lanes of the
/// sums has to be little beside the sums themselves.
const CORRELATION: usize = 24 * 64;

/// Elements of all shares' weight gradients together, at most.
const PARTIAL_SUMS: usize = 8 << 20;

impl<T: Real> Conv2d<T> {
    /// Gradients of the weight, if there is an input, and of the bias.
    pub(super) fn parameter_gradients(&self, slope: &Slope<'_, T>, x: Option<&[T]>) -> (Vec<T>, Vec<T>) {
        let g = &self.geometry;
        let channels = g.groups * g.c_out;
        let direct = self.correlation_tiles();
        let unfolded = || unfold::tiles(&g.axes, Self::tile_pixels(g.taps()));
        let (correlates, tiles) = (direct.is_some(), direct.unwrap_or_else(unfolded));
        // Units of work in a fixed order, in fixed shares.
        let units = g.batch * tiles.len();
        let weights = channels * g.taps();
        let shares = (PARTIAL_SUMS / weights).clamp(2, SHARES).min(units.max(1));
        let partial = split::map(shares, self.work(), |k| {
            let mut sums = (
                vec![T::zero(); if x.is_some() { weights } else { 0 }],
                vec![T::zero(); channels],
            );
            let units = k * units / shares..(k + 1) * units / shares;
            self.add_parameter_gradients(slope, x, &tiles, correlates, units, &mut sums);
            sums
        });
        let mut partial = partial.into_iter();
        let (mut dw, mut db) = partial.next().unwrap_or_default();
        for (w, b) in partial {
            for (sum, term) in dw.iter_mut().zip(&w).chain(db.iter_mut().zip(&b)) {
                *sum += *term;
            }
        }
        (dw, db)
    }

    /// The tiles for a weight gradient without unfolding, if vectors along the image's rows are long enough for it and few
    /// of their elements lie between the output's rows.
    fn correlation_tiles(&self) -> Option<Vec<Tile>> {
        let [v, h] = &self.geometry.axes;
        if [v.stride, h.stride] != [1, 1] || h.padded() * 4 > h.output * 5 {
            return None;
        }
        let most = (4 * TILE / size_of::<T>() / self.geometry.c_in).max(8 * TILE_PIXELS);
        let tiles = unfold::tiles(&self.geometry.axes, most);
        let least = tiles.iter().map(|tile| tile.pixels(h.output).len()).min()?;
        (least * size_of::<T>() >= CORRELATION).then_some(tiles)
    }

    fn add_parameter_gradients(
        &self,
        slope: &Slope<'_, T>,
        x: Option<&[T]>,
        tiles: &[Tile],
        correlates: bool,
        units: Range<usize>,
        (dw, db): &mut (Vec<T>, Vec<T>),
    ) {
        let g = &self.geometry;
        let (taps, pixels, [v, h]) = (g.taps(), g.pixels(), &g.axes);
        let length = if correlates { 0 } else { unfold::row_length(g) };
        let Scratch {
            border,
            mut padded,
            unfolded: mut rows,
        } = Scratch::new(g, tiles, length);
        let highest = tiles.iter().map(|tile| tile.rows.len()).max().unwrap_or(0);
        let stride =
            multiply::stride(most_pixels(tiles, g).max(if correlates { highest * h.padded() } else { 0 }));
        let mut dz = vec![T::zero(); g.c_out * stride];
        let image = g.c_in * v.input * h.input;
        for unit in units {
            let (i, tile) = (unit / tiles.len(), &tiles[unit % tiles.len()]);
            let range = tile.pixels(h.output);
            let count = range.len();
            // For a correlation the output's rows stand as far apart as the image's.
            let (width, distance) = if correlates {
                (tile.columns.len(), h.padded())
            } else {
                (count, count)
            };
            for group in 0..g.groups {
                let first = group * g.c_out;
                for (channel, dz) in dz.chunks_exact_mut(stride).enumerate() {
                    let place = ((i * g.groups * g.c_out) + first + channel) * pixels;
                    db[first + channel] +=
                        slope.of(place + range.start..place + range.end, dz, width, distance);
                }
                let Some(x) = x else { continue };
                let x = &x[(i * g.groups + group) * image..];
                let view = unfold::view(g, border.as_ref(), x, tile, &mut padded);
                let dw = &mut dw[first * taps..][..g.c_out * taps];
                if correlates {
                    let image = &view.data[tile.columns.start..];
                    let length = (tile.rows.len() - 1) * distance + width;
                    Correlate {
                        rows: &dz,
                        stride,
                        image,
                        offsets: &view.taps(g),
                        length,
                        sums: dw,
                    }
                    .add();
                } else {
                    unfold::to_rows(g, &view, tile, &mut rows);
                    let left = Left {
                        data: &dz,
                        stride,
                        rows: g.c_out,
                        depth: count,
                    };
                    left.multiply(&rows, length, taps, dw, taps, Start::Add);
                }
            }
        }
    }

    pub(super) fn input_gradient(&self, slope: &Slope<'_, T>, weight: &[T]) -> Vec<T> {
        let g = &self.geometry;
        let (pixels, [v, h]) = (g.pixels(), &g.axes);
        let taps = g.taps();
        // Few images: blocks of their channels in parallel.
        let enough = |blocks: &usize| g.c_in.is_multiple_of(*blocks) && g.batch * g.groups * blocks >= SHARES;
        let blocks = (1..g.c_in)
            .find(enough)
            .unwrap_or(if g.batch * g.groups >= SHARES { 1 } else { g.c_in });
        let channels = g.c_in / blocks;
        let block_taps = channels * v.kernel * h.kernel;
        // Transposed: a row for each tap, one block of channels after the other.
        let mut filters = vec![T::zero(); weight.len()];
        for (group, filters) in filters.chunks_exact_mut(g.c_out * taps).enumerate() {
            let weight = &weight[group * g.c_out * taps..];
            for (tap, filter) in filters.chunks_exact_mut(g.c_out).enumerate() {
                for (channel, w) in filter.iter_mut().enumerate() {
                    *w = weight[channel * taps + tap];
                }
            }
        }
        let parts = g.groups * blocks;
        let tiles = unfold::tiles(&g.axes, Self::tile_pixels(block_taps));
        let largest = most_pixels(&tiles, g);
        let border = Border::new(g, channels);
        let mut dx = vec![T::zero(); g.batch * g.groups * g.c_in * v.input * h.input];
        let size = channels * v.input * h.input;
        let together = (g.batch * parts).div_ceil(SHARES).max(1);
        split::parts(&mut dx, together * size, self.work(), |share, dx| {
            let mut dz = vec![T::zero(); g.c_out * largest + ROOM];
            let mut columns = vec![T::zero(); block_taps * largest];
            let mut padded = vec![T::zero(); border.as_ref().map_or(0, |border| border.size(v.padded()))];
            for (k, dx) in dx.chunks_exact_mut(size).enumerate() {
                let (image, part) = ((share * together + k) / parts, (share * together + k) % parts);
                let (data, rows) = (&filters[part * block_taps * g.c_out..], block_taps);
                let left = Left {
                    data,
                    stride: g.c_out,
                    rows,
                    depth: g.c_out,
                };
                padded.fill(T::zero());
                for tile in &tiles {
                    let range = tile.pixels(h.output);
                    let count = range.len();
                    for (channel, dz) in dz.chunks_exact_mut(count).take(g.c_out).enumerate() {
                        let place = ((image * g.groups + part / blocks) * g.c_out + channel) * pixels;
                        slope.of(place + range.start..place + range.end, dz, count, count);
                    }
                    left.multiply(&dz, count, count, &mut columns, count, Start::Zero);
                    let (out, row) = match &border {
                        None => (&mut *dx, h.input),
                        Some(_) => (&mut padded[..], h.padded()),
                    };
                    let channel = out.len() / channels;
                    unfold::add_columns(g, &columns[..block_taps * count], tile, out, channel, row);
                }
                if let Some(border) = &border {
                    border.fold(&padded, dx);
                }
            }
        });
        dx
    }
}

/// The gradient before the activation.
pub(super) struct Slope<'a, T> {
    pub(super) fused: Option<Fused>,
    pub(super) dy: &'a [T],
    pub(super) y: &'a [T],
}

impl<T: Real> Slope<'_, T> {
    /// Writes a range of it, in lines of `width` that stand `distance` apart, and gives its sum.
    fn of(&self, range: Range<usize>, dz: &mut [T], width: usize, distance: usize) -> T {
        let y = if self.fused.is_some() {
            &self.y[range.clone()]
        } else {
            &[]
        };
        fused::slope(self.fused, &self.dy[range], y, dz, width, distance)
    }
}
