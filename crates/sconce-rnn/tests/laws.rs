//! Laws that recurrent layers obey.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Tensor};
use sconce_core::{ParamStore, Parameters, backward};
use sconce_rnn::*;
use sconce_testkit::Random;
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::property::{check_same_bits, check_thread_independence};

fn store(dtype: DType) -> ParamStore {
    ParamStore::new(dtype, &Device::Cpu).seeded(1)
}

fn lstm(cfg: &LstmConfig) -> Lstm {
    Lstm::new(cfg, store(DType::F64).builder()).unwrap()
}

fn normal(shape: &[usize]) -> Tensor {
    Random::new(7).normal(shape, DType::F64).unwrap()
}

#[test]
fn a_sequence_is_its_halves() {
    let layer = lstm(&LstmConfig {
        num_layers: 2,
        proj_size: 3,
        ..LstmConfig::new(4, 5)
    });
    let x = normal(&[7, 3, 4]);
    let (y, (h, c)) = layer.forward(&x, None).unwrap();
    let (y1, (h1, c1)) = layer.forward(&x.narrow(0, 0, 3).unwrap(), None).unwrap();
    let (y2, (h2, c2)) = layer
        .forward(&x.narrow(0, 3, 4).unwrap(), Some((&h1, &c1)))
        .unwrap();
    let halves = Tensor::cat(&[y1, y2], 0).unwrap();
    for (name, whole, halves) in [("y", y, halves), ("h", h, h2), ("c", c, c2)] {
        compare(name, &halves, &whole, Bound::F64).unwrap();
    }
}

#[test]
fn a_cell_over_time_is_a_layer() {
    let (one, two) = (store(DType::F64), store(DType::F64));
    let cell = GruCell::new(&GruCellConfig::new(4, 5), one.builder()).unwrap();
    let layer = Gru::new(&GruConfig::new(4, 5), two.builder()).unwrap();
    for (name, var) in one.named_parameters() {
        two.set(&format!("{name}_l0"), &var).unwrap();
    }
    let x = normal(&[6, 3, 4]);
    let mut h = cell.forward(&x.get(0).unwrap(), None).unwrap();
    for t in 1..6 {
        h = cell.forward(&x.get(t).unwrap(), Some(&h)).unwrap();
    }
    let (y, last) = layer.forward(&x, None).unwrap();
    compare("h", &last.get(0).unwrap(), &h, Bound::F64).unwrap();
    check_same_bits("y", &y.get(5).unwrap(), &last.get(0).unwrap()).unwrap();
}

#[test]
fn a_packed_sequence_is_as_if_it_were_alone() {
    let layer = lstm(&LstmConfig {
        num_layers: 2,
        bidirectional: true,
        batch_first: true,
        ..LstmConfig::new(4, 5)
    });
    let x = normal(&[4, 6, 4]);
    let (h0, c0) = (normal(&[4, 4, 5]), (normal(&[4, 4, 5]) * 2.).unwrap());
    let lengths = [3, 6, 1, 6];
    let packed = pack_padded_sequence(&x, &lengths, true, false).unwrap();
    let (y, (h, c)) = layer.forward(&packed, Some((&h0, &c0))).unwrap();
    let (y, _) = pad_packed_sequence(&y, true, 0., None).unwrap();
    for (k, length) in lengths.into_iter().enumerate() {
        let of = |state: &Tensor| state.narrow(1, k, 1).unwrap().contiguous().unwrap();
        let alone = x.narrow(0, k, 1).unwrap().narrow(1, 0, length).unwrap();
        let (y1, (h1, c1)) = layer.forward(&alone, Some((&of(&h0), &of(&c0)))).unwrap();
        let here = y.narrow(0, k, 1).unwrap().narrow(1, 0, length).unwrap();
        compare("y", &here, &y1, Bound::F64).unwrap();
        compare("h", &of(&h), &h1, Bound::F64).unwrap();
        compare("c", &of(&c), &c1, Bound::F64).unwrap();
    }
    // Sequences of one length are no other whether packed or not.
    let packed = pack_padded_sequence(&x, &[6; 4], true, true).unwrap();
    let (packed, _) = layer.forward(&packed, None).unwrap();
    let (y, _) = pad_packed_sequence(&packed, true, 0., None).unwrap();
    check_same_bits("packed and not", &y, &layer.forward(&x, None).unwrap().0).unwrap();
}

#[test]
fn one_direction_does_not_look_ahead() {
    let store = store(DType::F64);
    let layer = Gru::new(
        &GruConfig {
            num_layers: 3,
            ..GruConfig::new(2, 4)
        },
        store.builder(),
    )
    .unwrap();
    let x = normal(&[6, 2, 2]);
    let other = Tensor::cat(
        &[
            x.narrow(0, 0, 4).unwrap(),
            (x.narrow(0, 4, 2).unwrap() + 1.).unwrap(),
        ],
        0,
    )
    .unwrap();
    let (a, b) = (
        layer.forward(&x, None).unwrap().0,
        layer.forward(&other, None).unwrap().0,
    );
    let first = |y: &Tensor| y.narrow(0, 0, 4).unwrap();
    check_same_bits("the first steps", &first(&a), &first(&b)).unwrap();
    assert!(check_same_bits("all", &a, &b).is_err());
}

#[test]
fn bits_do_not_depend_on_threads() {
    let layer = Lstm::new(
        &LstmConfig {
            bidirectional: true,
            ..LstmConfig::new(60, 70)
        },
        store(DType::F32).builder(),
    )
    .unwrap();
    let x = Random::new(1).normal((4, 65, 60), DType::F32).unwrap();
    check_thread_independence(|| {
        let x = candle_core::Var::from_tensor(&x)?;
        let (y, (h, c)) = layer.forward(x.as_tensor(), None)?;
        let loss = (y.sqr()?.sum_all()? + c.sum_all()?)?;
        let grads = loss.backward()?;
        Ok(vec![y, h, c, grads.get(&x).unwrap().clone()])
    })
    .unwrap();
}

#[test]
fn a_long_sequence_fits_a_small_stack() {
    let run = || {
        let store = store(DType::F32);
        let cfg = GruConfig {
            bidirectional: true,
            num_layers: 2,
            ..GruConfig::new(1, 3)
        };
        let layer = Gru::new(&cfg, store.builder()).unwrap();
        let x = Random::new(1).normal((20_000, 1, 1), DType::F32).unwrap();
        let (y, _) = layer.forward_t(&x, None, true).unwrap();
        let gradients = backward(&y.sqr().unwrap().mean_all().unwrap(), &store).unwrap();
        assert!(gradients.missing().is_empty());
    };
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    small.spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_frozen_parameter_gets_no_gradient_and_changes_none() {
    let store = store(DType::F64);
    let layer = Lstm::new(&LstmConfig::new(3, 4), store.builder()).unwrap();
    let x = normal(&[5, 2, 3]);
    let gradients = || {
        let (y, _) = layer.forward(&x, None).unwrap();
        backward(&y.sqr().unwrap().sum_all().unwrap(), &store).unwrap()
    };
    let all = gradients();
    for frozen in ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"] {
        store.freeze(frozen).unwrap();
        let some = gradients();
        assert!(some.get(frozen).is_none() && some.len() == 3);
        for (name, gradient) in some.iter() {
            check_same_bits(name, gradient, all.get(name).unwrap()).unwrap();
        }
        store.unfreeze(frozen).unwrap();
    }
}

#[test]
fn parameters_are_pytorchs_in_name_order_shape_and_range() {
    let store = store(DType::F64);
    let cfg = LstmConfig {
        num_layers: 2,
        bidirectional: true,
        proj_size: 40,
        ..LstmConfig::new(30, 100)
    };
    Lstm::new(&cfg, store.builder()).unwrap();
    let parameters = store.named_parameters();
    let of = |suffix: &str, input: usize| {
        [
            (format!("weight_ih_{suffix}"), vec![400, input]),
            (format!("weight_hh_{suffix}"), vec![400, 40]),
            (format!("bias_ih_{suffix}"), vec![400]),
            (format!("bias_hh_{suffix}"), vec![400]),
            (format!("weight_hr_{suffix}"), vec![40, 100]),
        ]
    };
    let expected = [
        of("l0", 30),
        of("l0_reverse", 30),
        of("l1", 80),
        of("l1_reverse", 80),
    ]
    .concat();
    let ours: Vec<_> = parameters
        .iter()
        .map(|(name, var)| (name.clone(), var.dims().to_vec()))
        .collect();
    assert_eq!(ours, expected);
    for (name, var) in parameters {
        let values: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / n;
        assert!(values.iter().all(|v| v.abs() <= 0.1), "{name}");
        // Five standard errors of U(−0.1, 0.1): that of its mean, and of its mean square, whose variance is 0.1⁴·4/45.
        let error = 5. / n.sqrt();
        assert!(mean.abs() < error * 0.1 / 3f64.sqrt(), "{name}: mean {mean}");
        assert!(
            (variance - 0.01 / 3.).abs() < error * 0.01 * (4f64 / 45.).sqrt(),
            "{name}: {variance}"
        );
    }
}

#[test]
fn half_precision_runs_the_composite() {
    let (wide, half) = (store(DType::F32), store(DType::F16));
    let cfg = LstmConfig {
        bidirectional: true,
        ..LstmConfig::new(3, 4)
    };
    let of = |store: &ParamStore| Lstm::new(&cfg, store.builder()).unwrap();
    let (wide_layer, half_layer) = (of(&wide), of(&half));
    let x = Random::new(3).normal((5, 2, 3), DType::F16).unwrap();
    for (name, var) in half.named_parameters() {
        wide.set(&name, &var.to_dtype(DType::F32).unwrap()).unwrap();
    }
    let (y, _) = half_layer.forward(&x, None).unwrap();
    let (expected, _) = wide_layer
        .forward(&x.to_dtype(DType::F32).unwrap(), None)
        .unwrap();
    // 5 steps of some ten roundings each, 2⁻¹¹ at most.
    let bound = Bound {
        rtol: 50. / 2048.,
        ..Bound::F32
    };
    compare("y", &y.to_dtype(DType::F32).unwrap(), &expected, bound).unwrap();
    let gradients = backward(&y.sum_all().unwrap(), &half).unwrap();
    assert!(gradients.missing().is_empty());
}
