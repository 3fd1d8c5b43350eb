//! Sinusoidal positions.

use candle_core::{DType, Device, ModuleT, Result, Tensor};
use sconce_core::{Error, graph};
use sconce_nn::Dropout;

/// The table of sinusoidal positions: PE\[pos, 2i\] = sin(pos / 10000^(2i/d)), PE\[pos, 2i+1\] = cos(pos / 10000^(2i/d)).
///
/// # Shapes
/// output `[length, d_model]`; with an odd `d_model` the last cosine is left out
/// # Errors
/// `dtype` isn't a float.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017, section 3.5
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_transformer::sinusoidal_positions;
/// let table = sinusoidal_positions(2, 4, DType::F64, &Device::Cpu)?.to_vec2::<f64>()?;
/// assert_eq!(table[0], [0., 1., 0., 1.]);
/// assert_eq!(table[1], [1f64.sin(), 1f64.cos(), 0.01f64.sin(), 0.01f64.cos()]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn sinusoidal_positions(
    length: usize,
    d_model: usize,
    dtype: DType,
    device: &Device,
) -> sconce_core::Result<Tensor> {
    if !dtype.is_float() {
        return Err(Error::DType {
            layer: "sinusoidal_positions".into(),
            argument: "table",
            expected: "a float".into(),
            got: dtype,
        });
    }
    let mut table = Vec::with_capacity(length * d_model);
    for position in 0..length {
        table.extend((0..d_model).map(|column| {
            let exponent = (column - column % 2) as f64 / d_model as f64;
            let angle = position as f64 / 10000f64.powf(exponent);
            if column % 2 == 0 { angle.sin() } else { angle.cos() }
        }));
    }
    Ok(Tensor::from_vec(table, (length, d_model), &Device::Cpu)?
        .to_dtype(dtype)?
        .to_device(device)?)
}

/// Options of [`PositionalEncoding`]; the defaults are those of PyTorch's tutorial.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionalEncodingConfig {
    /// Width of the model.
    pub d_model: usize,
    /// Probability with which a sum is dropped in training.
    pub dropout: f64,
    /// Longest sequence.
    pub max_len: usize,
    /// Whether the input is `[batch, length, d_model]` instead of `[length, batch, d_model]`.
    pub batch_first: bool,
}

impl PositionalEncodingConfig {
    /// For sequences of up to 5000, length first.
    pub fn new(d_model: usize) -> Self {
        Self {
            d_model,
            dropout: 0.1,
            max_len: 5000,
            batch_first: false,
        }
    }
}

/// Adds each position's sines and cosines to what stands there, then drops some: y = dropout(x + PE).
///
/// # Shapes
/// input `[length, batch, d_model]`, or `[batch, length, d_model]` if `batch_first`, or `[length, d_model]`; output the same
/// # Errors
/// `new`: a size is 0, or `dropout` isn't a probability. `forward_t`: another shape, or a sequence longer than `max_len`.
/// # Source
/// Vaswani et al., "Attention Is All You Need", 2017; `PositionalEncoding` of PyTorch's tutorials
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, ModuleT, Tensor};
/// use sconce_transformer::{PositionalEncoding, PositionalEncodingConfig};
/// let positions = PositionalEncoding::new(&PositionalEncodingConfig { batch_first: true, ..PositionalEncodingConfig::new(4) })?;
/// let x = Tensor::zeros((1, 3, 4), DType::F32, &Device::Cpu)?;
/// assert_eq!(positions.forward_t(&x, false)?.to_vec3::<f32>()?[0][0], [0., 1., 0., 1.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PositionalEncoding {
    table: Tensor,
    dropout: Dropout,
    batch_first: bool,
}

impl PositionalEncoding {
    /// The layer; it has no parameters.
    pub fn new(cfg: &PositionalEncodingConfig) -> sconce_core::Result<Self> {
        crate::check::positive(NAME, &[("d_model", cfg.d_model), ("max_len", cfg.max_len)])?;
        Ok(Self {
            table: sinusoidal_positions(cfg.max_len, cfg.d_model, DType::F64, &Device::Cpu)?,
            dropout: crate::check::dropout(NAME, "dropout", cfg.dropout)?,
            batch_first: cfg.batch_first,
        })
    }

    /// The same for a sequence whose first position is `first`, as in step-by-step decoding.
    ///
    /// # Errors
    /// Those of `forward_t`.
    pub fn forward_from(&self, x: &Tensor, first: usize, train: bool) -> Result<Tensor> {
        let (max_len, d_model) = self.table.dims2()?;
        let length = match (x.dims(), self.batch_first) {
            (&[_, length, width], true) | (&[length, _, width], false) | (&[length, width], _)
                if width == d_model && first.checked_add(length).is_some_and(|end| end <= max_len) =>
            {
                length
            }
            (dims, batch_first) => {
                let axes = if batch_first {
                    "batch, length"
                } else {
                    "length, batch"
                };
                let most = max_len.saturating_sub(first);
                let expected = format!("[{axes}, d_model = {d_model}] with length at most {most}");
                return Err(Error::shape(NAME, "input", expected, dims).into());
            }
        };
        let mut rows = self.table.narrow(0, first, length)?;
        if x.rank() == 3 && !self.batch_first {
            rows = rows.unsqueeze(1)?;
        }
        let rows = rows.to_dtype(x.dtype())?.to_device(x.device())?;
        let y = x.broadcast_add(&rows)?;
        graph::note("positional_encoding", &[x], std::slice::from_ref(&y));
        self.dropout.forward_t(&y, train)
    }
}

const NAME: &str = "PositionalEncoding";

impl ModuleT for PositionalEncoding {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.forward_from(x, 0, train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_on_where_a_step_begins() {
        let cfg = PositionalEncodingConfig {
            max_len: 6,
            ..PositionalEncodingConfig::new(5)
        };
        for batch_first in [false, true] {
            let layer = PositionalEncoding::new(&PositionalEncodingConfig {
                batch_first,
                ..cfg.clone()
            })
            .unwrap();
            let (shape, axis) = if batch_first {
                ((2, 6, 5), 1)
            } else {
                ((6, 2, 5), 0)
            };
            let x = Tensor::ones(shape, DType::F64, &Device::Cpu).unwrap();
            let whole = layer.forward_t(&x, false).unwrap();
            let part = layer
                .forward_from(&x.narrow(axis, 0, 2).unwrap(), 3, false)
                .unwrap();
            let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            assert_eq!(values(&whole.narrow(axis, 3, 2).unwrap()), values(&part));
            let error = layer.forward_from(&x, 1, false).unwrap_err();
            assert!(Error::from(error).to_string().contains("length at most 5"));
        }
    }
}
