//! Rules whose step depends on a matrix's shape.

use super::*;
use sconce_optim::{Muon, MuonAdjust, MuonConfig};
use sconce_testkit::golden::{Bound, compare};

const MUON: MuonConfig = MuonConfig {
    lr: 0.02,
    weight_decay: 0.1,
    momentum: 0.9,
    nesterov: true,
    ns_coefficients: (3.4445, -4.775, 2.0315),
    eps: 1e-7,
    ns_steps: 5,
    adjust_lr: MuonAdjust::Original,
    maximize: false,
};

type Make = fn(&ParamStore) -> Box<dyn Optimize>;
/// The names of the state, and their shapes for the tall matrix.
type Kept = &'static [(&'static str, [usize; 2])];

const MAKES: [(Make, Kept); 3] = [
    (
        |store| Box::new(Muon::new(&MUON, store).unwrap()),
        &[("momentum_buffer", [6, 4])],
    ),
    (
        |store| {
            let cfg = MuonConfig {
                nesterov: false,
                adjust_lr: MuonAdjust::MatchRmsAdamw,
                ..MUON
            };
            Box::new(Muon::new(&cfg, store).unwrap())
        },
        &[("momentum_buffer", [6, 4])],
    ),
    (
        |store| Box::new(Adafactor::new(&ADAFACTOR, store).unwrap()),
        &[("row_var", [6, 1]), ("col_var", [1, 4])],
    ),
];

fn matrices(dtype: DType) -> (ParamStore, Vec<Param>) {
    let store = ParamStore::new(dtype, &Device::Cpu).seeded(3);
    let init = Init::Normal { mean: 0., std: 1. };
    let shapes = [("tall", [6, 4]), ("wide", [3, 9])];
    let params =
        shapes.map(|(name, [rows, columns])| param(&store.builder(), (rows, columns), name, &init).unwrap());
    (store, params.into())
}

#[test]
fn they_descend_and_keep_what_they_say() {
    for (make, names) in MAKES {
        let (store, params) = matrices(DType::F64);
        let mut rule = make(&store);
        let value = || loss(&tensors(&params)).to_scalar::<f64>().unwrap();
        let before = value();
        for _ in 0..5 {
            rule.step(&gradients(&store, &params)).unwrap();
        }
        assert!(value() < before);
        let state = rule.state().unwrap();
        for (name, dims) in names {
            let (_, tensor) = state
                .iter()
                .find(|(key, _)| *key == format!("tall.{name}"))
                .unwrap();
            assert_eq!(tensor.dims(), dims);
        }
    }
}

#[test]
fn state_moves_to_another_optimiser_in_mid_run() {
    for dtype in [DType::F64, DType::F32, DType::BF16] {
        for (make, _) in MAKES {
            let ((store, params), (twin, twins)) = (matrices(dtype), matrices(dtype));
            let mut rule = make(&store);
            for _ in 0..3 {
                rule.step(&gradients(&store, &params)).unwrap();
            }
            for (name, var) in store.named_tensors() {
                twin.set(&name, &var).unwrap();
            }
            let mut other = make(&twin);
            other.load_state(&rule.state().unwrap()).unwrap();
            for _ in 0..3 {
                rule.step(&gradients(&store, &params)).unwrap();
                other.step(&gradients(&twin, &twins)).unwrap();
            }
            for (a, b) in params.iter().zip(&twins) {
                check_same_bits(a.name(), &a.value(), &b.value()).unwrap();
            }
        }
    }
}

#[test]
fn state_of_another_shape_is_refused() {
    for (make, names) in MAKES {
        let (store, params) = matrices(DType::F64);
        let mut rule = make(&store);
        rule.step(&gradients(&store, &params)).unwrap();
        let (name, dims) = names[0];
        let mut state = rule.state().unwrap();
        let key = format!("tall.{name}");
        let place = state.iter().position(|(known, _)| *known == key).unwrap();
        state[place].1 = Tensor::zeros((2, 2), DType::F64, &Device::Cpu).unwrap();
        let error = rule.load_state(&state).unwrap_err().to_string();
        let message = format!("state has shape [2, 2], expected {dims:?}, for the parameter's [6, 4]");
        assert!(error.starts_with(&key) && error.contains(&message), "{error}");
    }
}

/// The singular values of what Muon adds are near 1, whatever those of the gradient: the columns of a tall update are nearly
/// orthonormal.
#[test]
fn muons_steps_are_nearly_orthogonal() {
    let (store, params) = matrices(DType::F64);
    // Many steps of a polynomial that converges.
    let cfg = MuonConfig {
        lr: 1.,
        weight_decay: 0.,
        ns_coefficients: (2., -1.5, 0.5),
        ns_steps: 60,
        ..MUON
    };
    let mut muon = Muon::new(&cfg, &store).unwrap();
    let before = params[0].value().copy().unwrap();
    muon.step(&gradients(&store, &params)).unwrap();
    let step = ((before - params[0].value()).unwrap() / 1.5f64.sqrt()).unwrap();
    let gram = step.t().unwrap().matmul(&step).unwrap();
    let one = Tensor::eye(4, DType::F64, &Device::Cpu).unwrap();
    compare("gram", &gram, &one, Bound { rtol: 1e-9, atol: 0. }).unwrap();
}

/// The length of a step tells the learning rate that a shape has.
#[test]
fn muons_learning_rate_follows_the_shape() {
    for (adjust_lr, [tall, wide]) in [
        (MuonAdjust::Original, [1.5f64.sqrt(), 1.]),
        (MuonAdjust::MatchRmsAdamw, [0.2 * 6f64.sqrt(), 0.6]),
        (MuonAdjust::SpectralUnclamped, [1.5f64.sqrt(), (1f64 / 3.).sqrt()]),
    ] {
        let (store, params) = matrices(DType::F64);
        let cfg = MuonConfig {
            lr: 0.5,
            weight_decay: 0.,
            ns_coefficients: (2., -1.5, 0.5),
            ns_steps: 60,
            adjust_lr,
            ..MUON
        };
        let mut muon = Muon::new(&cfg, &store).unwrap();
        let before = [0, 1].map(|i: usize| params[i].value().copy().unwrap());
        muon.step(&gradients(&store, &params)).unwrap();
        // Of the smaller side's so many singular values, all are the rate.
        for (i, expected) in [0.5 * tall * 2., 0.5 * wide * 3f64.sqrt()]
            .into_iter()
            .enumerate()
        {
            let step = (&before[i] - params[i].value()).unwrap();
            let length = step
                .sqr()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f64>()
                .unwrap()
                .sqrt();
            assert!(
                (length / expected - 1.).abs() < 1e-9,
                "{adjust_lr:?}: {length} {expected}"
            );
        }
    }
}

#[test]
fn muon_is_for_matrices() {
    let (vectors, params) = store(&[3], DType::F32);
    let error = Muon::new(&MUON, &vectors).err().unwrap().to_string();
    assert!(
        error.contains("p0 (Muon): parameter has shape [3], expected [rows, columns]"),
        "{error}"
    );
    // One that was frozen then is refused before anything is changed.
    vectors.freeze("p0").unwrap();
    let mut muon = Muon::new(&MUON, &vectors).unwrap();
    vectors.unfreeze("p0").unwrap();
    let before = params[0].value().copy().unwrap();
    assert!(muon.step(&gradients(&vectors, &params)).is_err());
    check_same_bits("p0", &params[0].value(), &before).unwrap();
}

#[test]
fn options_out_of_range_are_named() {
    let (store, _) = matrices(DType::F32);
    for (cfg, message) in [
        (MuonConfig { lr: -1., ..MUON }, "Muon: lr is -1"),
        (
            MuonConfig { momentum: 1., ..MUON },
            "Muon: momentum is 1, expected at least 0 and below 1",
        ),
        (
            MuonConfig {
                eps: f64::NAN,
                ..MUON
            },
            "Muon: eps is NaN",
        ),
        (
            MuonConfig {
                ns_steps: 100,
                ..MUON
            },
            "Muon: ns_steps is 100, expected below 100",
        ),
        (
            MuonConfig {
                weight_decay: -0.1,
                ..MUON
            },
            "Muon: weight_decay is -0.1",
        ),
        (
            MuonConfig {
                ns_coefficients: (1., f64::INFINITY, 0.),
                ..MUON
            },
            "Muon: ns_coefficients is (1.0, inf, 0.0), expected finite numbers",
        ),
    ] {
        let error = Muon::new(&cfg, &store).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
    for (cfg, message) in [
        (
            AdafactorConfig { d: 0.5, ..ADAFACTOR },
            "Adafactor: d is 0.5, expected a finite number, at least 1",
        ),
        (
            AdafactorConfig {
                beta2_decay: 0.1,
                ..ADAFACTOR
            },
            "Adafactor: beta2_decay is 0.1, expected a finite number, at most 0",
        ),
        (
            AdafactorConfig {
                eps: (Some(-1.), 1.),
                ..ADAFACTOR
            },
            "Adafactor: eps.0 is -1",
        ),
        (
            AdafactorConfig {
                eps: (None, f64::NAN),
                ..ADAFACTOR
            },
            "Adafactor: eps.1 is NaN",
        ),
    ] {
        let error = Adafactor::new(&cfg, &store).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
}
