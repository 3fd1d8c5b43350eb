//! Half precision: losses and gradients are those of single precision, rounded once.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor, Var};
use sconce_losses::*;
use sconce_testkit::Random;
use sconce_testkit::golden::{Bound, compare};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

/// A type, and how far apart two roundings may be.
const TYPES: [(DType, f64); 2] = [(DType::BF16, 8e-3), (DType::F16, 1e-3)];

/// Rows enough for a sum in `bf16` to stop long before the end.
const ROWS: usize = 150;

/// The loss and its gradients for inputs of a type, in single precision.
fn run(
    inputs: &[&Tensor],
    dtype: DType,
    reduction: Reduction,
    loss: &impl Fn(&[Tensor], Reduction) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let leaf = |x: &&Tensor| Var::from_tensor(&x.to_dtype(dtype)?);
    let leaves: Vec<Var> = inputs.iter().map(leaf).collect::<Result<_>>()?;
    let tensors: Vec<Tensor> = leaves.iter().map(|leaf| leaf.as_tensor().clone()).collect();
    let out = loss(&tensors, reduction)?;
    assert_eq!(out.dtype(), dtype);
    // Numbers that every type has.
    let cot = Random::new(9).uniform(out.shape(), 0.5, 2., DType::F64)?;
    let cot = cot.to_dtype(DType::BF16)?;
    let gradients = (&out * cot.to_dtype(dtype)?)?.sum_all()?.backward()?;
    let gradients = leaves.iter().map(|leaf| gradients.get(leaf).unwrap());
    [&out]
        .into_iter()
        .chain(gradients)
        .map(|x| x.to_dtype(DType::F32))
        .collect()
}

/// The same in half precision and in single, of values that both have.
fn both(
    inputs: &[&Tensor],
    dtype: DType,
    reduction: Reduction,
    loss: &impl Fn(&[Tensor], Reduction) -> Result<Tensor>,
) -> [Vec<Tensor>; 2] {
    let values: Vec<Tensor> = inputs.iter().map(|x| x.to_dtype(dtype).unwrap()).collect();
    let values: Vec<&Tensor> = values.iter().collect();
    [dtype, DType::F32].map(|dtype| run(&values, dtype, reduction, loss).unwrap())
}

fn numbers(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// Everything between is in single precision: the bits are those of its results, rounded.
#[track_caller]
fn rounded_once(name: &str, inputs: &[&Tensor], loss: impl Fn(&[Tensor], Reduction) -> Result<Tensor>) {
    for (dtype, _) in TYPES {
        for reduction in REDUCTIONS {
            let [half, single] = both(inputs, dtype, reduction, &loss);
            for (i, (half, single)) in half.iter().zip(&single).enumerate() {
                let single = single.to_dtype(dtype).unwrap().to_dtype(DType::F32).unwrap();
                let what = if i == 0 {
                    "the loss".into()
                } else {
                    format!("the gradient of input {i}")
                };
                assert_eq!(
                    numbers(half),
                    numbers(&single),
                    "{name} {dtype:?} {reduction:?}: {what}"
                );
            }
        }
    }
}

/// Each element's loss is rounded before they are reduced: only without a reduction are the bits the same.
#[track_caller]
fn rounded_twice(name: &str, inputs: &[&Tensor], loss: impl Fn(&[Tensor], Reduction) -> Result<Tensor>) {
    for (dtype, _) in TYPES {
        let [half, single] = both(inputs, dtype, Reduction::None, &loss);
        let single = single[0].to_dtype(dtype).unwrap().to_dtype(DType::F32).unwrap();
        assert_eq!(numbers(&half[0]), numbers(&single), "{name} {dtype:?}");
    }
    near(name, inputs, loss);
}

/// What several roundings leave is near.
#[track_caller]
fn near(name: &str, inputs: &[&Tensor], loss: impl Fn(&[Tensor], Reduction) -> Result<Tensor>) {
    for (dtype, rtol) in TYPES {
        for reduction in REDUCTIONS {
            let [half, single] = both(inputs, dtype, reduction, &loss);
            for (half, single) in half.iter().zip(&single) {
                let what = format!("{name} {dtype:?} {reduction:?}");
                compare(&what, half, single, Bound { rtol, atol: 0. }).unwrap();
            }
        }
    }
}

fn normal<const N: usize>(seed: u64, shape: &[usize]) -> [Tensor; N] {
    let mut random = Random::new(seed);
    std::array::from_fn(|_| random.normal(shape, DType::F32).unwrap())
}

fn between(seed: u64, shape: &[usize], low: f64, high: f64) -> Tensor {
    Random::new(seed).uniform(shape, low, high, DType::F32).unwrap()
}

fn classes(seed: u64, count: usize, classes: usize) -> Tensor {
    Random::new(seed).indices(count, classes).unwrap()
}

fn signs(seed: u64, shape: &[usize]) -> Tensor {
    let [x] = normal(seed, shape);
    x.sign().unwrap()
}

#[test]
fn of_numbers() {
    let [x, y] = normal(1, &[ROWS, 4]);
    let w = between(2, &[ROWS, 1], 0.1, 2.);
    let (pair, three) = ([&x, &y], [&x, &y, &w]);
    rounded_once("mse", &pair, |t, r| mse(&t[0], &t[1], r));
    rounded_once("l1", &pair, |t, r| l1(&t[0], &t[1], r));
    rounded_once("huber", &pair, |t, r| huber(&t[0], &t[1], 0.7, r));
    rounded_once("smooth_l1", &pair, |t, r| smooth_l1(&t[0], &t[1], 0.7, r));
    rounded_once("mse_weighted", &three, |t, r| {
        mse_weighted(&t[0], &t[1], &t[2], r)
    });
    rounded_once("l1_weighted", &three, |t, r| l1_weighted(&t[0], &t[1], &t[2], r));
    rounded_once("huber_weighted", &three, |t, r| {
        huber_weighted(&t[0], &t[1], &t[2], 0.7, r)
    });
    rounded_twice("log_cosh", &pair, |t, r| log_cosh(&t[0], &t[1], r));
    rounded_twice("quantile", &pair, |t, r| quantile(&t[0], &t[1], 0.3, r));
}

#[test]
fn of_distributions() {
    let [x, y] = normal(3, &[ROWS, 4]);
    let (counts, var) = (between(4, &[ROWS, 4], 0.2, 6.), between(5, &[ROWS, 4], 0.3, 2.));
    let cfg = PoissonNllConfig {
        full: true,
        ..PoissonNllConfig::default()
    };
    rounded_twice("poisson_nll", &[&x, &counts], |t, r| {
        poisson_nll(&t[0], &t[1], &cfg, r)
    });
    let cfg = GaussianNllConfig::default();
    rounded_twice("gaussian_nll", &[&x, &y, &var], |t, r| {
        gaussian_nll(&t[0], &t[1], &t[2], &cfg, r)
    });
    // One variance for all rows, whose gradient is a sum over them.
    let shared = between(21, &[1, 4], 0.1, 0.2);
    rounded_twice("gaussian_nll", &[&x, &y, &shared], |t, r| {
        gaussian_nll(&t[0], &t[1], &t[2], &cfg, r)
    });
    for log_target in [false, true] {
        let target = if log_target {
            y.clone()
        } else {
            between(6, &[ROWS, 4], 0.1, 1.)
        };
        let cfg = KlDivConfig {
            log_target,
            ..KlDivConfig::default()
        };
        rounded_twice("kl_div", &[&x, &target], |t, r| kl_div(&t[0], &t[1], &cfg, r));
    }
}

#[test]
fn of_yes_and_no() {
    let [x] = normal(7, &[ROWS, 4]);
    let (p, t) = (between(8, &[ROWS, 4], 0.1, 0.9), between(9, &[ROWS, 4], 0.1, 0.9));
    let w = between(10, &[4], 0.2, 2.);
    rounded_twice("bce", &[&p, &t], |t, r| {
        bce(&t[0], &t[1], &BceConfig::default(), r)
    });
    near("bce with weights", &[&p, &t, &w], |t, r| {
        let weight = Some(t[2].clone());
        bce(&t[0], &t[1], &BceConfig { weight }, r)
    });
    rounded_once("bce_with_logits", &[&x, &t, &w, &w], |t, r| {
        let cfg = BceWithLogitsConfig {
            weight: Some(t[2].clone()),
            pos_weight: Some(t[3].clone()),
        };
        bce_with_logits(&t[0], &t[1], &cfg, r)
    });
    let cfg = SigmoidFocalConfig {
        alpha: None,
        gamma: 1.5,
    };
    rounded_twice("sigmoid_focal", &[&x, &t], |t, r| {
        sigmoid_focal(&t[0], &t[1], &cfg, r)
    });
    near("sigmoid_focal with alpha", &[&x, &t], |t, r| {
        sigmoid_focal(&t[0], &t[1], &SigmoidFocalConfig::default(), r)
    });
    rounded_once("multilabel_soft_margin", &[&x, &t, &w], |t, r| {
        multilabel_soft_margin(&t[0], &t[1], Some(&t[2]), r)
    });
    rounded_once("dice", &[&p, &t], |t, r| {
        dice(&t[0], &t[1], &DiceConfig::default(), r)
    });
    rounded_once("iou", &[&p, &t], |t, r| {
        iou(&t[0], &t[1], &IouConfig::default(), r)
    });
}

#[test]
fn of_classes() {
    let [x] = normal(11, &[ROWS, 4]);
    let (targets, weight) = (classes(12, ROWS, 4), between(13, &[4], 0.2, 2.));
    let cfg = CrossEntropyConfig {
        weight: Some(weight.clone()),
        label_smoothing: 0.1,
        ..CrossEntropyConfig::default()
    };
    rounded_once("cross_entropy", &[&x], |t, r| {
        cross_entropy_with(&t[0], &targets, &cfg, r)
    });
    let soft = between(14, &[ROWS, 4], 0.1, 0.4);
    rounded_once("cross_entropy of probabilities", &[&x, &soft], |t, r| {
        cross_entropy_with(&t[0], &t[1], &cfg, r)
    });
    let cfg = NllConfig::default();
    rounded_twice("nll", &[&x], |t, r| nll(&t[0], &targets, &cfg, r));
    let cfg = SoftmaxFocalConfig {
        weight: Some(weight.clone()),
        ..SoftmaxFocalConfig::default()
    };
    rounded_once("softmax_focal", &[&x], |t, r| {
        softmax_focal(&t[0], &targets, &cfg, r)
    });
    let cfg = MultiMarginConfig {
        p: MultiMarginNorm::Two,
        weight: Some(weight),
        ..MultiMarginConfig::default()
    };
    rounded_once("multi_margin", &[&x], |t, r| {
        multi_margin(&t[0], &targets, &cfg, r)
    });
    let labels = classes(15, ROWS * 4, 4).reshape((ROWS, 4)).unwrap();
    rounded_once("multilabel_margin", &[&x], |t, r| {
        multilabel_margin(&t[0], &labels, r)
    });
    let log_probs = between(16, &[6, ROWS, 4], -3., -0.3);
    let labels = (classes(17, ROWS * 2, 3).reshape((ROWS, 2)).unwrap() + 1.).unwrap();
    let lengths = ([6; ROWS], [2; ROWS]);
    rounded_once("ctc", &[&log_probs], |t, r| {
        ctc(&t[0], &labels, &lengths.0, &lengths.1, &CtcConfig::default(), r)
    });
}

#[test]
fn of_margins_and_embeddings() {
    let [x, a, b, c] = normal(18, &[ROWS, 4]);
    let (all, rows) = (signs(19, &[ROWS, 4]), signs(20, &[ROWS]));
    let pair = [&a, &b];
    rounded_once("hinge", &[&x], |t, r| hinge(&t[0], &all, r));
    rounded_once("soft_margin", &[&x], |t, r| soft_margin(&t[0], &all, r));
    rounded_once("hinge_embedding", &[&x], |t, r| {
        hinge_embedding(&t[0], &all, 0.7, r)
    });
    rounded_once("margin_ranking", &pair, |t, r| {
        margin_ranking(&t[0], &t[1], &all, 0.3, r)
    });
    rounded_once("cosine_embedding", &pair, |t, r| {
        cosine_embedding(&t[0], &t[1], &rows, 0.3, r)
    });
    let cfg = TripletMarginConfig {
        swap: true,
        ..TripletMarginConfig::default()
    };
    rounded_once("triplet_margin", &[&a, &b, &c], |t, r| {
        triplet_margin(&t[0], &t[1], &t[2], &cfg, r)
    });
    rounded_once("nt_xent", &pair, |t, r| nt_xent(&t[0], &t[1], 0.5, r));
    rounded_once("info_nce", &pair, |t, r| {
        info_nce(&t[0], &t[1], &InfoNceConfig::default(), r)
    });
    rounded_once("info_nce with negatives", &[&a, &b, &c], |t, r| {
        let cfg = InfoNceConfig {
            negatives: Some(t[2].clone()),
            ..InfoNceConfig::default()
        };
        info_nce(&t[0], &t[1], &cfg, r)
    });
}

#[test]
fn sums_that_half_precision_has_no_room_for() {
    let device = &Device::Cpu;
    for (dtype, _) in TYPES {
        let ones = Tensor::ones((500, 8), dtype, device).unwrap();
        let zeros = ones.zeros_like().unwrap();
        let value = |loss: Result<Tensor>| {
            let loss = loss.unwrap().to_dtype(DType::F64).unwrap();
            loss.to_scalar::<f64>().unwrap()
        };
        // Both types have 2000 and 4000; a sum of ones stops at 256 in bf16, and at 2048 in f16.
        assert_eq!(value(quantile(&ones, &zeros, 0.5, Reduction::Sum)), 2000.);
        let cfg = KlDivConfig {
            batchmean: true,
            ..KlDivConfig::default()
        };
        let minus = ones.neg().unwrap();
        assert_eq!(value(kl_div(&minus, &ones, &cfg, Reduction::Mean)), 8.);
        assert_eq!(value(kl_div(&minus, &ones, &cfg, Reduction::Sum)), 4000.);
    }
}

/// In `bf16` each difference, 1 + 5·2⁻¹⁰, would be rounded up, and seven of them would come out a step too high.
#[test]
fn differences_are_not_rounded_before_they_are_summed() {
    let ones = Tensor::ones(7, DType::F32, &Device::Cpu).unwrap();
    let little = (&ones * (5. / 1024.)).unwrap();
    let minus = ones.neg().unwrap();
    let below = little.neg().unwrap();
    rounded_once("l1", &[&ones, &below], |t, r| l1(&t[0], &t[1], r));
    rounded_once("hinge", &[&little], |t, r| hinge(&t[0], &minus, r));
}
