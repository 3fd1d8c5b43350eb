//! Dropout between layers: where it acts, that a seed fixes it, and its gradient. One test, since the seed is the process's.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Tensor};
use sconce_core::{ParamStore, Parameters, manual_seed};
use sconce_rnn::{Gru, GruConfig, Lstm, LstmConfig};
use sconce_testkit::property::check_same_bits;
use sconce_testkit::{GradCheck, Random};

#[test]
fn dropout_acts_between_layers_in_training() {
    let x = Random::new(1).normal((4, 3, 2), DType::F64).unwrap();
    let layer = |num_layers, dropout| {
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        let cfg = GruConfig {
            num_layers,
            dropout,
            ..GruConfig::new(2, 5)
        };
        Gru::new(&cfg, store.builder()).unwrap()
    };
    let run = |layer: &Gru, x: &Tensor, train| layer.forward_t(x, None, train).unwrap().0;
    let same = |a: &Tensor, b: &Tensor| check_same_bits("output", a, b).is_ok();

    // Not in evaluation, not behind the last layer.
    let two = layer(2, 0.5);
    assert!(same(&run(&two, &x, false), &run(&layer(2, 0.), &x, true)));
    assert!(same(&two.forward(&x, None).unwrap().0, &run(&two, &x, false)));
    assert!(same(
        &run(&layer(1, 0.5), &x, true),
        &run(&layer(1, 0.), &x, true)
    ));

    // Whatever is dropped, the upper layer sees nothing of the input.
    let all = layer(2, 1.);
    let other = (&x * 2.).unwrap();
    assert!(same(&run(&all, &x, true), &run(&all, &other, true)));
    assert!(!same(&run(&all, &x, false), &run(&all, &other, false)));

    // The seed decides.
    let seeded = |seed| {
        manual_seed(seed);
        run(&two, &x, true)
    };
    assert!(same(&seeded(3), &seeded(3)));
    assert!(!same(&seeded(3), &seeded(4)));
    assert!(!same(&run(&two, &x, true), &run(&two, &x, true)));

    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let cfg = LstmConfig {
        num_layers: 3,
        dropout: 0.4,
        bidirectional: true,
        ..LstmConfig::new(2, 3)
    };
    let layer = Lstm::new(&cfg, store.builder()).unwrap();
    GradCheck::default().assert(&[("x", &x)], &store.named_parameters(), |t: &[Tensor]| {
        manual_seed(5);
        let (y, (h, c)) = layer.forward_t(&t[0], None, true)?;
        Ok(vec![y, h, c])
    });
}
