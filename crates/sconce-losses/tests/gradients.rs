//! Gradients of losses against finite differences, by every option and reduction, in f64.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor};
use sconce_losses::*;
use sconce_testkit::{GradCheck, Layout, Random};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

/// Checks a loss of these inputs in every memory layout.
#[track_caller]
fn check(inputs: &[(&str, &Tensor)], loss: impl Fn(&[Tensor], Reduction) -> Result<Tensor>) {
    for reduction in REDUCTIONS {
        let check = GradCheck {
            layouts: Layout::ALL,
            ..GradCheck::default()
        };
        check.assert(inputs, &[], |t| loss(t, reduction));
    }
}

fn normal<const N: usize>(seed: u64, shape: &[usize]) -> [Tensor; N] {
    let mut random = Random::new(seed);
    std::array::from_fn(|_| random.normal(shape, DType::F64).unwrap())
}

fn between(seed: u64, shape: &[usize], low: f64, high: f64) -> Tensor {
    Random::new(seed).uniform(shape, low, high, DType::F64).unwrap()
}

fn signs(seed: u64, shape: &[usize]) -> Tensor {
    let [x] = normal(seed, shape);
    x.sign().unwrap()
}

#[test]
fn of_numbers() {
    let [x, y] = normal(1, &[3, 5]);
    let pair = [("input", &x), ("target", &y)];
    check(&pair, |t, r| log_cosh(&t[0], &t[1], r));
    for q in [0.1, 0.5, 0.8] {
        check(&pair, |t, r| quantile(&t[0], &t[1], q, r));
    }
}

#[test]
fn of_distributions() {
    let [x, y] = normal(2, &[3, 5]);
    let counts = between(3, &[3, 5], 0.2, 6.);
    for log_input in [false, true] {
        let x = if log_input {
            x.clone()
        } else {
            between(4, &[3, 5], 0.3, 3.)
        };
        for full in [false, true] {
            let cfg = PoissonNllConfig {
                log_input,
                full,
                eps: 0.1,
            };
            check(&[("input", &x), ("target", &counts)], |t, r| {
                poisson_nll(&t[0], &t[1], &cfg, r)
            });
        }
    }
    for (shape, full) in [(&[3, 5][..], false), (&[3], true), (&[1, 5], false)] {
        let var = between(5, shape, 0.3, 2.);
        let cfg = GaussianNllConfig {
            full,
            ..GaussianNllConfig::default()
        };
        check(&[("input", &x), ("target", &y), ("var", &var)], |t, r| {
            gaussian_nll(&t[0], &t[1], &t[2], &cfg, r)
        });
    }
    for log_target in [false, true] {
        let target = if log_target {
            y.clone()
        } else {
            between(6, &[3, 5], 0.1, 1.)
        };
        for batchmean in [false, true] {
            let cfg = KlDivConfig {
                log_target,
                batchmean,
            };
            check(&[("input", &x), ("target", &target)], |t, r| {
                kl_div(&t[0], &t[1], &cfg, r)
            });
        }
    }
}

#[test]
fn of_focal_losses() {
    let [x] = normal(7, &[3, 4]);
    let soft = between(8, &[3, 4], 0.1, 0.9);
    let mut random = Random::new(9);
    for gamma in [0., 0.5, 1., 2., 3.5] {
        for alpha in [None, Some(0.25)] {
            let cfg = SigmoidFocalConfig { alpha, gamma };
            check(&[("input", &x), ("target", &soft)], |t, r| {
                sigmoid_focal(&t[0], &t[1], &cfg, r)
            });
        }
        for shape in [&[4][..], &[3, 4], &[2, 3, 2]] {
            let [x] = normal(10, shape);
            let mut rows = shape.to_vec();
            let classes = rows.remove(usize::from(shape.len() > 1));
            let targets = random.indices(rows, classes).unwrap();
            let weight = random.uniform(classes, 0.2, 2., DType::F64).unwrap();
            for weight in [None, Some(weight)] {
                let cfg = SoftmaxFocalConfig {
                    weight,
                    gamma,
                    ignore_index: -1,
                };
                check(&[("logits", &x)], |t, r| softmax_focal(&t[0], &targets, &cfg, r));
            }
        }
    }
}

#[test]
fn of_margins() {
    let [x] = normal(11, &[3, 5]);
    let target = signs(12, &[3, 5]);
    check(&[("input", &x)], |t, r| hinge(&t[0], &target, r));
    check(&[("input", &x)], |t, r| soft_margin(&t[0], &target, r));
    for margin in [0.5, 1.] {
        check(&[("input", &x)], |t, r| {
            hinge_embedding(&t[0], &target, margin, r)
        });
    }
    let classes = Tensor::new(&[4u32, 0, 2], &Device::Cpu).unwrap();
    let weight = between(13, &[5], 0.2, 2.);
    for p in [MultiMarginNorm::One, MultiMarginNorm::Two] {
        for weight in [None, Some(weight.clone())] {
            let cfg = MultiMarginConfig {
                p,
                margin: 0.7,
                weight,
            };
            check(&[("input", &x)], |t, r| multi_margin(&t[0], &classes, &cfg, r));
        }
    }
    let labels = [[0i64, 3, -1, 2, 2], [-1, 0, 0, 0, 0], [1, 2, 3, 4, 1]];
    let labels = Tensor::new(&labels, &Device::Cpu).unwrap();
    check(&[("input", &x)], |t, r| multilabel_margin(&t[0], &labels, r));
    let soft = between(14, &[3, 5], 0.1, 0.9);
    let all = [("input", &x), ("target", &soft), ("weight", &weight)];
    check(&all[..2], |t, r| multilabel_soft_margin(&t[0], &t[1], None, r));
    check(&all, |t, r| multilabel_soft_margin(&t[0], &t[1], Some(&t[2]), r));
}

#[test]
fn of_embeddings() {
    let [a, b, c] = normal(15, &[4, 3]);
    let pair = [("a", &a), ("b", &b)];
    let (rows, all) = (signs(16, &[4]), signs(17, &[4, 3]));
    for margin in [0., 0.3] {
        check(&pair, |t, r| margin_ranking(&t[0], &t[1], &all, margin, r));
        check(&pair, |t, r| cosine_embedding(&t[0], &t[1], &rows, margin, r));
    }
    let triplet = [("anchor", &a), ("positive", &b), ("negative", &c)];
    for p in [0.5, 1., 1.5, 2., 3., f64::INFINITY] {
        for swap in [false, true] {
            let cfg = TripletMarginConfig {
                // Far enough for every triplet to count.
                margin: 20.,
                p,
                swap,
                ..TripletMarginConfig::default()
            };
            check(&triplet, |t, r| triplet_margin(&t[0], &t[1], &t[2], &cfg, r));
        }
    }
    let squared = |x: &Tensor, y: &Tensor| (x - y)?.sqr()?.sum(1);
    check(&triplet, |t, r| {
        triplet_margin_with_distance(&t[0], &t[1], &t[2], squared, 9., true, r)
    });
    for temperature in [0.2, 1.] {
        check(&pair, |t, r| nt_xent(&t[0], &t[1], temperature, r));
        let cfg = |negatives| InfoNceConfig {
            temperature,
            negatives,
        };
        check(&pair, |t, r| info_nce(&t[0], &t[1], &cfg(None), r));
        for shape in [&[5, 3][..], &[4, 2, 3]] {
            let [negatives] = normal(18, shape);
            check(&[("a", &a), ("b", &b), ("negatives", &negatives)], |t, r| {
                info_nce(&t[0], &t[1], &cfg(Some(t[2].clone())), r)
            });
        }
    }
}

#[test]
fn of_regions() {
    for shape in [&[3, 2][..], &[3, 2, 4], &[2, 3, 2, 2]] {
        let (x, t) = (between(19, shape, 0.1, 0.9), between(20, shape, 0.1, 0.9));
        let pair = [("input", &x), ("target", &t)];
        for batch in [false, true] {
            for smooth in [0., 1.] {
                for squared in [false, true] {
                    let cfg = DiceConfig {
                        smooth,
                        squared,
                        batch,
                    };
                    check(&pair, |t, r| dice(&t[0], &t[1], &cfg, r));
                }
                let cfg = IouConfig { smooth, batch };
                check(&pair, |t, r| iou(&t[0], &t[1], &cfg, r));
            }
        }
    }
}
