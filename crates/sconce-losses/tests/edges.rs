//! At bends, at bounds and far out: values and slopes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor, Var};
use sconce_losses::*;

const INF: f64 = f64::INFINITY;

fn tensor(values: &[f64]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

/// The losses of these values, and their slopes.
fn at(values: &[f64], loss: impl Fn(&Tensor) -> Result<Tensor>) -> (Vec<f64>, Vec<f64>) {
    let x = Var::from_tensor(&tensor(values)).unwrap();
    let losses = loss(&x).unwrap();
    let slopes = losses.sum_all().unwrap().backward().unwrap().remove(&x).unwrap();
    (losses.to_vec1().unwrap(), slopes.to_vec1().unwrap())
}

/// Losses and slopes are these, to the last digits.
#[track_caller]
fn expect(actual: (Vec<f64>, Vec<f64>), values: &[f64], slopes: &[f64]) {
    for (actual, expected) in [(&actual.0, values), (&actual.1, slopes)] {
        let near =
            |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-14 * b.abs();
        assert!(
            actual.len() == expected.len() && actual.iter().zip(expected).all(near),
            "{actual:?}, expected {expected:?}"
        );
    }
}

#[test]
fn at_the_bend_the_slope_is_pytorchs() {
    let ones = tensor(&[1.; 5]);
    // Right by more than the margin, by just the margin, by less; infinitely right and wrong.
    let scores = [2., 1., 0., INF, -INF];
    expect(
        at(&scores, |x| hinge(x, &ones, Reduction::None)),
        &[0., 0., 1., 0., INF],
        &[0., 0., -1., 0., -1.],
    );
    let minus = ones.neg().unwrap();
    expect(
        at(&scores, |x| hinge_embedding(x, &minus, 1., Reduction::None)),
        &[0., 0., 1., 0., INF],
        &[0., 0., -1., 0., -1.],
    );
    let zeros = tensor(&[0.; 5]);
    expect(
        at(&scores, |x| margin_ranking(x, &zeros, &ones, 1., Reduction::None)),
        &[0., 0., 1., 0., INF],
        &[0., 0., -1., 0., -1.],
    );
    expect(
        at(&[0., 1., -1.], |x| {
            quantile(x, &tensor(&[0.; 3]), 0.75, Reduction::None)
        }),
        &[0., 0.25, 0.75],
        &[-0.25, 0.25, -0.75],
    );
    let other = Tensor::new(&[0u32], &Device::Cpu).unwrap();
    let multi = |x: &Tensor| {
        let cfg = MultiMarginConfig::default();
        multi_margin(&x.unsqueeze(0)?, &other, &cfg, Reduction::None)
    };
    expect(at(&[1., 0.], multi), &[0.], &[0., 0.]);
    expect(at(&[0., INF], multi), &[INF], &[-0.5, 0.5]);
    // Two that are infinite: as PyTorch's, nothing.
    expect(at(&[INF, INF], multi), &[0.], &[0., 0.]);
    expect(at(&[-INF, -INF], multi), &[0.], &[0., 0.]);
    assert!(at(&[f64::NAN, 0.], multi).0[0].is_nan());
}

#[test]
fn sure_mistakes_and_sure_successes() {
    let x = [0., 1e4, -1e4, INF, -INF, -40.];
    let half = 0.5;
    let tail = 4.248_354_255_291_589e-18; // ln(1 + e⁻⁴⁰), and the sigmoid of −40
    expect(
        at(&x, |x| soft_margin(x, &tensor(&[-1.; 6]), Reduction::None)),
        &[2f64.ln(), 1e4, 0., INF, 0., tail],
        &[half, 1., 0., 1., 0., tail],
    );
    expect(
        at(&x, |x| log_cosh(x, &tensor(&[0.; 6]), Reduction::None)),
        &[0., 1e4 - 2f64.ln(), 1e4 - 2f64.ln(), INF, INF, 40. - 2f64.ln()],
        &[0., 1., -1., 1., -1., -1.],
    );
    // Near 0 no digit is lost: half the square.
    expect(
        at(&[1e-9, -1e-5], |x| {
            log_cosh(x, &tensor(&[0.; 2]), Reduction::None)
        }),
        &[5e-19, 0.5e-10 - 1e-20 / 12.],
        &[1e-9, -1e-5 + 1e-15 / 3.],
    );
    let focal = |gamma, target: f64| {
        move |x: &Tensor| {
            let cfg = SigmoidFocalConfig { alpha: None, gamma };
            sigmoid_focal(x, &(x.zeros_like()? + target)?, &cfg, Reduction::None)
        }
    };
    let x = [0., 1e4, -1e4, 800.];
    expect(
        at(&x, focal(0.5, 0.)),
        &[half.sqrt() * 2f64.ln(), 1e4, 0., 800.],
        &[half.sqrt() * (half + 0.25 * 2f64.ln()), 1., 0., 1.],
    );
    expect(
        at(&x, focal(2., 1.)),
        &[0.25 * 2f64.ln(), 0., 1e4, 0.],
        &[-0.125 - 0.25 * 2f64.ln(), 0., -1., 0.],
    );
    // So sure and right that the reciprocal of what is wrong overflows.
    let tail = (-720f64).exp();
    expect(at(&[720.], focal(0., 1.)), &[tail], &[-tail]);
    assert!(at(&[720.], focal(0.01, 1.)).1[0].is_finite());
    let classes = Tensor::new(&[0u32], &Device::Cpu).unwrap();
    for gamma in [0., 0.5, 2.] {
        let cfg = SoftmaxFocalConfig {
            gamma,
            ..SoftmaxFocalConfig::default()
        };
        let focal = |x: &Tensor| softmax_focal(&x.unsqueeze(0)?, &classes, &cfg, Reduction::None);
        expect(at(&[1e4, -1e4], focal), &[0.], &[0., 0.]);
        expect(at(&[-1e4, 1e4], focal), &[2e4], &[-1., 1.]);
        expect(at(&[0., -INF], focal), &[0.], &[0., 0.]);
    }
}

#[test]
fn focal_losses_of_a_class_that_cant_be() {
    for gamma in [0., 0.5, 2.] {
        let cfg = SoftmaxFocalConfig {
            gamma,
            ..SoftmaxFocalConfig::default()
        };
        let class = Tensor::new(&[1u32], &Device::Cpu).unwrap();
        let focal = |x: &Tensor| softmax_focal(&x.unsqueeze(0)?, &class, &cfg, Reduction::None);
        expect(at(&[0., -INF], focal), &[INF], &[1., -1.]);
    }
}

/// A class that is named twice counts twice, as PyTorch counts it.
#[test]
fn a_class_that_is_named_twice() {
    let labels = Tensor::new(&[[3i64, 3, 1, -1]], &Device::Cpu).unwrap();
    expect(
        at(&[0.1, 0.4, -0.3, 0.2], |x| {
            multilabel_margin(&x.unsqueeze(0)?, &labels, Reduction::None)
        }),
        &[0.95],
        &[0.75, -0.5, 0.75, -1.],
    );
}

#[test]
fn the_batch_of_a_scalar_is_one() {
    let cfg = KlDivConfig {
        batchmean: true,
        ..KlDivConfig::default()
    };
    let scalar = |value: f64| Tensor::new(value, &Device::Cpu).unwrap();
    let loss = kl_div(&scalar(-1.), &scalar(0.5), &cfg, Reduction::Mean).unwrap();
    assert_eq!(loss.to_scalar::<f64>().unwrap(), 0.5 * 0.5f64.ln() + 0.5);
}

/// PyTorch's, torchvision's for focal loss.
#[test]
fn defaults() {
    let cfg = TripletMarginConfig::default();
    assert_eq!((cfg.margin, cfg.p, cfg.eps, cfg.swap), (1., 2., 1e-6, false));
    let cfg = GaussianNllConfig::default();
    assert_eq!((cfg.full, cfg.eps), (false, 1e-6));
    let cfg = PoissonNllConfig::default();
    assert_eq!((cfg.log_input, cfg.full, cfg.eps), (true, false, 1e-8));
    let cfg = MultiMarginConfig::default();
    assert!(cfg.p == MultiMarginNorm::One && cfg.margin == 1. && cfg.weight.is_none());
    let cfg = KlDivConfig::default();
    assert_eq!((cfg.log_target, cfg.batchmean), (false, false));
    let cfg = CtcConfig::default();
    assert_eq!((cfg.blank, cfg.zero_infinity), (0, false));
    let cfg = SigmoidFocalConfig::default();
    assert_eq!((cfg.alpha, cfg.gamma), (Some(0.25), 2.));
    let cfg = SoftmaxFocalConfig::default();
    assert!(cfg.gamma == 2. && cfg.ignore_index == -100 && cfg.weight.is_none());
    let cfg = NllConfig::default();
    assert!(cfg.ignore_index == -100 && cfg.weight.is_none());
    let cfg = CrossEntropyConfig::default();
    assert!(cfg.ignore_index == -100 && cfg.label_smoothing == 0. && cfg.weight.is_none());
    let cfg = InfoNceConfig::default();
    assert!(cfg.temperature == 0.1 && cfg.negatives.is_none());
    let cfg = DiceConfig::default();
    assert_eq!((cfg.smooth, cfg.squared, cfg.batch), (1e-5, false, false));
    let cfg = IouConfig::default();
    assert_eq!((cfg.smooth, cfg.batch), (1e-5, false));
}

#[test]
fn a_target_of_probability_0_contributes_nothing() {
    let cfg = KlDivConfig::default();
    let target = tensor(&[0., 0., 0.5, 1.]);
    expect(
        at(&[-1., -INF, -INF, -1e4], |x| {
            kl_div(x, &target, &cfg, Reduction::None)
        }),
        &[0., 0., INF, 1e4],
        &[0., 0., -0.5, -1.],
    );
    expect(
        at(&[0., 1.], |t| {
            kl_div(&tensor(&[-1.; 2]), t, &cfg, Reduction::None)
        }),
        &[0., 1.],
        &[-INF, 2.],
    );
    let cfg = KlDivConfig {
        log_target: true,
        ..cfg
    };
    let target = tensor(&[-INF, -INF, 0.]);
    expect(
        at(&[-1., -INF, -1e4], |x| kl_div(x, &target, &cfg, Reduction::None)),
        &[0., 0., 1e4],
        &[0., 0., -1.],
    );
    expect(
        at(&[-INF, 0.], |t| {
            kl_div(&tensor(&[-1.; 2]), t, &cfg, Reduction::None)
        }),
        &[0., 1.],
        &[0., 2.],
    );
    let nan = kl_div(
        &tensor(&[f64::NAN]),
        &tensor(&[0.]),
        &KlDivConfig::default(),
        Reduction::Sum,
    );
    assert!(nan.unwrap().to_scalar::<f64>().unwrap().is_nan());
}

#[test]
fn variances_are_bounded_and_their_slopes_are_not() {
    let (x, t) = (tensor(&[2.; 4]), tensor(&[1.; 4]));
    let cfg = GaussianNllConfig {
        eps: 0.5,
        ..GaussianNllConfig::default()
    };
    let at_bound = 0.5 * (0.5f64.ln() + 2.);
    expect(
        at(&[0., 0.1, 0.5, INF], |var| {
            gaussian_nll(&x, &t, var, &cfg, Reduction::None)
        }),
        &[at_bound, at_bound, at_bound, INF],
        &[-1., -1., -1., 0.],
    );
}

#[test]
fn counts_that_have_no_logarithm_and_rates_that_have_none() {
    let cfg = PoissonNllConfig {
        full: true,
        ..PoissonNllConfig::default()
    };
    // Stirling's term is there above 1 alone, and its slope too.
    let stirling = |t: f64| t * t.ln() - t + 0.5 * (2. * std::f64::consts::PI * t).ln();
    expect(
        at(&[0., 1., 3.], |t| {
            poisson_nll(&tensor(&[1.; 3]), t, &cfg, Reduction::None)
        }),
        &[1f64.exp(), 1f64.exp() - 1., 1f64.exp() - 3. + stirling(3.)],
        &[-1., -1., -1. + 3f64.ln() + 1. / 6.],
    );
    let cfg = PoissonNllConfig {
        log_input: false,
        ..PoissonNllConfig::default()
    };
    let loss = |x: f64, t: f64| {
        let loss = poisson_nll(&tensor(&[x]), &tensor(&[t]), &cfg, Reduction::Sum).unwrap();
        loss.to_scalar::<f64>().unwrap()
    };
    assert!(loss(-1., 1.).is_nan() && loss(0., 0.) == 0.);
    assert_eq!(loss(0., 1.), -1e-8f64.ln());
}

#[test]
fn vectors_of_zeros() {
    let zeros = Tensor::zeros((2, 3), DType::F64, &Device::Cpu).unwrap();
    let b = Tensor::new(&[[1f64, 2., 2.], [3., 0., 4.]], &Device::Cpu).unwrap();
    let same = tensor(&[1., 1.]);
    let a = Var::from_tensor(&zeros).unwrap();
    let losses = cosine_embedding(&a, &b, &same, 0., Reduction::None).unwrap();
    assert_eq!(losses.to_vec1::<f64>().unwrap(), [1., 1.]);
    let finite = |loss: Tensor| {
        let gradient = loss.sum_all().unwrap().backward().unwrap().remove(&a).unwrap();
        let values = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert!(values.iter().all(|v| v.is_finite()), "{values:?}");
    };
    finite(losses);
    finite(nt_xent(&a, &b, 0.5, Reduction::Mean).unwrap());
    finite(info_nce(&a, &b, &InfoNceConfig::default(), Reduction::Mean).unwrap());
    // Three points in one place: the distance's slope is 0 by every norm.
    for p in [0.5, 1., 1.5, 2., 3., INF] {
        let cfg = TripletMarginConfig {
            p,
            eps: 0.,
            ..TripletMarginConfig::default()
        };
        let loss = triplet_margin(&a, &zeros, &zeros, &cfg, Reduction::None).unwrap();
        assert_eq!(loss.to_vec1::<f64>().unwrap(), [1., 1.], "p {p}");
        let gradient = loss.sum_all().unwrap().backward().unwrap().remove(&a).unwrap();
        assert_eq!(gradient.to_vec2::<f64>().unwrap(), [[0.; 3]; 2], "p {p}");
    }
}

/// Just above the least length a vector is brought to length 1, and below it is divided by that, as PyTorch's `normalize`.
#[test]
fn vectors_about_as_short_as_the_least_length() {
    let b = Tensor::new(&[[1f64, 0.], [0., 1.]], &Device::Cpu).unwrap();
    // length, the similarity to itself
    for (length, similarity) in [
        (1f64, 1f64),
        (3e-12, 1.),
        (1.1e-12, 1.),
        (0.5e-12, 0.5),
        (1e-13, 0.1),
    ] {
        let a = (&b * length).unwrap();
        let cfg = InfoNceConfig {
            temperature: 1.,
            ..InfoNceConfig::default()
        };
        let loss = info_nce(&a, &b, &cfg, Reduction::Mean).unwrap();
        let (loss, expected) = (loss.to_scalar::<f64>().unwrap(), (-similarity).exp().ln_1p());
        assert!(
            (loss - expected).abs() < 1e-14,
            "{length}: {loss}, not {expected}"
        );
    }
}

/// Vectors whose length is 0 because their squares are: the slope is that of a vector of zeros.
#[test]
fn vectors_too_short_for_their_squares() {
    let a = Var::new(&[[1e-25f32, 0.], [0., 1.]], &Device::Cpu).unwrap();
    let b = Tensor::new(&[[1f32, 0.], [0., 1.]], &Device::Cpu).unwrap();
    let finite = |loss: Result<Tensor>| {
        let gradient = loss.unwrap().backward().unwrap().remove(&a).unwrap();
        let values = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(values.iter().all(|v| v.is_finite()), "{values:?}");
    };
    finite(info_nce(&a, &b, &InfoNceConfig::default(), Reduction::Mean));
    finite(nt_xent(&a, &b, 0.5, Reduction::Mean));
    for p in [0.5, 1., 1.5, 2., 3., INF] {
        let cfg = TripletMarginConfig {
            p,
            eps: 0.,
            ..TripletMarginConfig::default()
        };
        let zeros = a.zeros_like().unwrap();
        finite(triplet_margin(&a, &zeros, &b, &cfg, Reduction::Mean));
    }
}

#[test]
fn the_largest_of_several_share_the_slope() {
    let a = Var::new(&[[3f64, -3., 1.]], &Device::Cpu).unwrap();
    let zeros = a.zeros_like().unwrap();
    let cfg = TripletMarginConfig {
        p: INF,
        eps: 0.,
        ..TripletMarginConfig::default()
    };
    let far = Tensor::new(&[[3f64, -3., 3.]], &Device::Cpu).unwrap();
    let loss = triplet_margin(&a, &zeros, &far, &cfg, Reduction::Sum).unwrap();
    assert_eq!(loss.to_scalar::<f64>().unwrap(), 2.);
    let gradient = loss.backward().unwrap().remove(&a).unwrap();
    assert_eq!(gradient.to_vec2::<f64>().unwrap(), [[0.5, -0.5, 1.]]);
    for place in 0..3 {
        let mut values = [0., 1., 0.5];
        values[place] = f64::NAN;
        let nan = Tensor::new(&[values], &Device::Cpu).unwrap();
        let loss = triplet_margin(&nan, &zeros, &far, &cfg, Reduction::Sum).unwrap();
        assert!(loss.to_scalar::<f64>().unwrap().is_nan(), "{place}");
    }
}

#[test]
fn nothing_predicted_where_there_is_nothing_is_right() {
    let zeros = Tensor::zeros((1, 1, 4), DType::F64, &Device::Cpu).unwrap();
    let value = |loss: Result<Tensor>| loss.unwrap().to_scalar::<f64>().unwrap();
    assert_eq!(
        value(dice(&zeros, &zeros, &DiceConfig::default(), Reduction::Mean)),
        0.
    );
    assert_eq!(
        value(iou(&zeros, &zeros, &IouConfig::default(), Reduction::Mean)),
        0.
    );
    // Without smoothing it is 0/0.
    let cfg = DiceConfig {
        smooth: 0.,
        ..DiceConfig::default()
    };
    assert!(value(dice(&zeros, &zeros, &cfg, Reduction::Mean)).is_nan());
}

/// Laws that tie losses to each other.
#[test]
fn one_loss_is_another_in_a_special_case() {
    let x = tensor(&[0.3, -2., 1.5, 0.1]);
    let y = tensor(&[1., 0., 1., 0.]);
    let near = |a: Result<Tensor>, b: Result<Tensor>| {
        let value = |x: Result<Tensor>| x.unwrap().to_scalar::<f64>().unwrap();
        let (a, b) = (value(a), value(b));
        assert!((a - b).abs() < 1e-12, "{a}, {b}");
    };
    let r = Reduction::Mean;
    let cfg = SigmoidFocalConfig {
        alpha: None,
        gamma: 0.,
    };
    near(
        sigmoid_focal(&x, &y, &cfg, r),
        bce_with_logits(&x, &y, &BceWithLogitsConfig::default(), r),
    );
    near(
        multilabel_soft_margin(&x, &y, None, r),
        sigmoid_focal(&x, &y, &cfg, r),
    );
    near(
        quantile(&x, &y, 0.5, r),
        l1(&x, &y, r).and_then(|loss| loss * 0.5),
    );
    let logits = x.reshape((2, 2)).unwrap();
    let classes = Tensor::new(&[1u32, 0], &Device::Cpu).unwrap();
    let cfg = SoftmaxFocalConfig {
        gamma: 0.,
        ..SoftmaxFocalConfig::default()
    };
    near(
        softmax_focal(&logits, &classes, &cfg, r),
        cross_entropy(&logits, &classes, r),
    );
    // Two classes as one logit.
    let signs = y.affine(2., -1.).unwrap();
    near(
        soft_margin(&x, &signs, r),
        bce_with_logits(&x, &y, &BceWithLogitsConfig::default(), r),
    );
}
