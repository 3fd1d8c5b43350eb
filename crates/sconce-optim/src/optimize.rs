//! What a training loop needs of an optimiser.

use sconce_core::{Gradients, Result};

/// An optimiser: it changes the parameters it was made for by their gradients.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Optimize, Sgd, SgdConfig};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(1.))?;
/// let mut rule: Box<dyn Optimize> = Box::new(Sgd::new(&SgdConfig::default(), &store)?);
/// rule.set_learning_rate(0.25);
/// rule.step(&backward(&w.tensor().sqr()?.sum_all()?, &store)?)?;
/// assert_eq!(w.value().to_vec1::<f64>()?, [0.5]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub trait Optimize {
    /// Changes every parameter that has a gradient; the others stay as they are.
    ///
    /// # Errors
    /// A gradient of another shape or element type than its parameter's, or for a parameter that the optimiser wasn't made
    /// with; a learning rate that is negative or not finite. Then nothing was changed.
    fn step(&mut self, gradients: &Gradients) -> Result<()>;

    /// The factor on each step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate of the next step.
    fn set_learning_rate(&mut self, learning_rate: f64);
}

/// So that what wraps an optimiser takes a boxed one too.
impl<O: Optimize + ?Sized> Optimize for Box<O> {
    fn step(&mut self, gradients: &Gradients) -> Result<()> {
        (**self).step(gradients)
    }

    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        (**self).set_learning_rate(learning_rate);
    }
}
