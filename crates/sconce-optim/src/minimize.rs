//! What an optimiser is that evaluates the loss itself.

use candle_core::Tensor;
use sconce_core::{Gradients, Result};

/// An optimiser that needs the loss at several places for one step, so it is given the way to evaluate it.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Lbfgs, LbfgsConfig, LineSearch, Minimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 2, "w", &Init::Const(-1.))?;
/// let cfg = LbfgsConfig { line_search: LineSearch::StrongWolfe, ..LbfgsConfig::default() };
/// let mut rule: Box<dyn Minimize> = Box::new(Lbfgs::new(&cfg, &store)?);
/// let loss = rule.step(&mut || {
///     let loss = (w.tensor() - 3.)?.sqr()?.sum_all()?;
///     Ok((loss.to_scalar()?, backward(&loss, &store)?))
/// })?;
/// assert_eq!(loss, 32.);
/// assert!(w.value().to_vec1::<f64>()?.iter().all(|w| (w - 3.).abs() < 1e-9));
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub trait Minimize {
    /// Changes the parameters so that the loss falls, and gives the loss that there was before.
    ///
    /// `closure` gives the loss and its gradients at the parameters as they are when it is called.
    ///
    /// # Errors
    /// Those of `closure`; a gradient that doesn't fit its parameter. Then the parameters are what they were before.
    fn step(&mut self, closure: &mut dyn FnMut() -> Result<(f64, Gradients)>) -> Result<f64>;

    /// The rule's name, as in `Lbfgs`: a checkpoint of another is refused.
    fn name(&self) -> &str {
        "optimiser"
    }

    /// The factor on each step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate of the next step.
    ///
    /// # Errors
    /// It is negative or not finite. Then it stays as it was.
    fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()>;

    /// A copy of what the optimiser remembers, by PyTorch's names, for a checkpoint; empty before the first step.
    ///
    /// # Errors
    /// Those of candle's copy.
    fn state(&self) -> Result<Vec<(String, Tensor)>>;

    /// Replaces what the optimiser remembers by what [`state`](Self::state) gave: the next steps are those that would have
    /// followed there. Options stay.
    ///
    /// # Errors
    /// A name that is none of its state's, a part that is missing or of another shape. Then nothing was changed.
    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()>;
}
