//! Losses of single elements, whose slopes are written out.

use crate::stable::working;
use candle_core::{Result, Tensor};
use sconce_core::{Backward, Error, Function, Output, apply1};

/// A loss of each element of `N` arguments of one shape.
///
/// Slopes are given and not derived from operations where an operation's own would be NaN or that of the wrong side: at a bend,
/// at a bound, and where an infinite factor meets a 0.
pub(crate) trait Elementwise<const N: usize>: Send + Sync + 'static {
    const NAME: &'static str;

    /// The losses of detached arguments, in single or double precision.
    fn value(&self, x: &[Tensor; N]) -> Result<Tensor>;

    /// Their slopes by argument `i`.
    fn slope(&self, x: &[Tensor; N], i: usize) -> Result<Tensor>;
}

/// The losses as one node of the graph.
pub(crate) fn elementwise<E: Elementwise<N>, const N: usize>(loss: E, x: [&Tensor; N]) -> Result<Tensor> {
    apply1(Node(loss), &x)
}

struct Node<E, const N: usize>(E);

/// The arguments in the precision that the loss is computed in.
fn arguments<const N: usize>(name: &'static str, inputs: &[Tensor]) -> Result<[Tensor; N]> {
    let inputs = inputs.iter().map(working).collect::<Result<Vec<_>>>()?;
    let count = inputs.len();
    inputs
        .try_into()
        .map_err(|_| Error::config(name, "inputs", count, N.to_string()).into())
}

impl<E: Elementwise<N>, const N: usize> Function for Node<E, N> {
    /// The arguments.
    type Saved = Vec<Tensor>;

    fn name(&self) -> &'static str {
        E::NAME
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let x = arguments(E::NAME, inputs)?;
        let dtype = inputs.first().map_or(candle_core::DType::F32, Tensor::dtype);
        let losses = self.0.value(&x)?.to_dtype(dtype)?;
        Ok((vec![Output::copy_of(&losses)?], inputs.to_vec()))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Self::Saved>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let [Some(grad)] = grads else {
            return Ok(vec![None; N]);
        };
        let x = arguments(E::NAME, ctx.saved)?;
        let by = |i| grad * self.0.slope(&x, i)?.to_dtype(grad.dtype())?;
        (0..N).map(|i| ctx.wants(i).then(|| by(i)).transpose()).collect()
    }
}
