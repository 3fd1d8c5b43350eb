//! A loss with an optimiser of its own, beside the trainer's.

use super::Loss;
use super::descent::{Descent, Moment};
use super::rule::Rule;
use crate::{Error, Result};
use candle_core::Tensor;
use sconce_core::Parameters;
use sconce_optim::Optimize;

/// Another loss, which another optimiser minimises over other parameters, after each step of the trainer's own.
///
/// A generative adversarial network's discriminator is trained by the trainer, its generator takes a turn, or the other way
/// round.
///
/// # Example
/// Two numbers chase each other: u wants to be v, and v wants to be u + 1 and gets there only while u waits.
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, param};
/// use sconce_data::TensorDataset;
/// use sconce_optim::{Optimize, Sgd, SgdConfig};
/// use sconce_train::{FitConfig, Trainer, Turn};
///
/// let one = TensorDataset::new(&Tensor::zeros(1, DType::F64, &Device::Cpu)?, &Tensor::zeros(1, DType::F64, &Device::Cpu)?)?;
/// let (us, vs) = (ParamStore::new(DType::F64, &Device::Cpu), ParamStore::new(DType::F64, &Device::Cpu));
/// let u = param(&us.builder(), 1, "u", &Init::Const(0.))?;
/// let v = param(&vs.builder(), 1, "v", &Init::Const(3.))?;
/// let sgd = |store: &ParamStore| Sgd::new(&SgdConfig { lr: 0.5, ..SgdConfig::default() }, store);
///
/// let chase = |u: &Tensor, _: &Tensor| (u - v.value())?.sqr()?.mean_all();
/// let flee = |_: &Tensor, _: &Tensor| ((v.tensor() - u.value())? - 1.)?.sqr()?.mean_all();
/// let mut trainer = Trainer::new(|_: &Tensor| Ok(u.tensor()), &us, Box::new(sgd(&us)?), chase)
///     .with_turn(Turn::new("flee", &vs, Box::new(sgd(&vs)?), flee));
/// let history = trainer.fit(&one, &FitConfig::new(1, 1))?;
/// // First u moved to 3, then v from 3 to 4: the second turn sees what the first did.
/// assert_eq!((u.value().to_vec1::<f64>()?, v.value().to_vec1::<f64>()?), (vec![3.], vec![4.]));
/// assert_eq!(history.epochs[0].turns, [("flee".to_string(), 1.)]);
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub struct Turn<'a> {
    pub(super) name: &'static str,
    pub(super) descent: Descent<'a>,
    objective: Loss<'a>,
}

impl<'a> Turn<'a> {
    /// A turn of this name, which reports go by. The objective takes a batch's features and targets and gives one element;
    /// what belongs to others it should read as values, else their gradients are computed for nothing.
    pub fn new(
        name: &'static str,
        parameters: &'a dyn Parameters,
        optimizer: Box<dyn Optimize + 'a>,
        objective: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a,
    ) -> Self {
        Self {
            name,
            descent: Descent::new(parameters, Rule::Steps(optimizer)),
            objective: Box::new(objective),
        }
    }

    /// One step; the loss before it.
    pub(super) fn take(&mut self, x: &Tensor, target: &Tensor, at: &Moment<'_>) -> Result<Tensor> {
        let loss = (self.objective)(x, target).map_err(Error::from);
        let applied = loss.and_then(|loss| {
            self.descent.apply(&loss, at)?;
            Ok(loss.detach())
        });
        applied.map_err(|error| error.of_turn(Some(self.name)))
    }
}
