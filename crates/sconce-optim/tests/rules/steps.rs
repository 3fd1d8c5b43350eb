//! What steps do to parameters.

use super::*;
use sconce_core::candle_nn::{self, VarBuilder, VarMap};
use sconce_testkit::golden::{Bound, compare};

#[test]
fn every_rule_descends_and_climbs() {
    for (config, _) in RULES {
        for (config, sign) in [(config, 1.), (&config.climbing(), -1.)] {
            let (store, params) = store(&[5, 7], DType::F64);
            let mut rule = config.rule(&store);
            rule.set_learning_rate(1e-3);
            let value = || loss(&tensors(&params)).to_scalar::<f64>().unwrap();
            let before = value();
            for _ in 0..5 {
                rule.step(&gradients(&store, &params)).unwrap();
            }
            assert!(sign * (value() - before) < 0.);
        }
    }
}

#[test]
fn frozen_parameters_stay_until_they_are_unfrozen() {
    for (config, _) in RULES {
        let (store, params) = store(&[3, 4], DType::F32);
        store.freeze("p1").unwrap();
        let mut rule = config.rule(&store);
        let before = params[1].value().copy().unwrap();
        rule.step(&gradients(&store, &params)).unwrap();
        check_same_bits("frozen", &params[1].value(), &before).unwrap();
        store.unfreeze("p1").unwrap();
        rule.step(&gradients(&store, &params)).unwrap();
        assert!(check_same_bits("trained", &params[1].value(), &before).is_err());
    }
}

#[test]
fn half_precision_follows_single_precision() {
    for dtype in [DType::BF16, DType::F16] {
        for (config, _) in RULES {
            let (half, half_params) = store(&[33], dtype);
            let (single, single_params) = store(&[33], DType::F32);
            single
                .set("p0", &half_params[0].value().to_dtype(DType::F32).unwrap())
                .unwrap();
            let (mut a, mut b) = (config.rule(&half), config.rule(&single));
            // The same gradient for both, exact in half precision.
            let slope = Tensor::from_iter((0..33).map(|i| (i as f32 - 16.) / 8.), &Device::Cpu).unwrap();
            let linear = |p: &Param, dtype| {
                (p.tensor() * slope.to_dtype(dtype).unwrap())
                    .unwrap()
                    .sum_all()
                    .unwrap()
            };
            a.step(&backward(&linear(&half_params[0], dtype), &half).unwrap())
                .unwrap();
            b.step(&backward(&linear(&single_params[0], DType::F32), &single).unwrap())
                .unwrap();
            let expected = single_params[0].value().to_dtype(dtype).unwrap();
            // One rounding to the half-precision type, which may fall to either side.
            let rtol = if dtype == DType::BF16 {
                2f64.powi(-9)
            } else {
                2f64.powi(-12)
            };
            compare(
                "step",
                &half_params[0].value(),
                &expected,
                Bound { rtol, atol: 0. },
            )
            .unwrap();
            for ((name, a), (_, b)) in a.state().unwrap().iter().zip(&b.state().unwrap()) {
                compare(name, a, b, Bound { rtol: 1e-6, atol: 0. }).unwrap();
            }
        }
    }
}

#[test]
fn candles_varmap_serves() {
    for (config, _) in RULES {
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let layer = candle_nn::linear(3, 2, vb.pp("fc")).unwrap();
        let mut rule = config.rule(&map);
        let x = Random::new(1).normal((4, 3), DType::F32).unwrap();
        let loss = || {
            candle_core::Module::forward(&layer, &x)
                .unwrap()
                .sqr()
                .unwrap()
                .mean_all()
                .unwrap()
        };
        let before = loss().to_scalar::<f32>().unwrap();
        rule.set_learning_rate(0.01);
        for _ in 0..5 {
            rule.step(&backward(&loss(), &map).unwrap()).unwrap();
        }
        assert!(loss().to_scalar::<f32>().unwrap() < before);
    }
}

#[test]
fn an_infinite_parameter_that_does_not_decay_stays() {
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let (store, params) = store(&[9], dtype);
        let first = Tensor::new(&[f32::NEG_INFINITY, 1., 1., 1., 1., 1., 1., 1., 1.], &Device::Cpu).unwrap();
        let rules: [Box<dyn Optimize>; 4] = [
            Box::new(Sgd::new(&SGD, &store).unwrap()),
            Box::new(Adam::new(&ADAM, &store).unwrap()),
            Box::new(Adagrad::new(&ADAGRAD, &store).unwrap()),
            Box::new(RmsProp::new(&RMS_PROP, &store).unwrap()),
        ];
        for mut rule in rules {
            store.set("p0", &first.to_dtype(dtype).unwrap()).unwrap();
            let loss = params[0].tensor().sum_all().unwrap();
            rule.step(&backward(&loss, &store).unwrap()).unwrap();
            let values = params[0].value().to_dtype(DType::F64).unwrap();
            let values = values.to_vec1::<f64>().unwrap();
            assert_eq!(values[0], f64::NEG_INFINITY);
            assert!(values[1..].iter().all(|&v| v < 1.), "{values:?}");
        }
    }
}
