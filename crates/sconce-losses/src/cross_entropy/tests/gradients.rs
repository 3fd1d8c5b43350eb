//! Gradients against finite differences.

use super::*;
use sconce_testkit::{GradCheck, Layout};

#[test]
fn gradients_are_right() {
    let mut random = Random::new(1);
    let x = random.normal((5, 7), DType::F64).unwrap();
    let (targets, all) = sample(&mut random, 5, 7);
    let check = GradCheck {
        layouts: Layout::ALL,
        ..GradCheck::default()
    };
    let plain = CrossEntropyConfig {
        ignore_index: -7,
        ..CrossEntropyConfig::default()
    };
    for cfg in [plain, all] {
        for reduction in REDUCTIONS {
            check.assert(&[("logits", &x)], &[], |t| {
                cross_entropy_with(&t[0], &targets, &cfg, reduction)
            });
        }
    }
    let x = random.normal((2, 3, 2, 2), DType::F64).unwrap();
    let targets = random.indices((2, 2, 2), 3).unwrap();
    for reduction in REDUCTIONS {
        check.assert(&[("logits", &x)], &[], |t| {
            cross_entropy(&t[0], &targets, reduction)
        });
    }
}

#[test]
fn gradients_are_right_for_probabilities() {
    let mut random = Random::new(5);
    for shape in [&[5][..], &[3, 4], &[2, 3, 5], &[2, 3, 1, 2]] {
        let x = random.normal(shape, DType::F64).unwrap();
        let targets = distribution(&mut random, shape);
        let classes = shape[usize::from(shape.len() > 1)];
        let weight = random.uniform(classes, 0.1, 2., DType::F64).unwrap();
        let weighted = CrossEntropyConfig {
            weight: Some(weight),
            label_smoothing: 0.3,
            ..CrossEntropyConfig::default()
        };
        for cfg in [CrossEntropyConfig::default(), weighted] {
            for reduction in REDUCTIONS {
                let check = GradCheck {
                    layouts: Layout::ALL,
                    ..GradCheck::default()
                };
                check.assert(&[("logits", &x), ("targets", &targets)], &[], |t| {
                    cross_entropy_with(&t[0], &t[1], &cfg, reduction)
                });
            }
        }
    }
}

/// A distribution over the classes (the second axis, or the only one).
fn distribution(random: &mut Random, shape: &[usize]) -> Tensor {
    let values = random.uniform(shape, 0.1, 1., DType::F64).unwrap();
    let axis = usize::from(shape.len() > 1);
    values.broadcast_div(&values.sum_keepdim(axis).unwrap()).unwrap()
}
