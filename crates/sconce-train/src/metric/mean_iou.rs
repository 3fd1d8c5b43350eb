//! Intersection over union.

use super::{Accumulator, Metric, inputs, state};
use candle_core::{DType, Result, Tensor};
use sconce_core::Error;

const NAME: &str = "iou";

/// How much predicted and true regions overlap: the mean over the classes of TP / (TP + FP + FN), each counted over the whole
/// set. A class that neither stands in the targets nor was predicted doesn't count. A target that isn't a class, such as −100, makes
/// whatever is predicted there wrong.
///
/// # Shapes
/// output `[batch, classes, *positions]`; target `[batch, *positions]`, class numbers
///
/// # Source
/// Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", 2010; `torchmetrics.JaccardIndex` with
/// `average="macro"`
///
/// # Example
/// ```
/// use sconce_train::{MeanIou, Metric, candle_core::{Device, Tensor}};
/// let mut iou = MeanIou.start();
/// // [batch 1, classes 2, positions 4]: predicted are 0, 0, 1, 1.
/// let logits = Tensor::new(&[[[1f32, 1., 0., 0.], [0., 0., 1., 1.]]], &Device::Cpu)?;
/// iou.update(&logits, &Tensor::new(&[[0u32, 1, 1, 1]], &Device::Cpu)?)?;
/// assert_eq!(iou.value(), (1. / 2. + 2. / 3.) / 2.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MeanIou;

impl Metric for MeanIou {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Box::new(Regions { classes: Vec::new() })
    }
}

/// Positions of one class.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    both: u64,
    either: u64,
}

struct Regions {
    classes: Vec<Counts>,
}

impl Regions {
    fn of(&mut self, class: i64) -> Option<&mut Counts> {
        self.classes.get_mut(usize::try_from(class).ok()?)
    }
}

impl Accumulator for Regions {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        let classes = inputs::classes(NAME, output, target)?;
        let predicted = output.argmax(1)?;
        self.classes
            .resize(classes.max(self.classes.len()), Counts::default());
        let values = |classes: &Tensor| classes.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>();
        let (predicted, target) = (values(&predicted)?, values(target)?);
        for (&predicted, &target) in predicted.iter().zip(&target) {
            let agree = predicted == target;
            if let Some(counts) = self.of(predicted) {
                counts.either += 1;
                counts.both += u64::from(agree);
            }
            // A target that isn't a class belongs to no region.
            if let (false, Some(counts)) = (agree, self.of(target)) {
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
    use candle_core::Device;

    /// Logits `[1, 3, positions]` whose largest are these classes'.
    fn logits(classes: &[usize]) -> Tensor {
        let value = |class| classes.iter().map(move |&c| f32::from(u8::from(c == class)));
        let values: Vec<f32> = (0..3).flat_map(value).collect();
        Tensor::from_vec(values, (1, 3, classes.len()), &Device::Cpu).unwrap()
    }

    #[test]
    fn regions_count_over_all_batches() {
        let mut iou = MeanIou.start();
        assert!(iou.value().is_nan());
        let target = |classes: [u8; 3]| Tensor::new(&[classes], &Device::Cpu).unwrap();
        iou.update(&logits(&[0, 0, 1]), &target([0, 1, 1])).unwrap();
        // Class 2 hasn't been seen: it doesn't count.
        assert_eq!(iou.value(), 0.5);
        iou.update(&logits(&[2, 0, 0]), &target([2, 0, 9])).unwrap();
        // 0: 2 of 4; 1: 1 of 2; 2: 1 of 1.
        assert_eq!(iou.value(), (0.5 + 0.5 + 1.) / 3.);
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let target = Tensor::zeros((3, 1), DType::U32, &Device::Cpu).unwrap();
        let output = Tensor::zeros((3, 2), DType::F32, &Device::Cpu).unwrap();
        let error = Error::from(MeanIou.start().update(&output, &target).unwrap_err());
        assert_eq!(
            error.to_string(),
            "iou: target has shape [3, 1], expected [3], one class for each output"
        );
        let flat = output.flatten_all().unwrap();
        assert!(MeanIou.start().update(&flat, &flat).is_err());
    }
}
