use super::*;
use candle_core::{Device, Var};

/// Values on both sides of every bend, on it, and where a careless formula overflows.
const POINTS: [f64; 18] = [
    -1000., -50., -20.5, -3., -1., -0.3, -1e-9, 0., 1e-9, 0.3, 1., 2.9, 3., 3.1, 6., 20.5, 50., 1000.,
];

fn check(function: impl Pointwise) {
    let x = Var::new(&POINTS, &Device::Cpu).unwrap();
    let of = |y: Tensor| {
        let grads = y.sum_all().unwrap().backward().unwrap();
        [
            y.to_vec1::<f64>().unwrap(),
            grads.get(&x).unwrap().to_vec1::<f64>().unwrap(),
        ]
    };
    let name = name_of(&function);
    let nan = Tensor::new(&[f64::NAN], &Device::Cpu).unwrap();
    assert!(
        function.composite(&nan).unwrap().to_vec1::<f64>().unwrap()[0].is_nan(),
        "{name}"
    );
    let (ours, oracle) = (
        of(forward(function, &x).unwrap()),
        of(function.composite(&x).unwrap()),
    );
    for (a, b) in ours.iter().flatten().zip(oracle.iter().flatten()) {
        assert!(
            (a - b).abs() <= 1e-14 * (1. + b.abs()),
            "{name}: {ours:?} {oracle:?}"
        );
    }
}

fn name_of<P: Pointwise>(_: &P) -> &'static str {
    P::NAME
}

#[test]
fn kernels_equal_composites() {
    check(Relu);
    check(LeakyRelu { negative_slope: 0.3 });
    check(Elu { alpha: 0.7 });
    check(Gelu {
        approximate: GeluForm::None,
    });
    check(Gelu {
        approximate: GeluForm::Tanh,
    });
    check(Silu);
    check(Softplus::default());
    check(Softplus {
        beta: 2.,
        threshold: 6.,
    });
    check(Sigmoid);
    check(Tanh);
    check(Celu { alpha: 0.7 });
    check(Celu { alpha: 1. });
    check(Selu);
    check(Mish);
    check(Softsign);
    check(Tanhshrink);
    check(LogSigmoid);
    check(Relu6);
    check(Hardsigmoid);
    check(Hardswish);
    check(Hardtanh::default());
    check(Hardtanh {
        min_val: -0.3,
        max_val: f64::INFINITY,
    });
    for lambd in [0., 0.3, 1.] {
        check(Hardshrink { lambd });
        check(Softshrink { lambd });
    }
    check(Hardshrink { lambd: -1. });
    check(Threshold {
        threshold: 0.3,
        value: 20.,
    });
}

/// A layer, points, and its slopes there.
type Kink = (Box<dyn Module>, &'static [f64], Vec<f64>);

/// Where two branches meet, each with the slope that PyTorch takes there.
#[test]
fn slopes_at_kinks_are_pytorchs() {
    let third = f64::from(1f32 / 6.);
    let cases: Vec<Kink> = vec![
        (
            Box::new(Hardshrink::default()),
            &[-0.5, 0., 0.5, f64::NAN],
            vec![0., 0., 0., 1.],
        ),
        (
            Box::new(Softshrink::default()),
            &[-0.5, 0., 0.5, f64::NAN],
            vec![0., 0., 0., 1.],
        ),
        (
            Box::new(Hardsigmoid),
            &[-3., 0., 3., f64::NAN],
            vec![0., third, 0., 0.],
        ),
        (
            Box::new(Hardswish),
            &[-3., 0., 3., f64::INFINITY, f64::NEG_INFINITY, f64::NAN],
            vec![0., 0.5, 1., 1., 0., 1.],
        ),
        (
            Box::new(Hardtanh::default()),
            &[-1., 0., 1., f64::NAN],
            vec![0., 1., 0., 1.],
        ),
        (Box::new(Relu6), &[0., 1., 6., f64::NAN], vec![0., 1., 0., 1.]),
        (Box::new(Celu::default()), &[0., f64::NEG_INFINITY], vec![1., 0.]),
        (
            Box::new(Selu),
            &[0., f64::NEG_INFINITY, f64::INFINITY],
            vec![1.7580993408473766, 0., 1.0507009873554805],
        ),
        (
            Box::new(LogSigmoid),
            &[0., f64::NEG_INFINITY, f64::INFINITY],
            vec![0.5, 1., 0.],
        ),
        (Box::new(Mish), &[0.], vec![0.6]),
        (Box::new(Softsign), &[0.], vec![1.]),
        (
            Box::new(Tanhshrink),
            &[0., f64::NEG_INFINITY, f64::INFINITY],
            vec![0., 1., 1.],
        ),
        (
            Box::new(Threshold {
                threshold: 1.,
                value: 7.,
            }),
            &[1., 2., f64::NAN],
            vec![0., 1., 1.],
        ),
    ];
    for (i, (layer, points, slopes)) in cases.into_iter().enumerate() {
        let x = Var::new(points, &Device::Cpu).unwrap();
        let grads = layer.forward(&x).unwrap().sum_all().unwrap().backward().unwrap();
        let ours = grads.get(&x).unwrap().to_vec1::<f64>().unwrap();
        for (a, b) in ours.iter().zip(&slopes) {
            assert!((a - b).abs() <= 1e-15, "case {i}: {ours:?} instead of {slopes:?}");
        }
    }
}

#[test]
fn options_out_of_range_are_named() {
    let x = Tensor::new(&[1f64], &Device::Cpu).unwrap();
    let cases: [(Box<dyn Module>, &str); 6] = [
        (
            Box::new(Celu { alpha: 0. }),
            "Celu: alpha is 0, expected a number other than 0",
        ),
        (
            Box::new(Softshrink { lambd: -1. }),
            "Softshrink: lambd is -1, expected 0 or more",
        ),
        (
            Box::new(Softshrink { lambd: f64::INFINITY }),
            "Softshrink: lambd is inf",
        ),
        (
            Box::new(Hardtanh {
                min_val: 2.,
                max_val: 1.,
            }),
            "Hardtanh: max_val is 1, expected more than min_val = 2",
        ),
        (
            Box::new(Hardtanh {
                min_val: 1.,
                max_val: 1.,
            }),
            "Hardtanh: max_val is 1",
        ),
        (
            Box::new(Hardtanh {
                min_val: f64::NAN,
                max_val: 1.,
            }),
            "Hardtanh: max_val is 1",
        ),
    ];
    for (layer, message) in cases {
        let error = Error::from(layer.forward(&x).unwrap_err()).to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn slope_at_zero_is_pytorchs() {
    let x = Var::new(&[0f64], &Device::Cpu).unwrap();
    let cases: [(Activation, f64); 4] = [
        (Activation::Relu, 0.),
        (Activation::LeakyRelu, 0.01),
        (Activation::Elu, 1.),
        (Activation::Sigmoid, 0.25),
    ];
    for (activation, slope) in cases {
        let grads = activation
            .forward(&x)
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        assert_eq!(
            grads.get(&x).unwrap().to_vec1::<f64>().unwrap(),
            [slope],
            "{activation:?}"
        );
    }
}

#[test]
fn not_a_number_passes_through() {
    let x = Tensor::new(&[f64::NAN], &Device::Cpu).unwrap();
    for (name, activation) in Activation::ALL {
        assert!(
            activation.forward(&x).unwrap().to_vec1::<f64>().unwrap()[0].is_nan(),
            "{name}"
        );
    }
}

#[test]
fn names() {
    for (name, activation) in Activation::ALL {
        assert_eq!(name.parse::<Activation>().unwrap(), activation);
    }
    assert!(
        "swish"
            .parse::<Activation>()
            .unwrap_err()
            .to_string()
            .contains("one of relu, leaky_relu")
    );
}
