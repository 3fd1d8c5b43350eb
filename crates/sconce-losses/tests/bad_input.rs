//! What is wrong with an argument is said by the loss's name, the argument's, and both shapes or the value and its place.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor, Var};
use sconce_core::Error;
use sconce_losses::*;

const MEAN: Reduction = Reduction::Mean;

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

fn numbers(values: &[f32]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

fn classes(values: &[i64]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

#[track_caller]
fn says(loss: Result<Tensor>, message: &str) {
    assert_eq!(Error::from(loss.unwrap_err()).to_string(), message);
}

/// Predictions and targets of one shape and type.
#[test]
fn pairs() {
    type Loss = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let losses: [(&str, Loss); 9] = [
        ("log_cosh", |x, y| log_cosh(x, y, MEAN)),
        ("quantile", |x, y| quantile(x, y, 0.5, MEAN)),
        ("poisson_nll", |x, y| {
            poisson_nll(x, y, &PoissonNllConfig::default(), MEAN)
        }),
        ("gaussian_nll", |x, y| {
            gaussian_nll(x, y, x, &GaussianNllConfig::default(), MEAN)
        }),
        ("kl_div", |x, y| kl_div(x, y, &KlDivConfig::default(), MEAN)),
        ("sigmoid_focal", |x, y| {
            sigmoid_focal(x, y, &SigmoidFocalConfig::default(), MEAN)
        }),
        ("multilabel_soft_margin", |x, y| {
            multilabel_soft_margin(x, y, None, MEAN)
        }),
        ("dice", |x, y| dice(x, y, &DiceConfig::default(), MEAN)),
        ("iou", |x, y| iou(x, y, &IouConfig::default(), MEAN)),
    ];
    let x = zeros(&[2, 3]);
    for (name, loss) in losses {
        let expect = |y: &Tensor, rest: &str| says(loss(&x, y), &format!("{name}: {rest}"));
        expect(
            &zeros(&[3, 2]),
            "target has shape [3, 2], expected [2, 3], the input's",
        );
        let other = x.to_dtype(DType::F64).unwrap();
        expect(&other, "target has dtype F64, expected F32, the input's");
        let whole = x.to_dtype(DType::I64).unwrap();
        says(
            loss(&whole, &whole),
            &format!("{name}: input has dtype I64, expected a floating-point type"),
        );
    }
}

/// Labels that are 1 or −1.
#[test]
fn signs() {
    type Loss = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let losses: [(&str, &str, Loss); 5] = [
        ("hinge", "the input's shape", |x, y| hinge(x, y, MEAN)),
        ("soft_margin", "the input's shape", |x, y| soft_margin(x, y, MEAN)),
        ("hinge_embedding", "the input's shape", |x, y| {
            hinge_embedding(x, y, 1., MEAN)
        }),
        ("margin_ranking", "the inputs' shape", |x, y| {
            margin_ranking(x, x, y, 0., MEAN)
        }),
        ("cosine_embedding", "[batch]", |x, y| {
            let x = x.unsqueeze(1)?;
            cosine_embedding(&x, &x, y, 0., MEAN)
        }),
    ];
    let x = zeros(&[2]);
    for (name, axes, loss) in losses {
        let expect = |y: &Tensor, rest: &str| says(loss(&x, y), &format!("{name}: {rest}"));
        expect(
            &zeros(&[3]),
            &format!("target has shape [3], expected {axes} = [2]"),
        );
        expect(&classes(&[1, 0]), "target[1] is 0, expected 1 or -1");
        expect(&numbers(&[f32::NAN, 1.]), "target[0] is NaN, expected 1 or -1");
        expect(
            Var::from_tensor(&numbers(&[1., -1.])).unwrap().as_tensor(),
            "target is tracked, expected a constant: the loss has no gradient for it, so detach it",
        );
        let whole = classes(&[1, 1]);
        let error = Error::from(loss(&whole, &whole).unwrap_err()).to_string();
        assert!(
            error.starts_with(name) && error.ends_with("has dtype I64, expected a floating-point type"),
            "{error}"
        );
    }
}

#[test]
fn options() {
    let (x, one) = (zeros(&[2, 3]), classes(&[0, 1]));
    for q in [0., 1., -0.5, f64::NAN] {
        says(
            quantile(&x, &x, q, MEAN),
            &format!("quantile: q is {q}, expected above 0 and below 1"),
        );
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let signs = numbers(&[1., 1.]);
        let v = zeros(&[2]);
        let rest = format!("margin is {bad}, expected a finite number");
        says(
            hinge_embedding(&v, &signs, bad, MEAN),
            &format!("hinge_embedding: {rest}"),
        );
        says(
            margin_ranking(&v, &v, &signs, bad, MEAN),
            &format!("margin_ranking: {rest}"),
        );
        says(
            cosine_embedding(&x, &x, &signs, bad, MEAN),
            &format!("cosine_embedding: {rest}"),
        );
        let cfg = MultiMarginConfig {
            margin: bad,
            ..MultiMarginConfig::default()
        };
        says(
            multi_margin(&x, &one, &cfg, MEAN),
            &format!("multi_margin: {rest}"),
        );
    }
    let negative = "-1, expected a finite number, at least 0";
    let cfg = PoissonNllConfig {
        eps: -1.,
        ..PoissonNllConfig::default()
    };
    says(
        poisson_nll(&x, &x, &cfg, MEAN),
        &format!("poisson_nll: eps is {negative}"),
    );
    let cfg = GaussianNllConfig {
        eps: -1.,
        ..GaussianNllConfig::default()
    };
    says(
        gaussian_nll(&x, &x, &x, &cfg, MEAN),
        &format!("gaussian_nll: eps is {negative}"),
    );
    let cfg = SigmoidFocalConfig {
        gamma: -1.,
        ..SigmoidFocalConfig::default()
    };
    says(
        sigmoid_focal(&x, &x, &cfg, MEAN),
        &format!("sigmoid_focal: gamma is {negative}"),
    );
    let cfg = SigmoidFocalConfig {
        alpha: Some(1.5),
        ..SigmoidFocalConfig::default()
    };
    says(
        sigmoid_focal(&x, &x, &cfg, MEAN),
        "sigmoid_focal: alpha is 1.5, expected between 0 and 1",
    );
    let cfg = SoftmaxFocalConfig {
        gamma: -1.,
        ..SoftmaxFocalConfig::default()
    };
    says(
        softmax_focal(&x, &one, &cfg, MEAN),
        &format!("softmax_focal: gamma is {negative}"),
    );
    let cfg = DiceConfig {
        smooth: -1.,
        ..DiceConfig::default()
    };
    says(dice(&x, &x, &cfg, MEAN), &format!("dice: smooth is {negative}"));
    let cfg = IouConfig {
        smooth: -1.,
        ..IouConfig::default()
    };
    says(iou(&x, &x, &cfg, MEAN), &format!("iou: smooth is {negative}"));
    says(
        nt_xent(&x, &x, 0., MEAN),
        "nt_xent: temperature is 0, expected a finite number above 0",
    );
    let cfg = InfoNceConfig {
        temperature: -2.,
        ..InfoNceConfig::default()
    };
    says(
        info_nce(&x, &x, &cfg, MEAN),
        "info_nce: temperature is -2, expected a finite number above 0",
    );
    let triplet = |cfg| triplet_margin(&x, &x, &x, &cfg, MEAN);
    let default = TripletMarginConfig::default;
    says(
        triplet(TripletMarginConfig {
            margin: 0.,
            ..default()
        }),
        "triplet_margin: margin is 0, expected a finite number above 0",
    );
    says(
        triplet(TripletMarginConfig { p: 0., ..default() }),
        "triplet_margin: p is 0, expected a number above 0, or infinity",
    );
    says(
        triplet(TripletMarginConfig {
            eps: -1.,
            ..default()
        }),
        &format!("triplet_margin: eps is {negative}"),
    );
    let none = |_: &Tensor, _: &Tensor| Ok(classes(&[1]));
    says(
        triplet_margin_with_distance(&x, &x, &x, none, -1., false, MEAN),
        "triplet_margin_with_distance: margin is -1, expected a finite number above 0",
    );
    says(
        triplet_margin_with_distance(&x, &x, &x, none, 1., false, MEAN),
        "triplet_margin_with_distance: distance has dtype I64, expected a floating-point type",
    );
    // Distances that don't fit those before them.
    for (others, rest) in [
        (zeros(&[3]), "shape [3], expected [2]"),
        (
            zeros(&[2]).to_dtype(DType::F64).unwrap(),
            "dtype F64, expected F32",
        ),
    ] {
        for first in [1, 2] {
            let calls = std::cell::Cell::new(0);
            let distance = |_: &Tensor, _: &Tensor| {
                calls.set(calls.get() + 1);
                Ok(if calls.get() > first {
                    others.clone()
                } else {
                    zeros(&[2])
                })
            };
            says(
                triplet_margin_with_distance(&x, &x, &x, distance, 1., true, MEAN),
                &format!(
                    "triplet_margin_with_distance: distance has {rest}, as those between anchor and positive"
                ),
            );
        }
    }
}

#[test]
fn class_numbers_and_weights() {
    let x = zeros(&[2, 3]);
    let cfg = MultiMarginConfig::default();
    says(
        multi_margin(&x, &classes(&[0, 3]), &cfg, MEAN),
        "multi_margin: targets[1] is 3, expected a class, at least 0 and below 3",
    );
    says(
        multi_margin(&x, &classes(&[0]), &cfg, MEAN),
        "multi_margin: targets has shape [1], expected [batch] = [2]",
    );
    says(
        multi_margin(&zeros(&[2, 3, 1]), &classes(&[0, 0]), &cfg, MEAN),
        "multi_margin: input has shape [2, 3, 1], expected [batch, classes] or [classes]",
    );
    let cfg = MultiMarginConfig {
        weight: Some(numbers(&[1., -1., 1.])),
        ..cfg
    };
    says(
        multi_margin(&x, &classes(&[0, 1]), &cfg, MEAN),
        "multi_margin: weight[1] is -1, expected a finite number, at least 0",
    );
    let labels = Tensor::new(&[[0i64, -1, 7], [-2, 0, 0]], &Device::Cpu).unwrap();
    says(
        multilabel_margin(&x, &labels, MEAN),
        "multilabel_margin: targets[2] is 7, expected a class, at least 0 and below 3, or -1 for the end",
    );
    says(
        multilabel_margin(&x, &labels.narrow(1, 0, 2).unwrap(), MEAN),
        "multilabel_margin: targets has shape [2, 2], expected [2, 3], the input's",
    );
    says(
        multilabel_margin(&x, &x, MEAN),
        "multilabel_margin: targets has dtype F32, expected i64",
    );
    says(
        softmax_focal(&x, &classes(&[0, -1]), &SoftmaxFocalConfig::default(), MEAN),
        "softmax_focal: targets[1] is -1, expected a class, at least 0 and below 3, or ignore_index = -100",
    );
    says(
        multilabel_soft_margin(&x, &x, Some(&numbers(&[1., 1.])), MEAN),
        "multilabel_soft_margin: weight has shape [2], expected one that broadcasts to [2, 3], the input's",
    );
    let none = zeros(&[2, 0]);
    says(
        multilabel_soft_margin(&none, &none, None, MEAN),
        "multilabel_soft_margin: input has shape [2, 0], expected [*, classes], at least one class",
    );
}

#[test]
fn values_and_shapes() {
    let x = zeros(&[2, 3]);
    let var = |values: &[f32]| gaussian_nll(&x, &x, &numbers(values), &GaussianNllConfig::default(), MEAN);
    says(
        var(&[1., -0.5]),
        "gaussian_nll: var[1] is -0.5, expected a variance, at least 0",
    );
    says(
        var(&[1., 1., 1.]),
        "gaussian_nll: var has shape [3], expected [2, 3], the input's, or without the last axis, or 1 for an axis",
    );
    let two = (&x + 2.).unwrap();
    says(
        sigmoid_focal(&x, &two, &SigmoidFocalConfig::default(), MEAN),
        "sigmoid_focal: target[0] is 2, expected a probability, between 0 and 1",
    );
    says(
        dice(&two, &x, &DiceConfig::default(), MEAN),
        "dice: input[0] is 2, expected a probability, between 0 and 1",
    );
    let row = zeros(&[3]);
    says(
        iou(&row, &row, &IouConfig::default(), MEAN),
        "iou: input has shape [3], expected [batch, classes, *positions]",
    );
    let cfg = TripletMarginConfig::default();
    says(
        triplet_margin(&x, &x, &row, &cfg, MEAN),
        "triplet_margin: negative has shape [3], expected [2, 3], the first argument's",
    );
    let scalar = zeros(&[]);
    says(
        triplet_margin(&scalar, &scalar, &scalar, &cfg, MEAN),
        "triplet_margin: anchor has shape [], expected [*, features], at least one feature",
    );
    says(
        cosine_embedding(&scalar, &scalar, &scalar, 0., MEAN),
        "cosine_embedding: input1 has shape [], expected [batch, features] or [features]",
    );
    says(
        nt_xent(&row, &row, 1., MEAN),
        "nt_xent: input1 has shape [3], expected [batch, features], at least one of each",
    );
    says(
        nt_xent(&x, &x.to_dtype(DType::F64).unwrap(), 1., MEAN),
        "nt_xent: input2 has dtype F64, expected F32, the first argument's",
    );
    // Of other features, and for other batches, one that would broadcast among them.
    for shape in [
        &[4, 2][..],
        &[2, 4, 2],
        &[3, 4, 3],
        &[1, 4, 3],
        &[3],
        &[1, 2, 4, 3],
    ] {
        let cfg = InfoNceConfig {
            negatives: Some(zeros(shape)),
            ..InfoNceConfig::default()
        };
        says(
            info_nce(&x, &x, &cfg, MEAN),
            &format!(
                "info_nce: negatives has shape {shape:?}, expected [negatives, features = 3] or [batch = 2, negatives, features = 3]"
            ),
        );
    }
}
