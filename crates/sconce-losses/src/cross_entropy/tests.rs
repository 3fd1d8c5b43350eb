mod errors;
mod gradients;
mod kernel;
mod values;

use super::*;
use candle_core::{DType, Device, Var};
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::Random;
use sconce_testkit::golden::{Bound, compare};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

/// Random targets, of which some are ignored, and options that are all in use.
fn sample(random: &mut Random, rows: usize, classes: usize) -> (Tensor, CrossEntropyConfig) {
    let mut targets = random.indices(rows, classes).unwrap().to_vec1::<i64>().unwrap();
    for target in targets.iter_mut().skip(1).step_by(3) {
        *target = -7;
    }
    let weight = random.uniform(classes, 0.1, 2., DType::F64).unwrap();
    let cfg = CrossEntropyConfig {
        weight: Some(weight),
        ignore_index: -7,
        label_smoothing: 0.2,
    };
    (Tensor::from_vec(targets, rows, &Device::Cpu).unwrap(), cfg)
}
