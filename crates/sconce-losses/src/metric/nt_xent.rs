//! NT-Xent.

use super::distance::normalise;
use super::info_nce::embeddings;
use crate::{Reduction, check, cross_entropy};
use candle_core::{Result, Tensor};
use sconce_core::widened;

const NAME: &str = "nt_xent";

/// Normalised, temperature-scaled cross-entropy of two views of each sample: each view is to be most similar to the other.
///
/// Of the 2N vectors z, the two inputs one after the other, each is compared with all but itself: l_i is the cross-entropy of the
/// similarities cos(z_i, z_k)/τ as logits, whose right class is the sample's other view. The mean is over all 2N. Vectors are
/// brought to length 1; one of zeros stays so, and is similar to nothing. The paper's code takes τ = 1, its best results ½ and
/// less. Both inputs get their gradient, if they are tracked.
///
/// # Shapes
/// `input1`, `input2`: `[batch, features]`, the same; output: `[2·batch]`, the first input's rows first, with
/// [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes other than these; element types that differ or aren't of floating point; a temperature that isn't above 0.
///
/// # Source
/// Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, nt_xent};
/// let a = Tensor::new(&[[1f64, 0.], [0., 1.]], &Device::Cpu)?;
/// let loss = nt_xent(&a, &(&a * 2.)?, 1., Reduction::Mean)?.to_scalar::<f64>()?;
/// // The other view at cosine 1, the other sample's two at 0.
/// assert!((loss - (1. + 2. * (-1f64).exp()).ln()).abs() < 1e-12);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn nt_xent(input1: &Tensor, input2: &Tensor, temperature: f64, reduction: Reduction) -> Result<Tensor> {
    let [batch, _] = embeddings(NAME, "input1", input1)?;
    check::like(NAME, "input2", input2, input1)?;
    check::positive(NAME, "temperature", temperature)?;
    if let Some(loss) = widened(input1, |wide| {
        nt_xent(&wide(input1)?, &wide(input2)?, temperature, reduction)
    })? {
        return Ok(loss);
    }
    let all = normalise(&Tensor::cat(&[input1, input2], 0)?)?;
    let logits = (all.matmul(&all.t()?)? / temperature)?;
    let rows = 2 * batch;
    let own: Vec<u8> = (0..rows * rows).map(|i| u8::from(i / rows == i % rows)).collect();
    let own = Tensor::from_vec(own, (rows, rows), all.device())?;
    let never = (logits.zeros_like()? + f64::NEG_INFINITY)?;
    let logits = own.where_cond(&never, &logits)?;
    let other: Vec<u32> = (0..rows).map(|i| ((i + batch) % rows) as u32).collect();
    cross_entropy(&logits, &Tensor::from_vec(other, rows, all.device())?, reduction)
}
