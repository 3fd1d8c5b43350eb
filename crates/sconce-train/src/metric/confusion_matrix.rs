//! Confusion matrix.

use super::{Accumulator, Decision, inputs, state};
use candle_core::{Device, Result, Tensor};
use sconce_core::Error;

const NAME: &str = "confusion matrix";

/// Options of [`ConfusionMatrix`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfusionMatrixConfig {
    /// What an output predicts. Labels make a matrix of two classes, no and yes, of all labels together.
    pub decision: Decision,
    /// The target of what doesn't count.
    pub ignore_index: i64,
}

impl Default for ConfusionMatrixConfig {
    /// The largest output; −100 is ignored.
    fn default() -> Self {
        Self {
            decision: Decision::Largest,
            ignore_index: -100,
        }
    }
}

/// How often each class was taken for each other.
///
/// It is an accumulator of its own, to be shown what [`predict`](crate::Trainer::predict) gives, or batches; its
/// [`value`](Accumulator::value) is the accuracy. It has as many classes as the outputs.
///
/// # Shapes
/// Those of its [`Decision`].
///
/// # Errors
/// `update`: shapes that don't fit each other or the batches before; a target that is no class, or neither 0 nor 1, and isn't
/// `ignore_index`; an output that is NaN where the target counts.
///
/// # Source
/// `sklearn.metrics.confusion_matrix`
///
/// # Example
/// ```
/// use sconce_train::{Accumulator, ConfusionMatrix, candle_core::{Device, Tensor}};
/// let mut matrix = ConfusionMatrix::default();
/// // Predicted are 0, 0, 1.
/// let logits = Tensor::new(&[[1f32, 0.], [1., 0.], [0., 1.]], &Device::Cpu)?;
/// matrix.update(&logits, &Tensor::new(&[0u32, 1, 1], &Device::Cpu)?)?;
/// assert_eq!(matrix.count(1, 0), 1);
/// assert_eq!(matrix.counts()?.to_vec2::<i64>()?, [[1, 0], [1, 1]]);
/// assert_eq!(matrix.shares()?.to_vec2::<f64>()?, [[1., 0.], [0.5, 0.5]]);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConfusionMatrix {
    cfg: ConfusionMatrixConfig,
    classes: usize,
    /// `[actual class, predicted class]`
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// One that has seen nothing.
    pub fn new(cfg: &ConfusionMatrixConfig) -> Self {
        Self {
            cfg: *cfg,
            ..Self::default()
        }
    }

    /// How many classes there are; 0 before the first batch.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How often one class was taken for another; 0 for what is no class.
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.place(actual, predicted)
            .and_then(|place| self.counts.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// The matrix `[actual class, predicted class]` in i64.
    ///
    /// # Errors
    /// Those of candle when it makes a tensor.
    pub fn counts(&self) -> Result<Tensor> {
        state::from_counts(self.counts.clone(), &[self.classes, self.classes])
    }

    /// The matrix `[actual class, predicted class]` in f64, each row divided by its sum: what becomes of a class. The row of a
    /// class that isn't there is zero.
    ///
    /// # Errors
    /// Those of candle when it makes a tensor.
    pub fn shares(&self) -> Result<Tensor> {
        let rows = self.counts.chunks_exact(self.classes.max(1));
        let share = |row: &[u64]| {
            let sum: f64 = row.iter().map(|&count| count as f64).sum();
            let share = |&count: &u64| if sum > 0. { count as f64 / sum } else { 0. };
            row.iter().map(share).collect::<Vec<_>>()
        };
        let shares: Vec<f64> = rows.flat_map(share).collect();
        Tensor::from_vec(shares, (self.classes, self.classes), &Device::Cpu)
    }

    fn place(&self, actual: usize, predicted: usize) -> Option<usize> {
        let known = actual < self.classes && predicted < self.classes;
        known.then(|| actual * self.classes + predicted)
    }

    fn add(&mut self, actual: usize, predicted: usize) {
        let place = self.place(actual, predicted);
        if let Some(count) = place.and_then(|place| self.counts.get_mut(place)) {
            *count += 1;
        }
    }

    fn room_for(&mut self, classes: usize) -> Result<()> {
        if self.classes == 0 {
            (self.classes, self.counts) = (classes, vec![0; classes * classes]);
        }
        if self.classes == classes {
            return Ok(());
        }
        let expected = format!("{} as before", self.classes);
        Err(Error::config(NAME, "number of classes", classes, expected).into())
    }
}

impl Accumulator for ConfusionMatrix {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        let ignore = self.cfg.ignore_index;
        let (targets, predicted) = match self.cfg.decision {
            Decision::Largest => {
                let classes = inputs::classes(NAME, output, target)?;
                let targets = inputs::class_numbers(NAME, target, classes, ignore)?;
                let predicted = inputs::largest(NAME, output, &targets)?;
                self.room_for(classes)?;
                (targets, predicted)
            }
            Decision::Above(threshold) => {
                inputs::same_shape(NAME, output, target)?;
                let targets = inputs::labels(NAME, target, ignore)?;
                let above = inputs::above(NAME, output, threshold, &targets)?;
                self.room_for(2)?;
                let targets = targets.into_iter().map(|label| label.map(usize::from));
                (targets.collect(), above.into_iter().map(usize::from).collect())
            }
        };
        for (actual, predicted) in targets.into_iter().zip(predicted) {
            if let Some(actual) = actual {
                self.add(actual, predicted);
            }
        }
        Ok(())
    }

    fn value(&self) -> f64 {
        let all: f64 = self.counts.iter().map(|&count| count as f64).sum();
        let right: f64 = (0..self.classes)
            .map(|class| self.count(class, class) as f64)
            .sum();
        right / all
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(state::named(NAME, [("counts", self.counts()?)]))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [counts] = state::fields(NAME, ["counts"], state)?;
        let classes = match counts.dims() {
            &[actual, predicted] if actual == predicted => actual,
            dims => return Err(Error::shape(NAME, "state", "[classes, classes]", dims).into()),
        };
        (self.counts, self.classes) = (state::to_counts(NAME, counts)?, classes);
        Ok(())
    }
}
