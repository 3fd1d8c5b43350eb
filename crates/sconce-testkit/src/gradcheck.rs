//! Gradients against central differences, in f64.
//!
//! The scalar that is differentiated is Σ_k ⟨out_k, cot_k⟩ with fixed pseudo-random weights `cot`, so that a gradient that
//! happens to be right for a plain sum (softmax's is zero there) is still caught. For each element x_i of each input
//!
//! numeric_i = Σ_k ⟨out_k(x_i + h) − out_k(x_i − h), cot_k⟩ / 2h,  h = step · max(1, |x_i|),
//!
//! and the check passes where |analytic − numeric| ≤ tolerance · (max(|analytic|, |numeric|) + g) + noise. g is the input's
//! largest numeric gradient, so that the bound scales with the function, and noise = 8 ε Σ|out·cot| / h is what rounding can
//! do to the difference. An element that fails is tried again with h/10 and 10 h before it counts: near a kink, or where the
//! third derivative is large, one step is unlucky; a wrong gradient fails all three.

mod report;
mod run;
#[cfg(test)]
mod tests;

use candle_core::{DType, Result, Tensor, Var};

use crate::Layout;
pub use report::{Checked, Element, GradCheckError, Problem, Report};
use run::{Leaf, Run};

/// Checks the gradients of a function of tensors: that each input gets one, and that each is right.
///
/// # Example
/// ```
/// use sconce_testkit::{check_gradients, Random};
/// use candle_core::DType;
///
/// let x = Random::new(1).normal((4, 3), DType::F64)?;
/// check_gradients(&[("x", &x)], |x| x[0].tanh())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// See [`GradCheck::check`].
pub fn check_gradients<O: Outputs>(
    inputs: &[(&str, &Tensor)],
    f: impl Fn(&[Tensor]) -> Result<O>,
) -> std::result::Result<Report, GradCheckError> {
    GradCheck::default().check(inputs, &[], f)
}

/// Checks the gradients of named variables that the function reads by itself: a model's parameters.
///
/// # Errors
/// See [`GradCheck::check`].
pub fn check_parameters<O: Outputs>(
    parameters: &[(String, Var)],
    f: impl Fn() -> Result<O>,
) -> std::result::Result<Report, GradCheckError> {
    GradCheck::default().check(&[], parameters, |_: &[Tensor]| f())
}

/// [`check_gradients`] for tests.
///
/// # Panics
/// At the caller's line, with the report, if the check fails.
#[track_caller]
pub fn assert_gradients<O: Outputs>(inputs: &[(&str, &Tensor)], f: impl Fn(&[Tensor]) -> Result<O>) {
    GradCheck::default().assert(inputs, &[], f);
}

/// [`GradCheck::check`] of a layer's inputs and parameters with the default options, for tests.
///
/// # Panics
/// At the caller's line, with the report, if the check fails.
#[track_caller]
pub fn assert_parameter_gradients<O: Outputs>(
    inputs: &[(&str, &Tensor)],
    parameters: &[(String, Var)],
    f: impl Fn(&[Tensor]) -> Result<O>,
) {
    GradCheck::default().assert(inputs, parameters, f);
}

/// Options of a gradient check. The defaults serve for functions of values around one.
#[derive(Clone, Debug)]
pub struct GradCheck {
    /// Step of the central difference, relative for values above one.
    pub step: f64,
    /// Largest error that passes, relative to the gradient.
    pub tolerance: f64,
    /// How many elements of one input are compared; of a larger input a fixed random choice of as many.
    pub max_elements: usize,
    /// The memory layouts in which the inputs are handed over. Differences are taken in the first; in the others outputs and
    /// gradients must be the same.
    pub layouts: &'static [Layout],
    /// Names whose gradient may be absent or zero everywhere. For any other this is a failure.
    pub may_be_zero: &'static [&'static str],
}

impl Default for GradCheck {
    fn default() -> Self {
        Self {
            step: 1e-5,
            tolerance: 1e-6,
            max_elements: 4096,
            layouts: &[Layout::Contiguous, Layout::Transposed],
            may_be_zero: &[],
        }
    }
}

impl GradCheck {
    /// Checks the gradient of every input, and of every parameter that `f` reads by itself.
    ///
    /// Inputs are turned into f64 variables and handed to `f` in their order, once in every layout. Parameters must be f64;
    /// they are changed during the check and have their values back after it. `f` must be a function: the same inputs, the
    /// same outputs; tensors that take no gradient (indices, masks) are captured by it. It returns one tensor, or several.
    ///
    /// # Errors
    /// [`GradCheckError`] lists all that is wrong: a missing gradient, one that is zero everywhere, of another shape, or
    /// wrong, with the worst element; outputs that differ from call to call or from layout to layout; and `f`'s own error.
    pub fn check<O: Outputs>(
        &self,
        inputs: &[(&str, &Tensor)],
        parameters: &[(String, Var)],
        f: impl Fn(&[Tensor]) -> Result<O>,
    ) -> std::result::Result<Report, GradCheckError> {
        let mut leaves = Vec::with_capacity(inputs.len() + parameters.len());
        for (name, tensor) in inputs {
            leaves.push(Leaf::new(
                name,
                Var::from_tensor(&tensor.to_dtype(DType::F64)?.detach().copy()?)?,
            )?);
        }
        for (name, var) in parameters {
            if var.dtype() != DType::F64 {
                return Err(Problem::Dtype {
                    name: name.clone(),
                    dtype: var.dtype(),
                }
                .into());
            }
            leaves.push(Leaf::new(name, var.clone())?);
        }
        let result = Run {
            options: self,
            leaves: &leaves,
            inputs: inputs.len(),
            f: &f,
        }
        .check();
        for leaf in &leaves {
            leaf.restore()?;
        }
        result
    }

    /// [`GradCheck::check`] for tests.
    ///
    /// # Panics
    /// At the caller's line, with the report, if the check fails.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion's purpose")]
    pub fn assert<O: Outputs>(
        &self,
        inputs: &[(&str, &Tensor)],
        parameters: &[(String, Var)],
        f: impl Fn(&[Tensor]) -> Result<O>,
    ) {
        if let Err(error) = self.check(inputs, parameters, f) {
            panic!("gradient check failed\n{error}");
        }
    }
}

/// What a checked function returns: one tensor or several.
pub trait Outputs {
    /// The outputs in their order.
    fn into_tensors(self) -> Vec<Tensor>;
}

impl Outputs for Tensor {
    fn into_tensors(self) -> Vec<Tensor> {
        vec![self]
    }
}

impl Outputs for Vec<Tensor> {
    fn into_tensors(self) -> Vec<Tensor> {
        self
    }
}

impl<const N: usize> Outputs for [Tensor; N] {
    fn into_tensors(self) -> Vec<Tensor> {
        self.into()
    }
}

impl Outputs for (Tensor, Tensor) {
    fn into_tensors(self) -> Vec<Tensor> {
        vec![self.0, self.1]
    }
}

impl Outputs for (Tensor, Tensor, Tensor) {
    fn into_tensors(self) -> Vec<Tensor> {
        vec![self.0, self.1, self.2]
    }
}
