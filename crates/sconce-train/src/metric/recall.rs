//! Recall.

use super::class_counts::{self, ClassCounts};
use super::{Accumulator, ClassScoreConfig, Metric};

/// By average: macro, micro, weighted.
const NAMES: [&str; 3] = ["recall", "micro recall", "weighted recall"];

/// How much of a class is found: TP / (TP + FN), and 0 for a class that isn't there.
///
/// It is called `recall`, or by its average `micro recall` and `weighted recall`.
///
/// # Shapes
/// Those of its [`Decision`](crate::Decision).
///
/// # Errors
/// `update`: shapes that don't fit each other or the batches before; a target that is no class, or neither 0 nor 1, and isn't
/// `ignore_index`; an output that is NaN where the target counts.
///
/// # Source
/// `sklearn.metrics.recall_score` with `zero_division=0`
///
/// # Example
/// ```
/// use sconce_train::{Metric, Recall, candle_core::{Device, Tensor}};
/// let mut recall = Recall::default().start();
/// // Predicted are 0, 0, 1.
/// let logits = Tensor::new(&[[1f32, 0.], [1., 0.], [0., 1.]], &Device::Cpu)?;
/// recall.update(&logits, &Tensor::new(&[0u32, 1, 1], &Device::Cpu)?)?;
/// assert_eq!(recall.value(), (1. + 0.5) / 2.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Recall {
    cfg: ClassScoreConfig,
}

impl Recall {
    /// With these options; [`Recall::default`] is that of several classes.
    pub fn new(cfg: &ClassScoreConfig) -> Self {
        Self { cfg: *cfg }
    }
}

impl Metric for Recall {
    fn name(&self) -> &'static str {
        self.cfg.average.of(NAMES)
    }

    fn start(&self) -> Box<dyn Accumulator> {
        ClassCounts::start(NAMES, class_counts::recall, self.cfg)
    }
}
