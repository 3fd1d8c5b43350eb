//! Binary cross-entropy of logits, forward and backward.

use sconce::losses::{BceWithLogitsConfig, Reduction, bce_with_logits};

use crate::loss::Loss;
use crate::{Result, Row, Work, inputs};

pub(crate) const ROW: Row = Row {
    name: "bce-with-logits",
    about: "mean binary cross-entropy of 10 M logits, forward and backward",
    shapes: &[&[10_000_000]],
    operations: None,
    start,
};

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let targets = (inputs::tensor(shape, 2)? + 0.5)?;
    let forward = move |x: &_| {
        let cfg = BceWithLogitsConfig::default();
        bce_with_logits(x, &targets, &cfg, Reduction::Mean)
    };
    Ok(Box::new(Loss::new(Box::new(forward), shape)?))
}
