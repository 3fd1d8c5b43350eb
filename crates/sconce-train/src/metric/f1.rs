//! F1 score.

use super::class_counts::{self, ClassCounts};
use super::{Accumulator, ClassScoreConfig, Metric};

/// By average: macro, micro, weighted.
const NAMES: [&str; 3] = ["f1", "micro f1", "weighted f1"];

/// The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN), and 0 for a class that neither is there nor predicted.
///
/// It is called `f1`, or by its average `micro f1` and `weighted f1`.
///
/// # Shapes
/// Those of its [`Decision`](crate::Decision).
///
/// # Errors
/// `update`: shapes that don't fit each other or the batches before; a target that is no class, or neither 0 nor 1, and isn't
/// `ignore_index`; an output that is NaN where the target counts.
///
/// # Source
/// `sklearn.metrics.f1_score` with `zero_division=0`
///
/// # Example
/// ```
/// use sconce_train::{Average, ClassScoreConfig, F1, Metric, candle_core::{Device, Tensor}};
/// let cfg = ClassScoreConfig { average: Average::Weighted, per_class: true, ..ClassScoreConfig::default() };
/// let metric = F1::new(&cfg);
/// assert_eq!(metric.name(), "weighted f1");
/// let mut f1 = metric.start();
/// // Predicted are 0, 0, 1.
/// let logits = Tensor::new(&[[1f32, 0.], [1., 0.], [0., 1.]], &Device::Cpu)?;
/// f1.update(&logits, &Tensor::new(&[0u32, 1, 1], &Device::Cpu)?)?;
/// assert_eq!(f1.details(), [("f1 of class 0".into(), 2. / 3.), ("f1 of class 1".into(), 2. / 3.)]);
/// assert_eq!(f1.value(), 2. / 3.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct F1 {
    cfg: ClassScoreConfig,
}

impl F1 {
    /// With these options; [`F1::default`] is that of several classes.
    pub fn new(cfg: &ClassScoreConfig) -> Self {
        Self { cfg: *cfg }
    }
}

impl Metric for F1 {
    fn name(&self) -> &'static str {
        self.cfg.average.of(NAMES)
    }

    fn start(&self) -> Box<dyn Accumulator> {
        ClassCounts::start(NAMES, class_counts::f1, self.cfg)
    }
}
