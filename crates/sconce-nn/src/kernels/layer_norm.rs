//! Layer normalisation of rows.

use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::rows::{self, LayerNorm, LayerNormGradients};
use std::marker::PhantomData;

/// x `[rows, width]`, normalised along its rows, times weight plus bias, both `[width]`.
pub(crate) fn forward<T: Real>(
    name: &'static str,
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    let inputs: Vec<&Tensor> = std::iter::once(x).chain(weight).chain(bias).collect();
    let (has_weight, has_bias) = (weight.is_some(), bias.is_some());
    apply1(
        LayerNormFn::<T> {
            name,
            eps,
            has_weight,
            has_bias,
            dtype: PhantomData,
        },
        &inputs,
    )
}

struct LayerNormFn<T> {
    name: &'static str,
    eps: f64,
    has_weight: bool,
    has_bias: bool,
    dtype: PhantomData<T>,
}

struct Saved<T> {
    x: Tensor,
    weight: Option<Tensor>,
    mean: Vec<T>,
    /// 1/√(var + ε) of each row.
    rstd: Vec<T>,
}

impl<T> LayerNormFn<T> {
    /// Where the bias stands among the inputs.
    fn bias(&self) -> usize {
        1 + usize::from(self.has_weight)
    }
}

impl<T: Real> Function for LayerNormFn<T> {
    type Saved = Saved<T>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let (rows, width) = inputs[0].dims2()?;
        let x = cpu::slice::<T>(&inputs[0])?;
        let weight = self.has_weight.then(|| cpu::slice::<T>(&inputs[1])).transpose()?;
        let bias = self
            .has_bias
            .then(|| cpu::slice::<T>(&inputs[self.bias()]))
            .transpose()?;
        let LayerNorm { y, mean, rstd } =
            rows::layer_norm(&x, width, weight.as_deref(), bias.as_deref(), self.eps);
        let weight = self.has_weight.then(|| inputs[1].clone());
        Ok((
            vec![Output::new(y, (rows, width))?],
            Saved {
                x: inputs[0].clone(),
                weight,
                mean,
                rstd,
            },
        ))
    }

    fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None; ctx.wanted.len()]);
        };
        let grad = grad.contiguous()?;
        let Saved {
            x,
            weight,
            mean,
            rstd,
        } = ctx.saved;
        let (rows, width) = x.dims2()?;
        let weight = weight.as_ref().map(cpu::slice::<T>).transpose()?;
        let parameters = self.has_weight && ctx.wants(1) || self.has_bias && ctx.wants(self.bias());
        let wanted = (ctx.wants(0), parameters);
        let (x, dy) = (cpu::slice::<T>(x)?, cpu::slice::<T>(&grad)?);
        let LayerNormGradients { dx, parameters } =
            rows::layer_norm_backward(wanted, &dy, &x, width, weight.as_deref(), mean, rstd);
        let (dweight, dbias) = parameters.unzip();
        let tensor = |values: Option<Vec<T>>, dims: &[usize]| {
            values
                .map(|values| Tensor::from_vec(values, dims, grad.device()))
                .transpose()
        };
        let mut gradients = vec![tensor(dx, &[rows, width])?];
        if self.has_weight {
            gradients.push(tensor(dweight.filter(|_| ctx.wants(1)), &[width])?);
        }
        if self.has_bias {
            gradients.push(tensor(dbias.filter(|_| ctx.wants(self.bias())), &[width])?);
        }
        Ok(gradients)
    }
}
