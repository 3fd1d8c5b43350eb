//! Accuracy.

use super::{Accumulator, Metric, inputs, state};
use candle_core::{Result, Tensor};

const NAME: &str = "accuracy";

/// How often the largest output is that of the right class; of equal ones, the first counts as largest.
///
/// # Shapes
/// output `[batch, classes, *positions]`; target `[batch, *positions]`, class numbers
///
/// # Errors
/// `update`: shapes that don't fit; a target that is no class and isn't `ignore_index`; an output that is NaN where the target
/// counts.
///
/// # Source
/// `sklearn.metrics.accuracy_score`; `torchmetrics.Accuracy` with `ignore_index`
///
/// # Example
/// ```
/// use sconce_train::{Accuracy, Metric, candle_core::{Device, Tensor}};
/// let mut accuracy = Accuracy::default().start();
/// // Predicted are 1, 0, 1, 0; the last position doesn't count.
/// let logits = Tensor::new(&[[0f32, 1.], [2., 1.], [0., 1.], [1., 0.]], &Device::Cpu)?;
/// accuracy.update(&logits, &Tensor::new(&[1i64, 0, 0, -100], &Device::Cpu)?)?;
/// assert_eq!(accuracy.value(), 2. / 3.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accuracy {
    /// The target of what doesn't count, such as padding.
    pub ignore_index: i64,
}

impl Default for Accuracy {
    /// −100 is ignored, as PyTorch's cross-entropy has it.
    fn default() -> Self {
        Self { ignore_index: -100 }
    }
}

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Box::new(Count {
            ignore_index: self.ignore_index,
            right: 0,
            all: 0,
        })
    }
}

struct Count {
    ignore_index: i64,
    right: u64,
    all: u64,
}

impl Accumulator for Count {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        let classes = inputs::classes(NAME, output, target)?;
        let targets = inputs::class_numbers(NAME, target, classes, self.ignore_index)?;
        for (predicted, target) in inputs::largest(NAME, output, &targets)?.into_iter().zip(targets) {
            if let Some(target) = target {
                self.all += 1;
                self.right += u64::from(predicted == target);
            }
        }
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
        for (target, value) in [([0u8, 1, 1], 1.), ([1, 1, 0], 1. / 3.), ([1, 0, 0], 0.)] {
            let mut accuracy = Accuracy::default().start();
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
        let error = Error::from(Accuracy::default().start().update(&output, &target).unwrap_err());
        assert_eq!(
            error.to_string(),
            "accuracy: target has shape [3, 1], expected [3], one class for each output"
        );
        assert!(
            Accuracy::default()
                .start()
                .update(&target.get(0).unwrap(), &target)
                .is_err()
        );
        let target = Tensor::new(&[1.9f32, 0.4, 0.], &Device::Cpu).unwrap();
        let error = Error::from(Accuracy::default().start().update(&output, &target).unwrap_err());
        assert_eq!(
            error.to_string(),
            "accuracy: target has dtype F32, expected one of whole numbers"
        );
    }
}
