//! Batch normalisation: statistics of each channel, and their share in the gradient.

use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::rows;

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
    forward::<T>("batch_norm", x, affine, (mean, var), eps, true)
}

/// The pass with statistics from elsewhere, which x has no part in.
pub(crate) fn evaluate<T: Real>(
    name: &'static str,
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    mean: &Tensor,
    var: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    forward::<T>(name, x, affine, (mean, var), eps, false)
}

fn forward<T: Real>(
    name: &'static str,
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    (mean, var): (&Tensor, &Tensor),
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
        name,
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
    name: &'static str,
    mean: Vec<T>,
    /// 1/√(var + ε)
    scale: Vec<T>,
    stats_of_x: bool,
}

impl<T: Real> Function for Normalise<T> {
    type Saved = (Tensor, Option<Tensor>);

    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let input = &inputs[0];
        let shape = Channels::of(input)?;
        let x = cpu::slice::<T>(input)?;
        let zeros = vec![T::ZERO; shape.channels];
        let y = match inputs {
            [_, weight, bias] => {
                let scale = product(&self.scale, &cpu::slice::<T>(weight)?);
                rows::channel_affine(&x, shape.dims(), &self.mean, &scale, &cpu::slice::<T>(bias)?)
            }
            _ => rows::channel_affine(&x, shape.dims(), &self.mean, &self.scale, &zeros),
        };
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
        let (mut sums, mut products) = (vec![T::ZERO; shape.channels], vec![T::ZERO; shape.channels]);
        rows::channel_sums(&g, &x, &self.mean, shape.dims(), &mut sums, &mut products);
        let products = product(&products, &self.scale);
        let dx = if ctx.wants(0) {
            let factor = match weight {
                Some(weight) => product(&self.scale, &cpu::slice::<T>(weight)?),
                None => self.scale.clone(),
            };
            let share = if self.stats_of_x {
                T::ONE / T::of(shape.count() as f64)
            } else {
                T::ZERO
            };
            let constant: Vec<T> = sums.iter().map(|&sum| sum * share).collect();
            let slope: Vec<T> = product(&products, &self.scale)
                .iter()
                .map(|&dot| dot * share)
                .collect();
            let dx =
                rows::channel_affine_backward(&g, &x, shape.dims(), &self.mean, &factor, &constant, &slope);
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
}

fn product<T: Real>(a: &[T], b: &[T]) -> Vec<T> {
    a.iter().zip(b).map(|(&a, &b)| a * b).collect()
}
