//! Accuracy.

use super::{Accumulator, Metric, inputs, state};
use candle_core::{Result, Tensor};

const NAME: &str = "accuracy";

/// How often the largest output is that of the right class.
///
/// # Shapes
/// output `[batch, classes, *positions]`; target `[batch, *positions]`, class numbers
///
/// # Example
/// ```
/// use sconce_train::{Accuracy, Metric, candle_core::{Device, Tensor}};
/// let mut accuracy = Accuracy.start();
/// let logits = Tensor::new(&[[0f32, 1.], [2., 1.], [0., 1.]], &Device::Cpu)?;
/// accuracy.update(&logits, &Tensor::new(&[1u32, 0, 0], &Device::Cpu)?)?;
/// assert_eq!(accuracy.value(), 2. / 3.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Accuracy;

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Box::new(Count { right: 0, all: 0 })
    }
}

struct Count {
    right: u64,
    all: u64,
}

impl Accumulator for Count {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        inputs::classes(NAME, output, target)?;
        let target = inputs::whole_numbers(NAME, "target", target)?;
        let predicted = inputs::whole_numbers(NAME, "output", &output.argmax(1)?)?;
        self.all += target.len() as u64;
        self.right += predicted.iter().zip(&target).filter(|(p, t)| p == t).count() as u64;
        Ok(())
    }

    fn value(&self) -> f64 {
        self.right as f64 / self.all as f64
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let counts = state::from_counts(vec![self.right, self.all], &[2])?;
        Ok(state::named(NAME, [("counts", counts)]))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [counts] = state::fields(NAME, ["counts"], state)?;
        [self.right, self.all] = state::to_counts_of(NAME, counts)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use sconce_core::Error;

    #[test]
    fn positions_count_one_by_one() {
        // [batch 1, classes 2, positions 3]
        let output = Tensor::new(&[[[1f32, 0., 5.], [0., 1., 6.]]], &Device::Cpu).unwrap();
        for (target, value) in [([0u8, 1, 1], 1.), ([1, 1, 0], 1. / 3.), ([7, 7, 7], 0.)] {
            let mut accuracy = Accuracy.start();
            assert!(accuracy.value().is_nan());
            let target = Tensor::new(&[target], &Device::Cpu).unwrap();
            accuracy.update(&output, &target).unwrap();
            assert_eq!(accuracy.value(), value);
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let output = Tensor::zeros((3, 2), DType::F32, &Device::Cpu).unwrap();
        let target = Tensor::zeros((3, 1), DType::U32, &Device::Cpu).unwrap();
        let error = Error::from(Accuracy.start().update(&output, &target).unwrap_err());
        assert_eq!(
            error.to_string(),
            "accuracy: target has shape [3, 1], expected [3], one class for each output"
        );
        assert!(Accuracy.start().update(&target.get(0).unwrap(), &target).is_err());
        let target = Tensor::new(&[1.9f32, 0.4, 0.], &Device::Cpu).unwrap();
        let error = Error::from(Accuracy.start().update(&output, &target).unwrap_err());
        assert_eq!(
            error.to_string(),
            "accuracy: target has dtype F32, expected one of whole numbers"
        );
    }
}
