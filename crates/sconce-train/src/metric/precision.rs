//! Precision.

use super::class_counts::{self, ClassCounts};
use super::{Accumulator, ClassScoreConfig, Metric};

/// By average: macro, micro, weighted.
const NAMES: [&str; 3] = ["precision", "micro precision", "weighted precision"];

/// How much of what is predicted to be of a class is: TP / (TP + FP), and 0 for a class that is never predicted.
///
/// It is called `precision`, or by its average `micro precision` and `weighted precision`.
///
/// # Shapes
/// Those of its [`Decision`](crate::Decision).
///
/// # Errors
/// `update`: shapes that don't fit each other or the batches before; a target that is no class, or neither 0 nor 1, and isn't
/// `ignore_index`; an output that is NaN where the target counts.
///
/// # Source
/// `sklearn.metrics.precision_score` with `zero_division=0`
///
/// # Example
/// ```
/// use sconce_train::{ClassScoreConfig, Decision, Metric, Precision, candle_core::{Device, Tensor}};
/// // Two classes, from one logit.
/// let cfg = ClassScoreConfig { decision: Decision::Above(0.), ..ClassScoreConfig::default() };
/// let mut precision = Precision::new(&cfg).start();
/// let logits = Tensor::new(&[2f32, 0.5, 0.1, -1.], &Device::Cpu)?;
/// precision.update(&logits, &Tensor::new(&[1f32, 0., 1., 1.], &Device::Cpu)?)?;
/// assert_eq!(precision.value(), 2. / 3.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Precision {
    cfg: ClassScoreConfig,
}

impl Precision {
    /// With these options; [`Precision::default`] is that of several classes.
    pub fn new(cfg: &ClassScoreConfig) -> Self {
        Self { cfg: *cfg }
    }
}

impl Metric for Precision {
    fn name(&self) -> &'static str {
        self.cfg.average.of(NAMES)
    }

    fn start(&self) -> Box<dyn Accumulator> {
        ClassCounts::start(NAMES, class_counts::precision, self.cfg)
    }
}
