//! Intersection over union.

use super::{Accumulator, Metric, inputs, state};
use candle_core::{Result, Tensor};
use sconce_core::Error;

const NAME: &str = "iou";

/// How much predicted and true regions overlap: the mean over the classes of TP / (TP + FP + FN), each counted over the whole
/// set. A class that neither stands in the targets nor was predicted doesn't count. Of equal outputs, the first is predicted.
///
/// # Shapes
/// output `[batch, classes, *positions]`; target `[batch, *positions]`, class numbers
///
/// # Errors
/// `update`: shapes that don't fit; a target that is no class and isn't `ignore_index`; an output that is NaN where the target
/// counts.
///
/// # Source
/// Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", 2010; `torchmetrics.JaccardIndex` with
/// `average="macro"`
///
/// # Example
/// ```
/// use sconce_train::{MeanIou, Metric, candle_core::{Device, Tensor}};
/// let mut iou = MeanIou::default().start();
/// // [batch 1, classes 2, positions 4]: predicted are 0, 0, 1, 1.
/// let logits = Tensor::new(&[[[1f32, 1., 0., 0.], [0., 0., 1., 1.]]], &Device::Cpu)?;
/// iou.update(&logits, &Tensor::new(&[[0u32, 1, 1, 1]], &Device::Cpu)?)?;
/// assert_eq!(iou.value(), (1. / 2. + 2. / 3.) / 2.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanIou {
    /// The target of what doesn't count: 255 in VOC's and Cityscapes' masks.
    pub ignore_index: i64,
}

impl Default for MeanIou {
    /// −100 is ignored, as PyTorch's cross-entropy has it.
    fn default() -> Self {
        Self { ignore_index: -100 }
    }
}

impl Metric for MeanIou {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Box::new(Regions {
            ignore_index: self.ignore_index,
            classes: Vec::new(),
        })
    }
}

/// Positions of one class.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    both: u64,
    either: u64,
}

struct Regions {
    ignore_index: i64,
    classes: Vec<Counts>,
}

impl Accumulator for Regions {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        let classes = inputs::classes(NAME, output, target)?;
        let targets = inputs::class_numbers(NAME, target, classes, self.ignore_index)?;
        let predicted = inputs::largest(NAME, output, &targets)?;
        self.classes
            .resize(classes.max(self.classes.len()), Counts::default());
        for (predicted, target) in predicted.into_iter().zip(targets) {
            let Some(target) = target else {
                continue;
            };
            let agree = predicted == target;
            if let Some(counts) = self.classes.get_mut(predicted) {
                counts.either += 1;
                counts.both += u64::from(agree);
            }
            if let (false, Some(counts)) = (agree, self.classes.get_mut(target)) {
                counts.either += 1;
            }
        }
        Ok(())
    }

    fn value(&self) -> f64 {
        let seen = self.classes.iter().filter(|counts| counts.either > 0);
        let (sum, count) = seen.fold((0., 0), |(sum, count), counts| {
            (sum + counts.both as f64 / counts.either as f64, count + 1)
        });
        sum / f64::from(count)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let counts = self.classes.iter().flat_map(|class| [class.both, class.either]);
        let counts = state::from_counts(counts.collect(), &[self.classes.len(), 2])?;
        Ok(state::named(NAME, [("counts", counts)]))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [counts] = state::fields(NAME, ["counts"], state)?;
        if !matches!(counts.dims(), [_, 2]) {
            return Err(Error::shape(NAME, "state", "[classes, 2]", counts.dims()).into());
        }
        let counts = state::to_counts(NAME, counts)?;
        let (pairs, _) = counts.as_chunks();
        self.classes = pairs
            .iter()
            .map(|&[both, either]| Counts { both, either })
            .collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    /// Logits `[1, 3, positions]` whose largest are these classes'.
    fn logits(classes: &[usize]) -> Tensor {
        let value = |class| classes.iter().map(move |&c| f32::from(u8::from(c == class)));
        let values: Vec<f32> = (0..3).flat_map(value).collect();
        Tensor::from_vec(values, (1, 3, classes.len()), &Device::Cpu).unwrap()
    }

    #[test]
    fn regions_count_over_all_batches() {
        let mut iou = MeanIou { ignore_index: 255 }.start();
        assert!(iou.value().is_nan());
        let target = |classes: [u8; 3]| Tensor::new(&[classes], &Device::Cpu).unwrap();
        iou.update(&logits(&[0, 0, 1]), &target([0, 1, 1])).unwrap();
        // Class 2 hasn't been seen: it doesn't count.
        assert_eq!(iou.value(), 0.5);
        iou.update(&logits(&[2, 0, 0]), &target([2, 0, 255])).unwrap();
        // 0: 2 of 3; 1: 1 of 2; 2: 1 of 1.
        assert_eq!(iou.value(), (2. / 3. + 0.5 + 1.) / 3.);
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let target = Tensor::zeros((3, 1), DType::U32, &Device::Cpu).unwrap();
        let output = Tensor::zeros((3, 2), DType::F32, &Device::Cpu).unwrap();
        let error = Error::from(MeanIou::default().start().update(&output, &target).unwrap_err());
        assert_eq!(
            error.to_string(),
            "iou: target has shape [3, 1], expected [3], one class for each output"
        );
        let flat = output.flatten_all().unwrap();
        assert!(MeanIou::default().start().update(&flat, &flat).is_err());
    }
}
