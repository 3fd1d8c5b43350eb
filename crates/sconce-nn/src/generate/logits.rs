//! What a step function gives, checked and as numbers.

use super::Rows;
use candle_core::{DType, Tensor};
use sconce_core::{Error, Result, cast};

/// The next tokens' logits of each row, of the same length.
pub(super) struct Logits {
    values: Vec<f64>,
    pub(super) vocabulary: usize,
}

impl Logits {
    /// Runs a step and checks what it gives.
    pub(super) fn of(
        caller: &str,
        rows: &Rows<'_>,
        eos: Option<u32>,
        step: &mut impl FnMut(&Rows<'_>) -> candle_core::Result<Tensor>,
    ) -> Result<Self> {
        let logits = step(rows)?;
        let vocabulary = match logits.dims() {
            &[count, vocabulary] if count == rows.len() && vocabulary > 0 => vocabulary,
            dims => {
                let expected = format!("[rows = {}, vocabulary]", rows.len());
                return Err(Error::shape(caller, "logits", expected, dims));
            }
        };
        if let Some(eos) = eos
            && eos as usize >= vocabulary
        {
            let expected = format!("below the vocabulary's size {vocabulary}");
            return Err(Error::config(caller, "eos", eos, expected));
        }
        let values = cast(&logits.flatten_all()?, DType::F64)?.to_vec1::<f64>()?;
        let bad = |value: &f64| value.is_nan() || *value == f64::INFINITY;
        if let Some((index, value)) = values.iter().enumerate().find(|(_, value)| bad(value)) {
            return Err(Error::Value {
                layer: caller.to_string(),
                argument: "logits",
                index,
                value: value.to_string(),
                expected: "a finite number or −∞".to_string(),
            });
        }
        Ok(Self { values, vocabulary })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.vocabulary)
    }
}

/// x − ln Σ eˣ. Where all are −∞, that is what they stay.
pub(super) fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return logits.to_vec();
    }
    let sum: f64 = logits.iter().map(|x| (x - largest).exp()).sum();
    let log = largest + sum.ln();
    logits.iter().map(|x| x - log).collect()
}
