//! CTC of log-probabilities, forward and backward.

use sconce::core::candle_core::{Device, Tensor};
use sconce::losses::{CtcConfig, Reduction, ctc};

use crate::loss::Loss;
use crate::{Result, Row, Work, wrong_shape};

pub(crate) const ROW: Row = Row {
    name: "ctc",
    about: "mean CTC loss of log-probabilities [200, 32, 50], targets of 20 to 40 labels, forward and backward",
    shapes: &[&[200, 32, 50]],
    operations: None,
    start,
};

const LONGEST: usize = 40;

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[frames, batch, classes] = shape else {
        return wrong_shape(ROW.name, shape);
    };
    let targets = (0..batch * LONGEST)
        .map(|i| (1 + i * 7919 % (classes - 1)) as u32)
        .collect();
    let targets = Tensor::from_vec(targets, (batch, LONGEST), &Device::Cpu)?;
    let input_lengths = vec![frames; batch];
    let target_lengths: Vec<usize> = (0..batch).map(|i| 20 + i * 7 % 21).collect();
    let forward = move |x: &Tensor| {
        let cfg = CtcConfig::default();
        ctc(
            x,
            &targets,
            &input_lengths,
            &target_lengths,
            &cfg,
            Reduction::Mean,
        )
    };
    Ok(Box::new(Loss::new(Box::new(forward), shape)?))
}
