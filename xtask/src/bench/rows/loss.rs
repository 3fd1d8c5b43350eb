//! A loss's forward and backward, as PyTorch's `loss.backward()`.

use sconce::core::candle_core::{self, DType, Device, Tensor, Var};
use sconce::core::{ParamStore, backward};

use crate::layer::flat;
use crate::{Result, Work, inputs};

type Forward = Box<dyn Fn(&Tensor) -> candle_core::Result<Tensor>>;

/// Elements of the gradient that are compared, at most: a copy of all would show in the peak of memory.
const COMPARED: usize = 2_000_000;

/// A scalar function of an input whose gradient is wanted.
pub(crate) struct Loss {
    store: ParamStore,
    forward: Forward,
    input: Var,
}

impl Loss {
    pub(crate) fn new(forward: Forward, input: &[usize]) -> Result<Self> {
        let values = inputs::values(input.iter().product(), 1);
        Ok(Self {
            store: ParamStore::new(DType::F32, &Device::Cpu),
            forward,
            // Made of a tensor it were a copy, and the tensor's memory would be there for the steps to take.
            input: Var::from_vec(values, input, &Device::Cpu)?,
        })
    }
}

impl Work for Loss {
    fn step(&mut self) -> Result<()> {
        let loss = (self.forward)(&self.input)?;
        drop(backward(&loss, &self.store)?);
        Ok(())
    }

    fn results(&mut self) -> Result<Vec<(String, Vec<f32>)>> {
        let loss = (self.forward)(&self.input)?;
        let gradients = backward(&loss, &self.store)?;
        let mut results = vec![("loss".to_owned(), flat(&loss)?)];
        if let Some(gradient) = gradients.of(&self.input) {
            let first = gradient.dims().first().copied().unwrap_or(1);
            let each = gradient.elem_count() / first.max(1);
            let rows = first.min(COMPARED / each.max(1));
            results.push((
                "gradient of input".to_owned(),
                flat(&gradient.narrow(0, 0, rows)?)?,
            ));
        }
        Ok(results)
    }
}
