//! Outputs and gradients against PyTorch's.

use sconce_core::candle_core::{DType, Device, Tensor, Var};
use sconce_core::{ParamStore, backward};
use sconce_rnn::*;
use sconce_testkit::golden::{Bound, Case, Cases, compare};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn size(case: &Case<'_>, key: &str) -> usize {
    case.config()
        .get(key)
        .and_then(|value| value.as_u64())
        .unwrap_or_default() as usize
}

fn flag(case: &Case<'_>, key: &str) -> bool {
    case.config()
        .get(key)
        .and_then(|value| value.as_bool())
        .unwrap_or_default()
}

fn lengths(case: &Case<'_>) -> Option<Vec<usize>> {
    let lengths = case.config().get("lengths")?.as_array()?;
    Some(
        lengths
            .iter()
            .filter_map(|n| n.as_u64())
            .map(|n| n as usize)
            .collect(),
    )
}

/// Runs a layer over the case's sequences: output, then the final states.
fn sequences<S>(
    case: &Case<'_>,
    x: &Tensor,
    whole: impl Fn(&Tensor) -> candle_core::Result<(Tensor, S)>,
    packed: impl Fn(&PackedSequence) -> candle_core::Result<(PackedSequence, S)>,
) -> Result<(Tensor, S)> {
    let Some(lengths) = lengths(case) else {
        return Ok(whole(x)?);
    };
    let batch_first = flag(case, "batch_first");
    let (y, states) = packed(&pack_padded_sequence(x, &lengths, batch_first, false)?)?;
    let (y, same) = pad_packed_sequence(&y, batch_first, 0., None)?;
    assert_eq!(same, lengths);
    Ok((y, states))
}

type Forward = Box<dyn Fn(&Case<'_>, &Tensor, Option<&Tensor>, Option<&Tensor>) -> Result<Vec<Tensor>>>;

fn layer(case: &Case<'_>, store: &ParamStore) -> Result<Forward> {
    let (input, hidden, num_layers) = (size(case, "input"), size(case, "hidden"), size(case, "layers"));
    let (bias, batch_first, bidirectional) = (
        flag(case, "bias"),
        flag(case, "batch_first"),
        flag(case, "bidirectional"),
    );
    let nonlinearity = match case.config().get("nonlinearity").and_then(|value| value.as_str()) {
        Some("relu") => RnnNonlinearity::Relu,
        _ => RnnNonlinearity::Tanh,
    };
    let vb = store.builder();
    Ok(match case.kind() {
        "RNN" => {
            let cfg = RnnConfig {
                num_layers,
                nonlinearity,
                bias,
                batch_first,
                bidirectional,
                ..RnnConfig::new(input, hidden)
            };
            let layer = Rnn::new(&cfg, vb)?;
            Box::new(move |case, x, h, _| {
                let (y, h) = sequences(case, x, |x| layer.forward(x, h), |x| layer.forward(x, h))?;
                Ok(vec![y, h])
            })
        }
        "GRU" => {
            let cfg = GruConfig {
                num_layers,
                bias,
                batch_first,
                bidirectional,
                ..GruConfig::new(input, hidden)
            };
            let layer = Gru::new(&cfg, vb)?;
            Box::new(move |case, x, h, _| {
                let (y, h) = sequences(case, x, |x| layer.forward(x, h), |x| layer.forward(x, h))?;
                Ok(vec![y, h])
            })
        }
        "LSTM" => {
            let cfg = LstmConfig {
                num_layers,
                bias,
                batch_first,
                bidirectional,
                proj_size: size(case, "proj_size"),
                ..LstmConfig::new(input, hidden)
            };
            let layer = Lstm::new(&cfg, vb)?;
            Box::new(move |case, x, h, c| {
                let whole = |x: &Tensor| layer.forward(x, h.zip(c));
                let (y, (h, c)) = sequences(case, x, whole, |x| layer.forward(x, h.zip(c)))?;
                Ok(vec![y, h, c])
            })
        }
        "RNNCell" => {
            let cfg = RnnCellConfig {
                bias,
                nonlinearity,
                ..RnnCellConfig::new(input, hidden)
            };
            let cell = RnnCell::new(&cfg, vb)?;
            Box::new(move |_, x, h, _| Ok(vec![cell.forward(x, h)?]))
        }
        "GRUCell" => {
            let cfg = GruCellConfig {
                bias,
                ..GruCellConfig::new(input, hidden)
            };
            let cell = GruCell::new(&cfg, vb)?;
            Box::new(move |_, x, h, _| Ok(vec![cell.forward(x, h)?]))
        }
        "LSTMCell" => {
            let cfg = LstmCellConfig {
                bias,
                ..LstmCellConfig::new(input, hidden)
            };
            let cell = LstmCell::new(&cfg, vb)?;
            Box::new(move |_, x, h, c| {
                let (h, c) = cell.forward(x, h.zip(c))?;
                Ok(vec![h, c])
            })
        }
        other => return Err(format!("no kind {other}").into()),
    })
}

/// Outputs and the gradients of inputs and parameters, in both dtypes.
fn check(case: &Case<'_>) -> Result<()> {
    for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
        let store = ParamStore::new(dtype, &Device::Cpu);
        let forward = layer(case, &store)?;
        for (name, value) in case.tensors("param.")? {
            store.set(&name, &value.to_dtype(dtype)?)?;
        }
        let inputs: Vec<(String, Var)> = case
            .tensors("in.")?
            .into_iter()
            .map(|(name, value)| Ok((name, Var::from_tensor(&value.to_dtype(dtype)?)?)))
            .collect::<Result<_>>()?;
        let input = |name: &str| {
            inputs
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, var)| var.as_tensor())
        };
        let outputs = forward(case, input("x").ok_or("no x")?, input("h0"), input("c0"))?;
        let expect = |name: &str, tensor: &Tensor| -> Result<()> {
            Ok(compare(
                name,
                tensor,
                &case.tensor(name)?.to_dtype(dtype)?,
                bound,
            )?)
        };
        assert_eq!(outputs.len(), case.names("out.").count());
        let mut loss = Tensor::zeros((), dtype, &Device::Cpu)?;
        for (k, output) in outputs.iter().enumerate() {
            expect(&format!("out.{k}"), output)?;
            let weights = case.tensor(&format!("cot.{k}"))?.to_dtype(dtype)?;
            loss = (loss + (output * weights)?.sum_all()?)?;
        }
        let gradients = backward(&loss, &store)?;
        for (name, var) in &inputs {
            let gradient = gradients.of(var).ok_or(format!("no gradient for {name}"))?;
            expect(&format!("grad.in.{name}"), gradient)?;
        }
        let names: Vec<&str> = case.names("grad.param.").collect();
        assert_eq!(names.len(), gradients.len());
        for name in names {
            let gradient = gradients.get(name).ok_or(format!("no gradient for {name}"))?;
            expect(&format!("grad.param.{name}"), gradient)?;
        }
    }
    Ok(())
}

#[test]
fn outputs_and_gradients_are_pytorchs() -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let cases = Cases::open(folder, "rnn")?;
    for case in cases.iter() {
        check(&case).map_err(|error| format!("case {} {}: {error}", case.index(), case.config()))?;
    }
    assert_eq!(cases.iter().count(), 70);
    Ok(())
}
