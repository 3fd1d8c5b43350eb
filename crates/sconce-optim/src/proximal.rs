//! L1 regularisation that gives exact zeros: a proximal step after another rule's.

use crate::Optimize;
use crate::engine::check_not_negative;
use candle_core::{Tensor, Var};
use sconce_core::{Gradients, NameGlob, Parameters, Result};

const NAME: &str = "ProximalL1";

/// Another rule's step, then the proximal step of an L1 penalty: each value moves towards 0, and stops there.
///
/// θ ← the rule's step by the loss without the penalty, then θ ← sign(θ)·max(|θ| − ηλ, 0), where η is the parameter's learning
/// rate. With plain [`Sgd`](crate::Sgd) this is proximal gradient descent (ISTA), whose fixed points minimise L + λ‖θ‖₁. With
/// a rule that scales its steps, such as [`Adam`](crate::Adam), λ acts as decoupled weight decay does: past the scaling.
///
/// The penalty's subgradient, λ·sign(θ), in the loss instead has the same minimum in theory, but its steps jump over 0
/// from both sides, and no value ever rests there.
///
/// Parameters without a gradient stay as they are, as with every rule.
///
/// # Errors
/// `new`: `lambda` is negative or not finite; the glob is malformed or matches no parameter.
///
/// # Source
/// Daubechies, Defrise and De Mol, "An iterative thresholding algorithm for linear inverse problems with a sparsity
/// constraint", 2004; Parikh and Boyd, "Proximal algorithms", 2014
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Optimize, ProximalL1, Sgd, SgdConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 2, "fc.weight", &Init::Const(0.))?;
/// let sgd = Sgd::new(&SgdConfig { lr: 0.5, ..SgdConfig::default() }, &store)?;
/// let mut rule = ProximalL1::new(sgd, &store, "*.weight", 1.)?;
/// // The minimum of ½‖w − target‖² + ‖w‖₁ is at (2, 0).
/// let target = Tensor::new(&[3., 0.7], &Device::Cpu)?;
/// for _ in 0..10 {
///     let loss = ((w.tensor() - &target)?.sqr()?.sum_all()? * 0.5)?;
///     rule.step(&backward(&loss, &store)?)?;
/// }
/// let w = w.value().to_vec1::<f64>()?;
/// assert!((w[0] - 2.).abs() < 0.01 && w[1] == 0.);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct ProximalL1<O> {
    rule: O,
    shrunk: Vec<(String, Var)>,
    lambda: f64,
}

impl<O: Optimize> ProximalL1<O> {
    /// A proximal step after each of `rule`'s, on the parameters whose name matches `glob` (`*` matches dots too).
    ///
    /// # Errors
    /// See [`ProximalL1`].
    pub fn new<P: Parameters + ?Sized>(rule: O, parameters: &P, glob: &str, lambda: f64) -> Result<Self> {
        check_not_negative(NAME, &[("lambda", lambda)])?;
        let glob = NameGlob::new(glob)?;
        // Frozen ones too: they may be trained later.
        let mut shrunk = parameters.named_tensors();
        shrunk.retain(|(name, _)| glob.matches(name));
        if shrunk.is_empty() {
            return Err(glob.matches_no("parameter"));
        }
        Ok(Self { rule, shrunk, lambda })
    }

    /// The rule whose steps these are; what is remembered is its.
    pub fn rule(&self) -> &O {
        &self.rule
    }
}

impl<O: Optimize> Optimize for ProximalL1<O> {
    fn step(&mut self, gradients: &Gradients) -> Result<()> {
        self.rule.step(gradients)?;
        for (name, var) in &self.shrunk {
            // Of nothing, candle gives the same nothing back, to which it can't be set.
            if gradients.get(name).is_some() && var.elem_count() > 0 {
                let threshold = self.rule.learning_rate_of(name) * self.lambda;
                var.set(&soft_threshold(&var.as_detached_tensor(), threshold)?)?;
            }
        }
        Ok(())
    }

    fn name(&self) -> &str {
        self.rule.name()
    }

    fn learning_rates(&self) -> Vec<f64> {
        self.rule.learning_rates()
    }

    fn set_learning_rates(&mut self, learning_rates: &[f64]) -> Result<()> {
        self.rule.set_learning_rates(learning_rates)
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.rule.set_learning_rate(learning_rate);
    }

    fn learning_rate_of(&self, name: &str) -> f64 {
        self.rule.learning_rate_of(name)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.rule.state()
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.rule.load_state(state)
    }

    fn momenta(&self) -> Vec<f64> {
        self.rule.momenta()
    }

    fn set_momenta(&mut self, momenta: &[f64]) -> Result<()> {
        self.rule.set_momenta(momenta)
    }
}

/// sign(x)·max(|x| − t, 0), as x less what of it lies between −t and t: that is exactly 0 within.
fn soft_threshold(x: &Tensor, threshold: f64) -> candle_core::Result<Tensor> {
    x - x.clamp(-threshold, threshold)?
}

#[cfg(test)]
mod tests;
