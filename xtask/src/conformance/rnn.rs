//! RNN, LSTM and GRU over sequences, packed or not, and their cells.

use sconce::core::ParamStore;
use sconce::core::candle_core::{Tensor, Var};
use sconce::rnn::{
    Gru, GruCell, GruCellConfig, GruConfig, Lstm, LstmCell, LstmCellConfig, LstmConfig, Rnn, RnnCell,
    RnnCellConfig, RnnConfig, RnnNonlinearity, Sequence, pack_padded_sequence, pad_packed_sequence,
};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    let x = setting.variable("x")?;
    let given = setting.flag("state")?;
    let state = |name| given.then(|| setting.variable(name)).transpose();
    let h0 = state("h0")?;
    let c0 = if setting.kind().starts_with("LSTM") {
        state("c0")?
    } else {
        None
    };
    // What the inputs' numbers of axes say.
    setting.ignore(&["unbatched"]);
    let outputs = if setting.kind().ends_with("Cell") {
        cell(setting, &store, &x, h0.as_deref(), c0.as_deref())?
    } else {
        let layer = Layer::new(setting, &store)?;
        setting.load(&store)?;
        let batch_first = setting.flag("batch_first")?;
        match lengths(setting)? {
            None => {
                let (y, states) = layer.forward(x.as_tensor(), h0.as_deref(), c0.as_deref())?;
                [vec![y], states].concat()
            }
            Some(lengths) => {
                let packed = pack_padded_sequence(&x, &lengths, batch_first, false)?;
                let (y, states) = layer.forward(&packed, h0.as_deref(), c0.as_deref())?;
                [vec![pad_packed_sequence(&y, batch_first, 0., None)?.0], states].concat()
            }
        }
    };
    let inputs: Vec<(&str, &Var)> = [("x", Some(&x)), ("h0", h0.as_ref()), ("c0", c0.as_ref())]
        .into_iter()
        .filter_map(|(name, input)| Some((name, input?)))
        .collect();
    Results::of(setting, &outputs, &inputs, &store)
}

/// The packed sequences' lengths; none if they aren't packed, where the configuration says null.
fn lengths(setting: &Setting<'_>) -> Result<Option<Vec<usize>>, Stop> {
    match setting.sizes("lengths") {
        Ok(lengths) => Ok(Some(lengths)),
        Err(Stop::Failed(_)) => Ok(None),
        Err(stop) => Err(stop),
    }
}

fn nonlinearity(setting: &Setting<'_>) -> Result<RnnNonlinearity, Stop> {
    match setting.text("nonlinearity")? {
        "tanh" => Ok(RnnNonlinearity::Tanh),
        "relu" => Ok(RnnNonlinearity::Relu),
        other => Err(Stop::Unsupported(format!("nonlinearity {other}"))),
    }
}

enum Layer {
    Rnn(Rnn),
    Lstm(Lstm),
    Gru(Gru),
}

impl Layer {
    fn new(setting: &Setting<'_>, store: &ParamStore) -> Result<Self, Stop> {
        let (input, hidden) = (setting.size("input")?, setting.size("hidden")?);
        let num_layers = setting.size("layers")?;
        let (bias, batch_first) = (setting.flag("bias")?, setting.flag("batch_first")?);
        let bidirectional = setting.flag("bidirectional")?;
        Ok(match setting.kind() {
            "RNN" => {
                let cfg = RnnConfig {
                    num_layers,
                    bias,
                    batch_first,
                    bidirectional,
                    nonlinearity: nonlinearity(setting)?,
                    ..RnnConfig::new(input, hidden)
                };
                Self::Rnn(Rnn::new(&cfg, store.builder())?)
            }
            "LSTM" => {
                let cfg = LstmConfig {
                    num_layers,
                    bias,
                    batch_first,
                    bidirectional,
                    proj_size: setting.optional_size("proj_size")?.unwrap_or(0),
                    ..LstmConfig::new(input, hidden)
                };
                Self::Lstm(Lstm::new(&cfg, store.builder())?)
            }
            "GRU" => {
                let cfg = GruConfig {
                    num_layers,
                    bias,
                    batch_first,
                    bidirectional,
                    ..GruConfig::new(input, hidden)
                };
                Self::Gru(Gru::new(&cfg, store.builder())?)
            }
            _ => return Err(Stop::kind(setting)),
        })
    }

    /// Output and final states.
    fn forward<S: Sequence>(
        &self,
        x: &S,
        h0: Option<&Tensor>,
        c0: Option<&Tensor>,
    ) -> Result<(S, Vec<Tensor>), Stop> {
        Ok(match self {
            Self::Rnn(layer) => {
                let (y, h) = layer.forward(x, h0)?;
                (y, vec![h])
            }
            Self::Lstm(layer) => {
                let (y, (h, c)) = layer.forward(x, h0.zip(c0))?;
                (y, vec![h, c])
            }
            Self::Gru(layer) => {
                let (y, h) = layer.forward(x, h0)?;
                (y, vec![h])
            }
        })
    }
}

fn cell(
    setting: &Setting<'_>,
    store: &ParamStore,
    x: &Tensor,
    h: Option<&Tensor>,
    c: Option<&Tensor>,
) -> Result<Vec<Tensor>, Stop> {
    let (input, hidden) = (setting.size("input")?, setting.size("hidden")?);
    let (bias, vb) = (setting.flag("bias")?, store.builder());
    Ok(match setting.kind() {
        "RNNCell" => {
            let cfg = RnnCellConfig {
                bias,
                nonlinearity: nonlinearity(setting)?,
                ..RnnCellConfig::new(input, hidden)
            };
            let cell = RnnCell::new(&cfg, vb)?;
            setting.load(store)?;
            vec![cell.forward(x, h)?]
        }
        "LSTMCell" => {
            let cfg = LstmCellConfig {
                bias,
                ..LstmCellConfig::new(input, hidden)
            };
            let cell = LstmCell::new(&cfg, vb)?;
            setting.load(store)?;
            let (h, c) = cell.forward(x, h.zip(c))?;
            vec![h, c]
        }
        "GRUCell" => {
            let cfg = GruCellConfig {
                bias,
                ..GruCellConfig::new(input, hidden)
            };
            let cell = GruCell::new(&cfg, vb)?;
            setting.load(store)?;
            vec![cell.forward(x, h)?]
        }
        _ => return Err(Stop::kind(setting)),
    })
}
