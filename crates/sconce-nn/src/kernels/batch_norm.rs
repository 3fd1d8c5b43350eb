//! Batch normalisation: statistics of each channel, and their share in the gradient.

use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::simd::{self, Element, Kernel, Simd, Vector};
use sconce_kernels::{parallel, rows};

/// Mean and biased variance of each channel of x `[batch, channels, *positions]`.
pub(crate) fn stats<T: Real>(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let x = x.contiguous()?;
    let shape = Channels::of(&x)?;
    let values = cpu::slice::<T>(&x)?;
    let (mut mean, mut var) = (vec![T::ZERO; shape.channels], vec![T::ZERO; shape.channels]);
    rows::channel_moments(&values, shape.dims(), &mut mean, &mut var);
    let tensor = |values| Tensor::from_vec(values, shape.channels, x.device());
    Ok((tensor(mean)?, tensor(var)?))
}

/// The training pass, with the statistics of x itself.
pub(crate) fn train<T: Real>(
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    mean: &Tensor,
    var: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    forward::<T>(x, affine, mean, var, eps, true)
}

/// The pass with statistics from elsewhere, which x has no part in.
pub(crate) fn evaluate<T: Real>(
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    mean: &Tensor,
    var: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    forward::<T>(x, affine, mean, var, eps, false)
}

fn forward<T: Real>(
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    mean: &Tensor,
    var: &Tensor,
    eps: f64,
    stats_of_x: bool,
) -> Result<Tensor> {
    let mean = mean.to_vec1::<T>()?;
    let scale = var
        .to_vec1::<T>()?
        .into_iter()
        .map(|var| T::ONE / (var + T::of(eps)).root())
        .collect();
    let function = Normalise {
        mean,
        scale,
        stats_of_x,
    };
    match affine {
        Some((weight, bias)) => apply1(function, &[x, weight, bias]),
        None => apply1(function, &[x]),
    }
}

/// y = (x − mean)·scale·weight + bias.
struct Normalise<T> {
    mean: Vec<T>,
    /// 1/√(var + ε)
    scale: Vec<T>,
    stats_of_x: bool,
}

impl<T: Real> Function for Normalise<T> {
    type Saved = (Tensor, Option<Tensor>);

    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let input = &inputs[0];
        let shape = Channels::of(input)?;
        let x = cpu::slice::<T>(input)?;
        let affine = match inputs {
            [_, weight, bias] => Some((cpu::slice::<T>(weight)?, cpu::slice::<T>(bias)?)),
            _ => None,
        };
        let mut y = vec![T::ZERO; x.len()];
        shape.each_run(&mut y, &x, |channel, y, x| {
            let (mut scale, mut shift) = (self.scale[channel], T::ZERO);
            if let Some((weight, bias)) = &affine {
                (scale, shift) = (scale * weight[channel], bias[channel]);
            }
            simd::dispatch(Line {
                y,
                x,
                centre: self.mean[channel],
                scale,
                shift,
            });
        });
        Ok((
            vec![Output::new(y, input.shape())?],
            (input.clone(), inputs.get(1).cloned()),
        ))
    }

    /// With x̂ = (x − mean)·scale and g the output's gradient: dweight = Σ g·x̂, dbias = Σ g, and
    /// dx = weight·scale·(g − mean(g) − x̂·mean(g·x̂)), the means only where the statistics are x's own.
    fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let (input, weight) = ctx.saved;
        let count = 1 + 2 * usize::from(weight.is_some());
        let Some(grad) = &grads[0] else {
            return Ok(vec![None; count]);
        };
        let grad = grad.contiguous()?;
        let shape = Channels::of(input)?;
        let (x, g) = (cpu::slice::<T>(input)?, cpu::slice::<T>(&grad)?);
        let weights = weight.as_ref().map(cpu::slice::<T>).transpose()?;
        let (mut sums, mut products) = (vec![T::ZERO; shape.channels], vec![T::ZERO; shape.channels]);
        rows::channel_sums(&g, &x, &self.mean, shape.dims(), &mut sums, &mut products);
        products
            .iter_mut()
            .zip(&self.scale)
            .for_each(|(product, scale)| *product *= *scale);
        let dx = if ctx.wants(0) {
            let n = T::of(shape.count() as f64);
            let mut dx = vec![T::ZERO; x.len()];
            shape.each_pair(&mut dx, &x, &g, |channel, dx, x, g| {
                let (mean, scale) = (self.mean[channel], self.scale[channel]);
                let factor = weights.as_ref().map_or(scale, |weights| weights[channel] * scale);
                let (constant, slope) = if self.stats_of_x {
                    (sums[channel] / n, products[channel] / n * scale)
                } else {
                    (T::ZERO, T::ZERO)
                };
                simd::dispatch(InputGradient {
                    dx,
                    x,
                    g,
                    mean,
                    factor,
                    constant,
                    slope,
                });
            });
            Some(Tensor::from_vec(dx, input.shape(), input.device())?)
        } else {
            None
        };
        let mut gradients = vec![dx];
        if weight.is_some() {
            for (i, values) in [(1, products), (2, sums)] {
                let gradient = ctx
                    .wants(i)
                    .then(|| Tensor::from_vec(values, shape.channels, input.device()));
                gradients.push(gradient.transpose()?);
            }
        }
        Ok(gradients)
    }
}

/// A tensor `[batch, channels, positions]`, where each channel of a sample is one run of values.
struct Channels {
    batch: usize,
    channels: usize,
    positions: usize,
}

impl Channels {
    fn of(x: &Tensor) -> Result<Self> {
        let (batch, channels) = (x.dim(0)?, x.dim(1)?);
        Ok(Self {
            batch,
            channels,
            positions: x.dims()[2..].iter().product(),
        })
    }

    /// Values a channel.
    fn count(&self) -> usize {
        self.batch * self.positions
    }

    fn dims(&self) -> (usize, usize, usize) {
        (self.batch, self.channels, self.positions)
    }

    fn each_run<T: Element>(&self, out: &mut [T], x: &[T], f: impl Fn(usize, &mut [T], &[T]) + Sync) {
        self.each_pair(out, x, x, |channel, out, x, _| f(channel, out, x));
    }

    /// Walks the runs of three tensors of this shape in lock-step, in parallel.
    fn each_pair<T: Element>(
        &self,
        out: &mut [T],
        x: &[T],
        g: &[T],
        f: impl Fn(usize, &mut [T], &[T], &[T]) + Sync,
    ) {
        use parallel::Rows;
        let width = self.positions;
        if width == 0 {
            return;
        }
        parallel::zip_rows(
            width,
            (Rows(out, width), Rows(x, width), Rows(g, width)),
            |first, (out, x, g)| {
                let runs = out
                    .chunks_exact_mut(width)
                    .zip(x.chunks_exact(width))
                    .zip(g.chunks_exact(width));
                for (i, ((out, x), g)) in runs.enumerate() {
                    f((first + i) % self.channels, out, x, g);
                }
            },
        );
    }
}

/// y = (x − centre)·scale + shift
struct Line<'a, T> {
    y: &'a mut [T],
    x: &'a [T],
    centre: T,
    scale: T,
    shift: T,
}

impl<T: Real> Kernel for Line<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (centre, scale, shift) = (s.splat(self.centre), s.splat(self.scale), s.splat(self.shift));
        simd::map1(s, self.y, self.x, |x| (x - centre).mul_add(scale, shift));
    }
}

/// dx = factor·(g − constant − slope·(x − mean))
struct InputGradient<'a, T> {
    dx: &'a mut [T],
    x: &'a [T],
    g: &'a [T],
    mean: T,
    factor: T,
    constant: T,
    slope: T,
}

impl<T: Real> Kernel for InputGradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (mean, factor) = (s.splat(self.mean), s.splat(self.factor));
        let (constant, slope) = (s.splat(self.constant), s.splat(self.slope));
        simd::map2(s, self.dx, self.x, self.g, |x, g| {
            factor * slope.neg_mul_add(x - mean, g - constant)
        });
    }
}
