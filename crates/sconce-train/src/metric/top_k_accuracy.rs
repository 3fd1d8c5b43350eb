//! Top-k accuracy.

use super::{Accumulator, Metric, inputs, state};
use candle_core::{Result, Tensor};
use sconce_core::Error;

/// How often the right class is among the k of the largest outputs. Of equal outputs, the higher class counts as larger, as in
/// scikit-learn; with k classes or fewer, it is always 1.
///
/// # Shapes
/// output `[batch, classes, *positions]`; target `[batch, *positions]`, class numbers
///
/// # Errors
/// `new`: k is 0. `update`: shapes that don't fit, a target that is no class and isn't to be ignored, an output that is NaN where
/// the target counts.
///
/// # Source
/// `sklearn.metrics.top_k_accuracy_score`
///
/// # Example
/// ```
/// use sconce_train::{Metric, TopKAccuracy, candle_core::{Device, Tensor}};
/// let metric = TopKAccuracy::new(2)?;
/// assert_eq!(metric.name(), "top-2 accuracy");
/// let mut top2 = metric.start();
/// let logits = Tensor::new(&[[0.1f32, 0.5, 0.4], [0.1, 0.5, 0.4]], &Device::Cpu)?;
/// top2.update(&logits, &Tensor::new(&[2u32, 0], &Device::Cpu)?)?;
/// assert_eq!(top2.value(), 0.5);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TopKAccuracy {
    k: usize,
    ignore_index: i64,
    name: String,
}

impl TopKAccuracy {
    /// With this k; the target −100 doesn't count, as in PyTorch's cross-entropy.
    ///
    /// # Errors
    /// See [`TopKAccuracy`].
    pub fn new(k: usize) -> crate::Result<Self> {
        if k == 0 {
            return Err(Error::config("top-k accuracy", "k", k, "at least 1").into());
        }
        let name = format!("top-{k} accuracy");
        Ok(Self {
            k,
            ignore_index: -100,
            name,
        })
    }

    /// Another target is that of what doesn't count.
    pub fn with_ignore_index(self, ignore_index: i64) -> Self {
        Self { ignore_index, ..self }
    }
}

impl Metric for TopKAccuracy {
    fn name(&self) -> &str {
        &self.name
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Box::new(Count {
            metric: self.clone(),
            right: 0,
            all: 0,
        })
    }
}

struct Count {
    metric: TopKAccuracy,
    right: u64,
    all: u64,
}

impl Accumulator for Count {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        let name = &self.metric.name;
        let classes = inputs::classes(name, output, target)?;
        let targets = inputs::class_numbers(name, target, classes, self.metric.ignore_index)?;
        let mut right = 0;
        inputs::each_position(output, |i, values| {
            let Some(class) = targets.get(i).copied().flatten() else {
                return Ok(());
            };
            inputs::no_nan(name, i, values)?;
            let own = values.get(class).copied().unwrap_or(f64::NAN);
            let before = |&(other, value): &(usize, &f64)| *value > own || (*value == own && other > class);
            right += u64::from(values.iter().enumerate().filter(before).count() < self.metric.k);
            Ok(())
        })?;
        self.right += right;
        self.all += targets.iter().flatten().count() as u64;
        Ok(())
    }

    fn value(&self) -> f64 {
        self.right as f64 / self.all as f64
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let counts = state::from_counts(vec![self.right, self.all], &[2])?;
        Ok(state::named(&self.metric.name, [("counts", counts)]))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [counts] = state::fields(&self.metric.name, ["counts"], state)?;
        [self.right, self.all] = state::to_counts_of(&self.metric.name, counts)?;
        Ok(())
    }
}
