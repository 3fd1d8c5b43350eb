//! What a training loop needs of an optimiser.

use candle_core::Tensor;
use sconce_core::{Error, Gradients, Result};

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
    /// with; an option that is out of range. Then nothing was changed. Should the device itself fail, such as for want of
    /// memory, the parameters before that one have been changed: what doesn't run on kernels of our own goes parameter by
    /// parameter, since holding all new values until the end would double the memory.
    fn step(&mut self, gradients: &Gradients) -> Result<()>;

    /// The rule's name, as in `Adam`: a checkpoint of another is refused.
    fn name(&self) -> &str {
        "optimiser"
    }

    /// The factor on each step, for each group of parameters, in the order in which the groups were added.
    fn learning_rates(&self) -> Vec<f64>;

    /// Sets the learning rates of the next step.
    ///
    /// # Errors
    /// There isn't one for each group, or one is negative or not finite. Then nothing was changed.
    fn set_learning_rates(&mut self, learning_rates: &[f64]) -> Result<()>;

    /// A copy of what the optimiser remembers, by names, for a checkpoint.
    ///
    /// # Errors
    /// Those of candle's copy.
    fn state(&self) -> Result<Vec<(String, Tensor)>>;

    /// Replaces what the optimiser remembers by what [`state`](Self::state) gave: the next steps are those that would have
    /// followed there. Options stay, learning rates among them.
    ///
    /// # Errors
    /// Names, parts or shapes that aren't those of this optimiser's state. Then nothing was changed.
    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()>;

    /// The learning rate of the first group, which is that of all parameters unless there are others.
    fn learning_rate(&self) -> f64 {
        self.learning_rates().first().copied().unwrap_or(f64::NAN)
    }

    /// The learning rate of the parameter of this name; that of the first group for one that isn't this optimiser's.
    fn learning_rate_of(&self, _name: &str) -> f64 {
        self.learning_rate()
    }

    /// Sets the learning rate of the next step for every group.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// What schedules cycle against the learning rate, for each group: the momentum, or the first of Adam's betas. None for a
    /// rule that has nothing of the kind.
    fn momenta(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Sets the momenta of the next step.
    ///
    /// # Errors
    /// The rule has none; there isn't one for each group, or one is out of range. Then nothing was changed.
    fn set_momenta(&mut self, momenta: &[f64]) -> Result<()> {
        let given = format!("{momenta:?}");
        Err(Error::config(
            "optimiser",
            "momentum",
            given,
            "none, since this one has none",
        ))
    }
}

/// So that what wraps an optimiser takes a boxed one too.
impl<O: Optimize + ?Sized> Optimize for Box<O> {
    fn step(&mut self, gradients: &Gradients) -> Result<()> {
        (**self).step(gradients)
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn learning_rates(&self) -> Vec<f64> {
        (**self).learning_rates()
    }

    fn set_learning_rates(&mut self, learning_rates: &[f64]) -> Result<()> {
        (**self).set_learning_rates(learning_rates)
    }

    fn learning_rate_of(&self, name: &str) -> f64 {
        (**self).learning_rate_of(name)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        (**self).state()
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        (**self).load_state(state)
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        (**self).set_learning_rate(learning_rate);
    }

    fn momenta(&self) -> Vec<f64> {
        (**self).momenta()
    }

    fn set_momenta(&mut self, momenta: &[f64]) -> Result<()> {
        (**self).set_momenta(momenta)
    }
}
