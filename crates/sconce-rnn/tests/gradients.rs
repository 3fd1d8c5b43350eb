//! Every layer's and cell's gradients against finite differences, in f64, over its options.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor};
use sconce_core::{ParamStore, Parameters};
use sconce_rnn::*;
use sconce_testkit::{GradCheck, Random};

/// Checks inputs of these shapes and all of the store's parameters, which start at random so that none is special.
fn check(store: &ParamStore, shapes: &[(&str, &[usize])], f: impl Fn(&[Tensor]) -> Result<Vec<Tensor>>) {
    let mut random = Random::new(2);
    for (name, var) in store.named_parameters() {
        let value = (random.normal(var.shape(), DType::F64).unwrap() * 0.5).unwrap();
        store.set(&name, &value).unwrap();
    }
    let inputs: Vec<(&str, Tensor)> = shapes
        .iter()
        .map(|(name, shape)| (*name, random.normal(*shape, DType::F64).unwrap()))
        .collect();
    let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(name, x)| (*name, x)).collect();
    GradCheck::default().assert(&inputs, &store.named_parameters(), f);
}

fn store() -> ParamStore {
    ParamStore::new(DType::F64, &Device::Cpu).seeded(1)
}

/// Layers, directions, batch first, bias, lengths.
type Options = (usize, bool, bool, bool, Option<&'static [usize]>);

const GRID: [Options; 6] = [
    (1, false, false, true, None),
    (1, true, true, true, None),
    (2, false, true, false, Some(&[2, 4, 1])),
    (2, true, false, true, Some(&[3, 1, 4])),
    (3, true, true, false, None),
    (1, true, false, true, Some(&[4, 4, 4])),
];

/// Shapes of x, of the states, and of one more state of another length, for sequences of up to 4 steps, 3 in a batch.
fn shapes((layers, bidirectional, batch_first, ..): Options, output: usize) -> [Vec<usize>; 3] {
    let count = layers * if bidirectional { 2 } else { 1 };
    let x = if batch_first { vec![3, 4, 2] } else { vec![4, 3, 2] };
    [x, vec![count, 3, output], vec![count, 3, 5]]
}

/// Output and states of a layer that is given tensors or packed sequences.
fn run<S>(
    x: &Tensor,
    (.., batch_first, _, lengths): Options,
    whole: impl Fn(&Tensor) -> Result<(Tensor, S)>,
    packed: impl Fn(&PackedSequence) -> Result<(PackedSequence, S)>,
) -> Result<(Tensor, S)> {
    let Some(lengths) = lengths else { return whole(x) };
    let (y, states) = packed(&pack_padded_sequence(x, lengths, batch_first, false)?)?;
    Ok((pad_packed_sequence(&y, batch_first, 0., None)?.0, states))
}

#[test]
fn rnn() {
    for (k, options) in GRID.into_iter().enumerate() {
        let (num_layers, bidirectional, batch_first, bias, _) = options;
        let cfg = RnnConfig {
            num_layers,
            bidirectional,
            batch_first,
            bias,
            nonlinearity: [RnnNonlinearity::Tanh, RnnNonlinearity::Relu][k % 2],
            ..RnnConfig::new(2, 5)
        };
        let store = store();
        let layer = Rnn::new(&cfg, store.builder()).unwrap();
        let [x, h, _] = shapes(options, 5);
        check(&store, &[("x", &x), ("h0", &h)], |t| {
            let whole = |x: &Tensor| layer.forward(x, Some(&t[1]));
            let (y, h) = run(&t[0], options, whole, |x| layer.forward(x, Some(&t[1])))?;
            Ok(vec![y, h])
        });
    }
}

#[test]
fn gru() {
    for options in GRID {
        let (num_layers, bidirectional, batch_first, bias, _) = options;
        let cfg = GruConfig {
            num_layers,
            bidirectional,
            batch_first,
            bias,
            ..GruConfig::new(2, 5)
        };
        let store = store();
        let layer = Gru::new(&cfg, store.builder()).unwrap();
        let [x, h, _] = shapes(options, 5);
        check(&store, &[("x", &x), ("h0", &h)], |t| {
            let whole = |x: &Tensor| layer.forward(x, Some(&t[1]));
            let (y, h) = run(&t[0], options, whole, |x| layer.forward(x, Some(&t[1])))?;
            Ok(vec![y, h])
        });
    }
}

#[test]
fn lstm() {
    for options in GRID {
        for proj_size in [0, 3] {
            let (num_layers, bidirectional, batch_first, bias, _) = options;
            let cfg = LstmConfig {
                num_layers,
                bidirectional,
                batch_first,
                bias,
                proj_size,
                ..LstmConfig::new(2, 5)
            };
            let store = store();
            let layer = Lstm::new(&cfg, store.builder()).unwrap();
            let [x, h, c] = shapes(options, if proj_size == 0 { 5 } else { proj_size });
            check(&store, &[("x", &x), ("h0", &h), ("c0", &c)], |t| {
                let whole = |x: &Tensor| layer.forward(x, Some((&t[1], &t[2])));
                let packed = |x: &PackedSequence| layer.forward(x, Some((&t[1], &t[2])));
                let (y, (h, c)) = run(&t[0], options, whole, packed)?;
                Ok(vec![y, h, c])
            });
        }
    }
}

#[test]
fn outputs_that_are_not_used_and_states_that_are_not_given() {
    let store = store();
    let cfg = LstmConfig {
        bidirectional: true,
        ..LstmConfig::new(2, 3)
    };
    let layer = Lstm::new(&cfg, store.builder()).unwrap();
    for used in 0..3 {
        check(&store, &[("x", &[4, 2, 2])], |t| {
            let (y, (h, c)) = layer.forward(&t[0], None)?;
            Ok(vec![[y, h, c][used].clone()])
        });
    }
}

#[test]
fn one_sequence_without_a_batch() {
    let store = store();
    let layer = Lstm::new(&LstmConfig::new(2, 3), store.builder()).unwrap();
    check(&store, &[("x", &[5, 2]), ("h0", &[1, 3]), ("c0", &[1, 3])], |t| {
        let (y, (h, c)) = layer.forward(&t[0], Some((&t[1], &t[2])))?;
        Ok(vec![y, h, c])
    });
}

#[test]
fn cells() {
    for bias in [true, false] {
        for nonlinearity in [RnnNonlinearity::Tanh, RnnNonlinearity::Relu] {
            let store = store();
            let cfg = RnnCellConfig {
                bias,
                nonlinearity,
                ..RnnCellConfig::new(3, 5)
            };
            let cell = RnnCell::new(&cfg, store.builder()).unwrap();
            check(&store, &[("x", &[4, 3]), ("h", &[4, 5])], |t| {
                Ok(vec![cell.forward(&t[0], Some(&t[1]))?])
            });
        }
        let cfg = GruCellConfig {
            bias,
            ..GruCellConfig::new(3, 5)
        };
        let store_gru = store();
        let cell = GruCell::new(&cfg, store_gru.builder()).unwrap();
        check(&store_gru, &[("x", &[4, 3]), ("h", &[4, 5])], |t| {
            Ok(vec![cell.forward(&t[0], Some(&t[1]))?])
        });
        let cfg = LstmCellConfig {
            bias,
            ..LstmCellConfig::new(3, 5)
        };
        let store_lstm = store();
        let cell = LstmCell::new(&cfg, store_lstm.builder()).unwrap();
        check(&store_lstm, &[("x", &[3]), ("h", &[5]), ("c", &[5])], |t| {
            let (h, c) = cell.forward(&t[0], Some((&t[1], &t[2])))?;
            // A second step from the first one's states.
            let (h2, c2) = cell.forward(&t[0], Some((&h, &c)))?;
            Ok(vec![h, c, h2, c2])
        });
    }
}
