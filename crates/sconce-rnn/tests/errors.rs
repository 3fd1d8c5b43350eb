//! What recurrent layers say to options and input that don't fit, and that whatever comes is never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use sconce_core::ParamStore;
use sconce_rnn::*;
use sconce_testkit::Random;

fn store(dtype: DType) -> ParamStore {
    ParamStore::new(dtype, &Device::Cpu).seeded(1)
}

fn normal(shape: &[usize]) -> Tensor {
    Random::new(7).normal(shape, DType::F64).unwrap()
}

#[test]
fn options_that_cannot_be_are_errors_that_say_so() {
    let message = |cfg: LstmConfig| {
        let vb = store(DType::F32).builder().pp("encoder");
        Lstm::new(&cfg, vb)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    let base = LstmConfig::new(3, 4);
    let table = [
        (
            message(LstmConfig::new(0, 4)),
            "input_size is 0, expected at least 1",
        ),
        (
            message(LstmConfig::new(3, 0)),
            "hidden_size is 0, expected at least 1",
        ),
        (
            message(LstmConfig {
                num_layers: 0,
                ..base.clone()
            }),
            "num_layers is 0, expected at least 1",
        ),
        (
            message(LstmConfig {
                dropout: 1.5,
                ..base.clone()
            }),
            "dropout is 1.5, expected a probability from 0 to 1",
        ),
        (
            message(LstmConfig {
                dropout: f64::NAN,
                ..base.clone()
            }),
            "dropout is NaN, expected",
        ),
        (
            message(LstmConfig { proj_size: 4, ..base }),
            "proj_size is 4, expected less than hidden_size = 4",
        ),
    ];
    for (message, expected) in table {
        assert!(
            message.starts_with(&format!("encoder (Lstm): {expected}")),
            "{message}"
        );
    }
    let error = GruCell::new(&GruCellConfig::new(3, 0), store(DType::F32).builder().pp("cell")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cell (GruCell): hidden_size is 0, expected at least 1"
    );
}

#[test]
fn input_that_does_not_fit_is_an_error_that_says_so() {
    let cfg = LstmConfig {
        num_layers: 2,
        bidirectional: true,
        proj_size: 2,
        ..LstmConfig::new(3, 4)
    };
    let layer = Lstm::new(&cfg, store(DType::F64).builder().pp("encoder")).unwrap();
    let run = |x: &[usize], h: &[usize], c: &[usize]| {
        let result = layer.forward(&normal(x), Some((&normal(h), &normal(c))));
        result.err().map(|e| e.to_string()).unwrap_or_default()
    };
    let (h, c) = (&[4, 2, 2], &[4, 2, 4]);
    let input =
        "expected [time, batch, input_size = 3] or [time, input_size = 3], with time and batch at least 1";
    let table = [
        (
            run(&[5, 2, 4], h, c),
            format!("input has shape [5, 2, 4], {input}"),
        ),
        (run(&[3], h, c), format!("input has shape [3], {input}")),
        (
            run(&[0, 2, 3], h, c),
            format!("input has shape [0, 2, 3], {input}"),
        ),
        (
            run(&[5, 0, 3], h, c),
            format!("input has shape [5, 0, 3], {input}"),
        ),
        (
            run(&[5, 2, 3], &[4, 3, 2], c),
            "h0 has shape [4, 3, 2], expected [num_layers · directions = 4, batch = 2, proj_size = 2]"
                .to_owned(),
        ),
        (
            run(&[5, 2, 3], h, h),
            "c0 has shape [4, 2, 2], expected [num_layers · directions = 4, batch = 2, hidden_size = 4]"
                .to_owned(),
        ),
        (
            run(&[5, 3], h, &[4, 4]),
            "h0 has shape [4, 2, 2], expected [num_layers · directions = 4, proj_size = 2]".to_owned(),
        ),
    ];
    for (message, expected) in table {
        assert_eq!(message, format!("encoder (Lstm): {expected}"));
    }
    let error = |x: &Tensor| layer.forward(x, None).unwrap_err().to_string();
    let single = Random::new(1).normal((5, 2, 3), DType::F32).unwrap();
    assert_eq!(
        error(&single),
        "encoder (Lstm): input has dtype F32, expected F64, that of the parameters"
    );
    let packed = pack_sequence(&[normal(&[3, 2])], true).unwrap();
    let error = layer.forward(&packed, None).unwrap_err().to_string();
    assert_eq!(
        error,
        "encoder (Lstm): input has shape [3, 2], expected packed rows [total, input_size = 3]"
    );

    let cell = LstmCell::new(&LstmCellConfig::new(3, 4), store(DType::F64).builder().pp("cell")).unwrap();
    let run = |x: &[usize], h: &[usize], c: &[usize]| {
        let result = cell.forward(&normal(x), Some((&normal(h), &normal(c))));
        result.err().map(|e| e.to_string()).unwrap_or_default()
    };
    let table = [
        (
            run(&[2, 4], &[2, 4], &[2, 4]),
            "input has shape [2, 4], expected [batch, input_size = 3], with batch at least 1, or [input_size = 3]",
        ),
        (
            run(&[2, 3], &[3, 4], &[2, 4]),
            "h has shape [3, 4], expected [batch = 2, hidden_size = 4]",
        ),
        (
            run(&[2, 3], &[2, 4], &[4]),
            "c has shape [4], expected [batch = 2, hidden_size = 4]",
        ),
        (
            run(&[3], &[2, 4], &[4]),
            "h has shape [2, 4], expected [hidden_size = 4]",
        ),
    ];
    for (message, expected) in table {
        assert_eq!(message, format!("cell (LstmCell): {expected}"));
    }
}

/// Sizes that fit now and then.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0), 8 => 1usize..4]
}

fn shape() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(size(), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_comes_is_a_value_or_an_error(
        sizes in (size(), size(), size(), size()),
        flags in proptest::array::uniform6(any::<bool>()),
        dropout in -0.1f64..1.1,
        x in prop_oneof![1 => shape().prop_map(Ok), 3 => (size(), size()).prop_map(Err)],
        state in shape(),
        lengths in proptest::option::weighted(0.3, proptest::collection::vec(size(), 1..4)),
        kind in 0usize..3,
    ) {
        let (input_size, hidden_size, num_layers, proj_size) = sizes;
        let [bias, batch_first, bidirectional, given, train, fitting] = flags;
        let directions = if bidirectional { 2 } else { 1 };
        let output = if kind == 2 && proj_size > 0 { proj_size } else { hidden_size };
        let vb = store(DType::F64).builder();
        // Any shape, or one that fits.
        let x = x.unwrap_or_else(|(a, b)| vec![a, b, input_size]);
        let batch = x.get(if batch_first { 0 } else { 1 }).copied();
        let state = match batch {
            Some(batch) if fitting => vec![directions * num_layers, batch, output],
            _ => state,
        };
        let (x, state) = (normal(&x), normal(&state));
        let state = given.then_some(&state);
        let packed = lengths.map(|lengths| pack_padded_sequence(&x, &lengths, batch_first, train));
        // Output and final state in the order of their layers, if all fits.
        let done = match kind {
            0 => {
                let cfg = RnnConfig { num_layers, bias, batch_first, dropout, bidirectional, ..RnnConfig::new(input_size, hidden_size) };
                Rnn::new(&cfg, vb).ok().and_then(|layer| Some(match packed {
                    Some(packed) => {
                        let (y, h) = layer.forward_t(&packed.ok()?, state, train).ok()?;
                        (y.data().clone(), h)
                    }
                    None => layer.forward_t(&x, state, train).ok()?,
                }))
            }
            1 => {
                let cfg = GruConfig { num_layers, bias, batch_first, dropout, bidirectional, ..GruConfig::new(input_size, hidden_size) };
                Gru::new(&cfg, vb).ok().and_then(|layer| Some(match packed {
                    Some(packed) => {
                        let (y, h) = layer.forward_t(&packed.ok()?, state, train).ok()?;
                        (y.data().clone(), h)
                    }
                    None => layer.forward_t(&x, state, train).ok()?,
                }))
            }
            _ => {
                let cfg = LstmConfig { num_layers, bias, batch_first, dropout, bidirectional, proj_size, ..LstmConfig::new(input_size, hidden_size) };
                Lstm::new(&cfg, vb).ok().and_then(|layer| Some(match packed {
                    Some(packed) => {
                        let (y, (h, _)) = layer.forward_t(&packed.ok()?, state.zip(state), train).ok()?;
                        (y.data().clone(), h)
                    }
                    None => {
                        let (y, (h, _)) = layer.forward_t(&x, state.zip(state), train).ok()?;
                        (y, h)
                    }
                }))
            }
        };
        if let Some((y, h)) = done {
            prop_assert_eq!(y.dims().last(), Some(&(directions * output)));
            prop_assert_eq!(h.dims().first(), Some(&(directions * num_layers)));
            prop_assert_eq!(h.dims().last(), Some(&output));
        }
    }

    #[test]
    fn cells_too(
        sizes in (size(), size()),
        x in prop_oneof![shape(), (1usize..4, 1usize..4).prop_map(|(a, b)| vec![a, b])],
        states in (shape(), shape()),
        given: bool,
    ) {
        let (input, hidden) = sizes;
        let vb = store(DType::F64).builder();
        let (x, h, c) = (normal(&x), normal(&states.0), normal(&states.1));
        if let Ok(cell) = LstmCell::new(&LstmCellConfig::new(input, hidden), vb.pp("lstm"))
            && let Ok((h, c)) = cell.forward(&x, given.then_some((&h, &c)))
        {
            prop_assert_eq!(h.dims(), c.dims());
            prop_assert_eq!(h.dims().last(), Some(&hidden));
        }
        if let Ok(cell) = GruCell::new(&GruCellConfig::new(input, hidden), vb.pp("gru"))
            && let Ok(h) = cell.forward(&x, given.then_some(&h))
        {
            prop_assert_eq!(h.dims().last(), Some(&hidden));
        }
        if let Ok(cell) = RnnCell::new(&RnnCellConfig::new(input, hidden), vb.pp("rnn"))
            && let Ok(h) = cell.forward(&x, given.then_some(&h))
        {
            prop_assert_eq!(h.dims().last(), Some(&hidden));
        }
    }
}
