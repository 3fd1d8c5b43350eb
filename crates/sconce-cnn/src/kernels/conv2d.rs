//! Convolution as products of small matrices: tiles of pixels are unfolded where they stay in cache, and multiplied there.
//!
//! Per image, group and tile, with filters as rows of W and pixels side by side, so that few channels fill whole vectors:
//! forward Y = W·columns(X), weight gradient dW += dZ·rows(X), input gradient dX += fold(Wᵀ·dZ).

mod gradients;
mod transposed;

use super::border::Border;
use super::fused::Fused;
use super::multiply::{self, Left, ROOM, Start};
use super::split;
use super::unfold::{self, Tile};
use crate::conv::Geometry;
use candle_core::{Module, Result, Tensor};
use gradients::Slope;
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_nn::Activation;
use std::marker::PhantomData;
use std::ops::Range;
pub(crate) use transposed::transposed;

/// Bytes of an unfolded tile, which the first-level cache should hold.
const TILE: usize = 32 << 10;

/// Pixels of a tile at least, whatever its bytes: some vectors side by side.
const TILE_PIXELS: usize = 64;

/// Shares of a batch that run in parallel, at most; few enough that their weight gradients are cheap to add up.
const SHARES: usize = 16;

/// The convolution with its bias and activation; the sizes have been checked.
pub(crate) fn forward<T: Real>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Geometry,
    activation: Option<Activation>,
) -> Result<Tensor> {
    let fused = activation.and_then(Fused::of);
    let tensors: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
    let y = apply1(
        Conv2d::<T> {
            geometry,
            fused,
            dtype: PhantomData,
        },
        &tensors,
    )?;
    match activation {
        Some(activation) if fused.is_none() => activation.forward(&y),
        _ => Ok(y),
    }
}

struct Conv2d<T> {
    geometry: Geometry,
    fused: Option<Fused>,
    dtype: PhantomData<T>,
}

/// The input, if the weight's gradient is wanted, and the weight, if the input's is.
type Saved = [Option<Tensor>; 2];

impl<T: Real> Function for Conv2d<T> {
    type Saved = Saved;

    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn keeps_outputs(&self) -> bool {
        self.fused.is_some()
    }

    fn forward(&self, inputs: &[Tensor], wanted: &[bool]) -> Result<(Vec<Output>, Saved)> {
        let bias = inputs.get(2).map(cpu::slice::<T>).transpose()?;
        let y = self.convolve(
            &cpu::slice(&inputs[0])?,
            &cpu::slice(&inputs[1])?,
            bias.as_deref(),
        );
        let keep = |i: usize, other: usize| wanted[other].then(|| inputs[i].clone());
        Ok((
            vec![Output::new(y, self.geometry.output())?],
            [keep(0, 1), keep(1, 0)],
        ))
    }

    fn backward(&self, ctx: &Backward<'_, Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None; ctx.wanted.len()]);
        };
        let grad = grad.contiguous()?;
        let (device, g) = (grad.device(), &self.geometry);
        let dy = cpu::slice::<T>(&grad)?;
        let y = ctx.outputs.first().map(cpu::slice::<T>).transpose()?;
        let slope = Slope {
            fused: self.fused,
            dy: &dy,
            y: y.as_deref().unwrap_or_default(),
        };
        let mut gradients = vec![None; ctx.wanted.len()];
        if let [_, Some(weight)] = ctx.saved {
            let dx = self.input_gradient(&slope, &cpu::slice(weight)?);
            let [v, h] = &g.axes;
            gradients[0] = Some(Tensor::from_vec(
                dx,
                (g.batch, g.groups * g.c_in, v.input, h.input),
                device,
            )?);
        }
        if ctx.wants(1) || ctx.wants(2) {
            let x = match ctx.saved {
                [Some(x), _] => Some(cpu::slice::<T>(x)?),
                _ => None,
            };
            let (dw, db) = self.parameter_gradients(&slope, x.as_deref());
            let [v, h] = &g.axes;
            if ctx.wants(1) {
                let shape = (g.groups * g.c_out, g.c_in, v.kernel, h.kernel);
                gradients[1] = Some(Tensor::from_vec(dw, shape, device)?);
            }
            if ctx.wants(2) {
                gradients[2] = Some(Tensor::from_vec(db, g.groups * g.c_out, device)?);
            }
        }
        Ok(gradients)
    }
}

impl<T: Real> Conv2d<T> {
    /// What there is to do, in elements of cheap work.
    fn work(&self) -> usize {
        let g = &self.geometry;
        g.batch * g.groups * g.c_out * g.pixels() * g.taps().div_ceil(8)
    }

    /// Pixels of a tile whose unfolded form has these many rows.
    fn tile_pixels(taps: usize) -> usize {
        (TILE / size_of::<T>() / taps).max(TILE_PIXELS)
    }

    fn convolve(&self, x: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let g = &self.geometry;
        let (taps, pixels) = (g.taps(), g.pixels());
        let stride = multiply::stride(taps);
        let mut filters = vec![T::zero(); g.groups * g.c_out * stride];
        for (filter, weight) in filters.chunks_exact_mut(stride).zip(weight.chunks_exact(taps)) {
            filter[..taps].copy_from_slice(weight);
        }
        let tiles = unfold::tiles(&g.axes, Self::tile_pixels(taps));
        let image = |i: usize, tiles: &[Tile], scratch: &mut Scratch<T>, y: &mut [T]| {
            self.convolve_tiles(&x[i * (x.len() / g.batch)..], &filters, bias, tiles, scratch, y);
        };
        let channels = g.groups * g.c_out;
        let mut y = vec![T::zero(); g.batch * channels * pixels];
        if g.batch >= SHARES || tiles.len() == 1 {
            let images = g.batch.div_ceil(SHARES).max(1);
            split::parts(&mut y, images * channels * pixels, self.work(), |share, y| {
                let mut scratch = Scratch::new(g, &tiles, taps);
                for (k, y) in y.chunks_exact_mut(channels * pixels).enumerate() {
                    image(share * images + k, &tiles, &mut scratch, y);
                }
            });
            return y;
        }
        // Few images: their tiles in parallel, each into its own place first.
        let share = tiles.len().div_ceil(SHARES.div_ceil(g.batch.max(1)));
        let shares: Vec<&[Tile]> = tiles.chunks(share).collect();
        let done = split::map(g.batch * shares.len(), self.work(), |k| {
            let tiles = shares[k % shares.len()];
            let mut y = vec![T::zero(); channels * pixels_of(tiles, g).len()];
            image(k / shares.len(), tiles, &mut Scratch::new(g, tiles, taps), &mut y);
            y
        });
        for (k, part) in done.iter().enumerate() {
            let range = pixels_of(shares[k % shares.len()], g);
            let y = &mut y[k / shares.len() * channels * pixels..];
            for (y, part) in y.chunks_exact_mut(pixels).zip(part.chunks_exact(range.len())) {
                y[range.clone()].copy_from_slice(part);
            }
        }
        y
    }

    /// Some tiles of one image, that follow each other; `y` has those pixels alone.
    fn convolve_tiles(
        &self,
        x: &[T],
        filters: &[T],
        bias: Option<&[T]>,
        tiles: &[Tile],
        scratch: &mut Scratch<T>,
        y: &mut [T],
    ) {
        let g = &self.geometry;
        let (taps, [v, h]) = (g.taps(), &g.axes);
        let Scratch {
            border,
            padded,
            unfolded: columns,
        } = scratch;
        let (range, stride) = (pixels_of(tiles, g), multiply::stride(taps));
        for (group, filters) in filters.chunks_exact(g.c_out * stride).enumerate() {
            let filters = Left {
                data: filters,
                stride,
                rows: g.c_out,
                depth: taps,
            };
            let x = &x[group * g.c_in * v.input * h.input..];
            let bias = bias.map(|bias| &bias[group * g.c_out..][..g.c_out]);
            let y = &mut y[group * g.c_out * range.len()..][..g.c_out * range.len()];
            for tile in tiles {
                let pixels = tile.pixels(h.output);
                let view = unfold::view(g, border.as_ref(), x, tile, padded);
                unfold::to_columns(g, &view, tile, columns);
                let (first, count) = (pixels.start - range.start, pixels.len());
                let start = bias.map_or(Start::Zero, Start::Rows);
                filters.multiply(columns, count, count, &mut y[first..], range.len(), start);
                if let Some(fused) = self.fused {
                    for y in y.chunks_exact_mut(range.len()) {
                        fused.apply(&mut y[first..][..count]);
                    }
                }
            }
        }
    }
}

/// What a thread needs to unfold tiles.
struct Scratch<T> {
    border: Option<Border>,
    padded: Vec<T>,
    unfolded: Vec<T>,
}

impl<T: Real> Scratch<T> {
    /// For any of these tiles, with `taps` elements for each pixel.
    fn new(geometry: &Geometry, tiles: &[Tile], taps: usize) -> Self {
        let border = Border::new(geometry, geometry.c_in);
        let rows = unfold::rows_under_any(&geometry.axes[0], tiles);
        let padded = vec![T::zero(); border.as_ref().map_or(0, |border| border.size(rows))];
        Self {
            border,
            padded,
            unfolded: vec![T::zero(); taps * most_pixels(tiles, geometry) + ROOM],
        }
    }
}

fn most_pixels(tiles: &[Tile], geometry: &Geometry) -> usize {
    tiles
        .iter()
        .map(|tile| tile.pixels(geometry.axes[1].output).len())
        .max()
        .unwrap_or(0)
}

/// The pixels of tiles that follow each other.
fn pixels_of(tiles: &[Tile], geometry: &Geometry) -> Range<usize> {
    let width = geometry.axes[1].output;
    match tiles {
        [] => 0..0,
        [first, ..] => {
            let end = tiles.last().unwrap_or(first).pixels(width).end;
            first.pixels(width).start..end
        }
    }
}
