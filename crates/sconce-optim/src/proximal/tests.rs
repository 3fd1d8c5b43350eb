use super::*;
use crate::{Adam, AdamConfig, Sgd, SgdConfig};
use candle_core::{DType, Device};
use sconce_core::{Init, ParamStore, backward, param};
use sconce_testkit::Random;

#[test]
fn values_move_towards_zero_and_stop_there() {
    for dtype in [DType::F64, DType::F32, DType::BF16] {
        let x = Tensor::new(
            &[-2f32, -0.5, -0.25, 0., 0.25, 0.5, 2., f32::INFINITY],
            &Device::Cpu,
        )
        .unwrap();
        let y = soft_threshold(&x.to_dtype(dtype).unwrap(), 0.5).unwrap();
        let y = y.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(y, [-1.5, 0., 0., 0., 0., 0., 1.5, f32::INFINITY]);
    }
    let nan = soft_threshold(&Tensor::new(f64::NAN, &Device::Cpu).unwrap(), 0.5).unwrap();
    assert!(nan.to_scalar::<f64>().unwrap().is_nan());
}

#[test]
fn only_what_matches_and_has_a_gradient_is_shrunk() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let params = ["a.weight", "b.weight", "a.bias"]
        .map(|name| param(&store.builder(), 1, name, &Init::Const(0.5)).unwrap());
    store.freeze("b.*").unwrap();
    let sgd = Sgd::new(
        &SgdConfig {
            lr: 0.5,
            ..SgdConfig::default()
        },
        &store,
    )
    .unwrap();
    let mut rule = ProximalL1::new(sgd, &store, "*.weight", 0.5).unwrap();
    // Every slope is ¼.
    let gradients = || {
        let all = Tensor::cat(&params.each_ref().map(|p| p.tensor()), 0).unwrap();
        backward(&(all.sum_all().unwrap() * 0.25).unwrap(), &store).unwrap()
    };
    let values = || params.each_ref().map(|p| p.value().to_vec1::<f64>().unwrap()[0]);
    rule.step(&gradients()).unwrap();
    assert_eq!(values(), [0.125, 0.5, 0.375]);
    store.unfreeze("b.*").unwrap();
    rule.set_learning_rate(0.25);
    assert_eq!((rule.learning_rate(), rule.rule().learning_rate()), (0.25, 0.25));
    rule.step(&gradients()).unwrap();
    assert_eq!(values(), [0., 0.3125, 0.3125]);
}

#[test]
fn bad_options_are_named() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    param(&store.builder(), 1, "a.weight", &Init::Const(1.)).unwrap();
    for (glob, lambda, message) in [
        (
            "*",
            -1.,
            "ProximalL1: lambda is -1, expected a finite number, at least 0",
        ),
        (
            "*",
            f64::NAN,
            "ProximalL1: lambda is NaN, expected a finite number, at least 0",
        ),
        ("*.bias", 1., "\"*.bias\" matches no parameter"),
        (
            "[",
            1.,
            "\"[\" is not a glob: unclosed character class; missing ']'",
        ),
    ] {
        let adam = Adam::new(&AdamConfig::default(), &store).unwrap();
        let error = ProximalL1::new(adam, &store, glob, lambda).err().unwrap();
        assert_eq!(error.to_string(), message);
    }
}

/// How the weights of a regression end in which 5 of 40 inputs matter.
struct Fit {
    zeros: usize,
    small: usize,
    /// Of the weights that should be 0, and those that shouldn't.
    largest_of_others: f64,
    smallest_of_five: f64,
}

/// The penalties that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Penalty {
    Nothing,
    L2,
    Subgradient,
    Proximal,
}

fn fit(penalty: Penalty) -> Fit {
    let mut random = Random::new(3);
    let x = random.normal((120, 40), DType::F64).unwrap();
    let truth = Tensor::from_iter(
        (0..40).map(|i| if i < 5 { 1. + i as f64 / 2. } else { 0. }),
        &Device::Cpu,
    );
    let noise = (random.normal((120, 1), DType::F64).unwrap() * 0.1).unwrap();
    let y = (x.matmul(&truth.unwrap().reshape((40, 1)).unwrap()).unwrap() + noise).unwrap();
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let init = Init::Normal { mean: 0., std: 1. };
    let w = param(&store.builder(), (40, 1), "w", &init).unwrap();
    let sgd = Sgd::new(
        &SgdConfig {
            lr: 0.05,
            ..SgdConfig::default()
        },
        &store,
    )
    .unwrap();
    let lambda = 0.2;
    let mut rule: Box<dyn Optimize> = match penalty {
        Penalty::Proximal => Box::new(ProximalL1::new(sgd, &store, "w", lambda).unwrap()),
        _ => Box::new(sgd),
    };
    for _ in 0..500 {
        let w = w.tensor();
        let loss = (x.matmul(&w).unwrap() - &y)
            .unwrap()
            .sqr()
            .unwrap()
            .mean_all()
            .unwrap();
        let loss = match penalty {
            Penalty::L2 => loss + (w.sqr().unwrap().sum_all().unwrap() * lambda).unwrap(),
            Penalty::Subgradient => loss + (w.abs().unwrap().sum_all().unwrap() * lambda).unwrap(),
            Penalty::Nothing | Penalty::Proximal => Ok(loss),
        };
        rule.step(&backward(&loss.unwrap(), &store).unwrap()).unwrap();
    }
    let w = w.value().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (five, others) = w.split_at(5);
    Fit {
        zeros: w.iter().filter(|w| **w == 0.).count(),
        small: w.iter().filter(|w| w.abs() < 0.02).count(),
        largest_of_others: others.iter().fold(0., |a, w| w.abs().max(a)),
        smallest_of_five: five.iter().fold(f64::INFINITY, |a, w| w.abs().min(a)),
    }
}

#[test]
fn the_proximal_step_alone_gives_exact_zeros() {
    println!("penalty       zeros  |w| < 0.02  largest of 35  smallest of 5");
    for penalty in [
        Penalty::Nothing,
        Penalty::L2,
        Penalty::Subgradient,
        Penalty::Proximal,
    ] {
        let fit = fit(penalty);
        let (name, small) = (format!("{penalty:?}"), fit.small);
        let (largest, smallest) = (fit.largest_of_others, fit.smallest_of_five);
        println!(
            "{name:<12} {:>6} {small:>11} {largest:>14.4} {smallest:>14.4}",
            fit.zeros
        );
        // All that matter are found, whatever the penalty.
        assert!(smallest > 0.6, "{penalty:?}");
        if penalty == Penalty::Proximal {
            assert_eq!(fit.zeros, 35);
        } else {
            assert_eq!(fit.zeros, 0, "{penalty:?}");
        }
    }
}

#[test]
fn each_group_shrinks_by_its_own_rate() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let a = param(&store.builder(), 1, "a", &Init::Const(1.)).unwrap();
    let b = param(&store.builder(), 1, "b", &Init::Const(1.)).unwrap();
    let cfg = |lr| SgdConfig {
        lr,
        ..SgdConfig::default()
    };
    let sgd = Sgd::new(&cfg(0.5), &store)
        .unwrap()
        .with_group("b", &cfg(0.))
        .unwrap();
    let mut rule = ProximalL1::new(sgd, &store, "*", 0.25).unwrap();
    let loss = (a.tensor() + b.tensor()).unwrap().sum_all().unwrap();
    rule.step(&backward(&loss, &store).unwrap()).unwrap();
    assert_eq!(a.value().to_vec1::<f64>().unwrap(), [0.375]);
    assert_eq!(b.value().to_vec1::<f64>().unwrap(), [1.]);
}
