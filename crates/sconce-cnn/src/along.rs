//! Linear maps along one axis: every output is a weighted sum of few inputs.
//!
//! Padding, resampling, average pooling of uneven windows, unfolding an axis into windows and folding it back are all of this
//! kind, so one function with one backward serves them.

use crate::kernels;
use crate::padding::full;
use candle_core::{Result, Tensor};
use sconce_core::{cpu, dispatch_real, graph};

/// One weighted element of the input.
pub(crate) type Term = (u32, f64);

/// A sparse matrix that is applied along an axis: its rows are the outputs.
#[derive(Debug, Clone)]
pub(crate) struct Along {
    name: &'static str,
    input: usize,
    rows: Vec<Vec<Term>>,
}

impl Along {
    /// The map of an axis of `input` elements whose outputs have these terms, with sources below `input`.
    pub(crate) fn new(name: &'static str, input: usize, rows: Vec<Vec<Term>>) -> Self {
        Self { name, input, rows }
    }

    /// Every output is one input, or 0.
    pub(crate) fn select(
        name: &'static str,
        input: usize,
        sources: impl IntoIterator<Item = Option<u32>>,
    ) -> Self {
        let row = |source: Option<u32>| source.map(|source| (source, 1.)).into_iter().collect();
        Self::new(name, input, sources.into_iter().map(row).collect())
    }

    /// The tensor with axis `dim`, of the map's length, replaced by the outputs.
    pub(crate) fn apply(&self, x: &Tensor, dim: usize) -> Result<Tensor> {
        if self.is_identity() {
            return Ok(x.clone());
        }
        if cpu::has_kernel(x) {
            let rows = kernels::along::Rows::new(&self.rows);
            return dispatch_real!(x, kernels::along::forward(x, dim, self.name, self.input, rows));
        }
        if let Some(y) = sconce_core::widened(x, |wide| self.apply(&wide(x)?, dim))? {
            return Ok(y);
        }
        let y = self.composite(x, dim)?;
        graph::note(self.name, &[x], std::slice::from_ref(&y));
        Ok(y)
    }

    fn is_identity(&self) -> bool {
        let kept = |(i, row): (usize, &Vec<Term>)| row.as_slice() == [(i as u32, 1.)];
        self.rows.len() == self.input && self.rows.iter().enumerate().all(kept)
    }

    /// The same from candle operations: the oracle of the kernel, and what runs on other devices.
    fn composite(&self, x: &Tensor, dim: usize) -> Result<Tensor> {
        let taps = self.rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mut x = x.clone();
        if self.rows.iter().any(Vec::is_empty) {
            // Something to take a zero from.
            let mut dims = x.dims().to_vec();
            if let Some(length) = dims.get_mut(dim) {
                *length = 1;
            }
            x = Tensor::cat(&[&x, &full(0., dims, &x)?], dim)?;
        }
        let zero = [(self.input as u32, 1.)];
        let (mut sources, mut weights) = (Vec::new(), Vec::new());
        for row in &self.rows {
            let row = if row.is_empty() { &zero[..] } else { row };
            // Short rows share out their last weight, since a term of weight 0 would spread a NaN.
            let copies = taps - row.len() + 1;
            for (k, &(source, weight)) in row.iter().enumerate() {
                let copies = if k + 1 == row.len() { copies } else { 1 };
                sources.extend(std::iter::repeat_n(source, copies));
                weights.extend(std::iter::repeat_n(weight / copies as f64, copies));
            }
        }
        let plain = taps == 1 && weights.iter().all(|&weight| weight == 1.);
        let taken = x
            .contiguous()?
            .index_select(&Tensor::new(sources, x.device())?, dim)?;
        if plain {
            return Ok(taken);
        }
        let (before, after) = (x.dims().get(..dim), x.dims().get(dim + 1..));
        let mut dims = before.unwrap_or_default().to_vec();
        dims.extend([self.rows.len(), taps]);
        dims.extend_from_slice(after.unwrap_or_default());
        let mut shape = vec![self.rows.len(), taps];
        shape.resize(dims.len() - dim, 1);
        let weights = Tensor::from_vec(weights, shape, &candle_core::Device::Cpu)?
            .to_dtype(x.dtype())?
            .to_device(x.device())?;
        taken.reshape(dims)?.broadcast_mul(&weights)?.sum(dim + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Check, assert_same};
    use candle_core::{DType, Var};
    use sconce_testkit::golden::Bound;
    use sconce_testkit::property::check_thread_independence;
    use sconce_testkit::{Random, assert_gradients};

    fn maps() -> Vec<Along> {
        vec![
            Along::select("t", 5, [Some(3), None, Some(0), Some(0), Some(4), None, Some(4)]),
            Along::select("t", 5, [None, None]),
            Along::new(
                "t",
                5,
                vec![
                    vec![(0, 0.5), (3, -2.)],
                    vec![],
                    vec![(4, 1.), (2, 0.25), (4, 3.)],
                    vec![(1, 1.)],
                ],
            ),
            Along::new("t", 5, vec![]),
        ]
    }

    fn gradient(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<Tensor>> {
        let x = Var::from_tensor(x)?;
        let y = f(&x)?;
        let weights = Random::new(6).normal(y.shape(), y.dtype())?;
        let grads = (&y * &weights)?.sum_all()?.backward()?;
        Ok(vec![
            y.detach(),
            grads.get(&x).cloned().unwrap_or(x.zeros_like()?),
        ])
    }

    #[test]
    fn kernel_equals_composite_on_every_axis() -> Check {
        for map in maps().iter().take(3) {
            for (dim, shape) in [(0, vec![5, 3]), (1, vec![2, 5, 4]), (2, vec![3, 2, 5])] {
                for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
                    let x = Random::new(1).normal(shape.as_slice(), dtype)?;
                    let ours = gradient(&x, |x| map.apply(x, dim))?;
                    assert_same(&ours, &gradient(&x, |x| map.composite(x, dim))?, bound);
                }
            }
        }
        let x = Random::new(1).normal((2, 5, 0), DType::F64)?;
        for map in maps() {
            assert_eq!(map.apply(&x, 1)?.dims(), [2, map.rows.len(), 0]);
        }
        Ok(())
    }

    #[test]
    fn gradients() -> Check {
        let x = Random::new(2).normal((2, 5, 3), DType::F64)?;
        for map in [&maps()[0], &maps()[2]] {
            assert_gradients(&[("x", &x)], |x| map.apply(&x[0], 1));
        }
        Ok(())
    }

    #[test]
    fn threads_do_not_change_a_bit() -> Check {
        let map = &maps()[2];
        for (dim, shape) in [(2, vec![90, 70, 5]), (0, vec![5, 33_000])] {
            let x = Random::new(2).normal(shape, DType::F32)?;
            check_thread_independence(|| gradient(&x, |x| map.apply(x, dim)))?;
        }
        Ok(())
    }
}
