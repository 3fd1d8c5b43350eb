//! Penalties on parameters, to be added to a data loss: L1, L2 and both.

use crate::check;
use crate::stable::working;
use candle_core::{DType, Result, Tensor};
use sconce_core::{Backward, Error, Function, NameGlob, Output, Parameters, apply1, cast};

/// L1 penalty of the trained parameters whose name matches `glob`: λ·Σ|θ|.
///
/// It draws values towards 0 with a constant force, its subgradient λ·sign(θ), which is 0 at 0. Descent by it brings values near
/// 0 but steps over it; for exact zeros, let `sconce_optim::ProximalL1` do the penalty's step.
///
/// # Shapes
/// output: a scalar, of the first matching parameter's type. `*` in the glob matches dots too, as in
/// [`ParamStore::freeze`](sconce_core::ParamStore::freeze).
///
/// # Errors
/// `lambda` is negative or not finite; the glob is malformed or matches no trained parameter.
///
/// # Source
/// Tibshirani, "Regression shrinkage and selection via the lasso", 1996
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_losses::l1_penalty;
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let weight = param(&store.builder(), 2, "fc.weight", &Init::Const(-3.))?;
/// let bias = param(&store.builder(), 2, "fc.bias", &Init::Const(1.))?;
/// let data_loss = bias.tensor().sqr()?.sum_all()?;
/// let loss = (data_loss + l1_penalty(&store, "*.weight", 0.1)?)?;
/// assert!((loss.to_scalar::<f64>()? - 2.6).abs() < 1e-12);
/// let gradients = backward(&loss, &store)?;
/// assert_eq!(gradients.get("fc.weight").unwrap().to_vec1::<f64>()?, [-0.1, -0.1]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn l1_penalty<P: Parameters + ?Sized>(parameters: &P, glob: &str, lambda: f64) -> Result<Tensor> {
    let name = "l1_penalty";
    check::not_negative(name, "lambda", lambda)?;
    penalty(name, parameters, glob, lambda, 0.)
}

/// L2 penalty of the trained parameters whose name matches `glob`: λ·Σθ².
///
/// It shrinks values in proportion, by its gradient 2λθ, and makes none 0. With plain SGD it does what a `weight_decay` of 2λ
/// does; with rules that scale their steps, such as Adam, weight decay of either kind is something else.
///
/// # Shapes
/// output: a scalar, of the first matching parameter's type. `*` in the glob matches dots too, as in
/// [`ParamStore::freeze`](sconce_core::ParamStore::freeze).
///
/// # Errors
/// `lambda` is negative or not finite; the glob is malformed or matches no trained parameter.
///
/// # Source
/// Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_losses::l2_penalty;
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// param(&store.builder(), 2, "fc.weight", &Init::Const(-3.))?;
/// let penalty = l2_penalty(&store, "*.weight", 0.5)?;
/// assert_eq!(penalty.to_scalar::<f64>()?, 9.);
/// assert_eq!(backward(&penalty, &store)?.get("fc.weight").unwrap().to_vec1::<f64>()?, [-3., -3.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn l2_penalty<P: Parameters + ?Sized>(parameters: &P, glob: &str, lambda: f64) -> Result<Tensor> {
    let name = "l2_penalty";
    check::not_negative(name, "lambda", lambda)?;
    penalty(name, parameters, glob, 0., lambda)
}

/// Elastic net: the [L1](l1_penalty) and the [L2 penalty](l2_penalty) together, λ₁·Σ|θ| + λ₂·Σθ².
///
/// # Shapes
/// output: a scalar, of the first matching parameter's type. `*` in the glob matches dots too, as in
/// [`ParamStore::freeze`](sconce_core::ParamStore::freeze).
///
/// # Errors
/// `l1` or `l2` is negative or not finite; the glob is malformed or matches no trained parameter.
///
/// # Source
/// Zou and Hastie, "Regularization and variable selection via the elastic net", 2005
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_losses::elastic_net;
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// param(&store.builder(), 2, "fc.weight", &Init::Const(-3.))?;
/// assert_eq!(elastic_net(&store, "*", 1., 0.5)?.to_scalar::<f64>()?, 15.);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn elastic_net<P: Parameters + ?Sized>(parameters: &P, glob: &str, l1: f64, l2: f64) -> Result<Tensor> {
    let name = "elastic_net";
    check::not_negative(name, "l1", l1)?;
    check::not_negative(name, "l2", l2)?;
    penalty(name, parameters, glob, l1, l2)
}

fn penalty<P: Parameters + ?Sized>(
    name: &'static str,
    parameters: &P,
    glob: &str,
    l1: f64,
    l2: f64,
) -> Result<Tensor> {
    let glob = NameGlob::new(glob)?;
    let mut chosen = parameters.named_parameters();
    chosen.retain(|(name, _)| glob.matches(name));
    if chosen.is_empty() {
        return Err(glob.matches_no("trained parameter").into());
    }
    let tensors: Vec<&Tensor> = chosen.iter().map(|(_, var)| var.as_tensor()).collect();
    apply1(Penalty { name, l1, l2 }, &tensors)
}

/// One node for all the parameters, so that each gradient is made once and added where it belongs.
struct Penalty {
    name: &'static str,
    l1: f64,
    l2: f64,
}

impl Function for Penalty {
    /// The parameters.
    type Saved = Vec<Tensor>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let Some(first) = inputs.first() else {
            return Err(Error::config(self.name, "inputs", 0, "at least one").into());
        };
        // Half precision has no room for sums.
        let dtype = match first.dtype() {
            DType::F64 => DType::F64,
            _ => DType::F32,
        };
        let mut total = Tensor::zeros((), dtype, first.device())?;
        for input in inputs {
            let input = cast(input, dtype)?;
            if self.l1 > 0. {
                total = (total + (input.abs()?.sum_all()? * self.l1)?)?;
            }
            if self.l2 > 0. {
                total = (total + (input.sqr()?.sum_all()? * self.l2)?)?;
            }
        }
        let output = Output::copy_of(&total.to_dtype(first.dtype())?)?;
        Ok((vec![output], inputs.to_vec()))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Self::Saved>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let [Some(grad)] = grads else {
            return Ok(vec![None; ctx.saved.len()]);
        };
        let gradient = |input: &Tensor| {
            let dtype = input.dtype();
            // In half precision a small λ would be 0 before it meets a large parameter.
            let input = &working(input)?;
            let slope = match (self.l1 > 0., self.l2 > 0.) {
                (true, false) => (input.sign()? * self.l1)?,
                (true, true) => ((input.sign()? * self.l1)? + (input * (2. * self.l2))?)?,
                (false, _) => (input * (2. * self.l2))?,
            };
            slope
                .broadcast_mul(&grad.to_dtype(input.dtype())?)?
                .to_dtype(dtype)
        };
        let wanted = |(i, input)| ctx.wants(i).then(|| gradient(input)).transpose();
        ctx.saved.iter().enumerate().map(wanted).collect()
    }
}

#[cfg(test)]
mod tests;
