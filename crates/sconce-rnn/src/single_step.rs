//! A cell on its own.

use crate::cell::Cell;
use crate::direction::{Direction, Sizes};
use crate::steps::Steps;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, function, layer_path};

#[derive(Debug, Clone)]
pub(crate) struct SingleStep {
    direction: Direction,
    sizes: Sizes,
    path: String,
}

impl SingleStep {
    pub(crate) fn new(
        cell: Cell,
        (input, hidden): (usize, usize),
        bias: bool,
        layer: &str,
        vb: VarBuilder,
    ) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, layer);
        for (field, size) in [("input_size", input), ("hidden_size", hidden)] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        let sizes = Sizes {
            cell,
            input,
            hidden,
            projected: 0,
            bias,
        };
        Ok(Self {
            direction: Direction::new(sizes, &vb, "")?,
            sizes,
            path,
        })
    }

    /// The next hidden state, and the next cell state of an LSTM.
    pub(crate) fn step(
        &self,
        input: &Tensor,
        h: Option<&Tensor>,
        c: Option<&Tensor>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let (features, hidden) = (self.sizes.input, self.sizes.hidden);
        let batch = match *input.dims() {
            [last] if last == features => None,
            [batch, last] if last == features && batch > 0 => Some(batch),
            _ => {
                let expected = format!(
                    "[batch, input_size = {features}], with batch at least 1, or [input_size = {features}]"
                );
                return Err(Error::shape(&self.path, "input", expected, input.dims()).into());
            }
        };
        let dtype = self.direction.dtype();
        if input.dtype() != dtype {
            return Err(sconce_core::Error::parameter_dtype(
                self.path.as_str(),
                "input",
                dtype,
                input.dtype(),
            )
            .into());
        }
        let rows = batch.unwrap_or(1);
        let x = function::reshape(input, (rows, features))?;
        let state = |argument: &'static str, given: Option<&Tensor>| {
            let Some(given) = given else {
                return Tensor::zeros((rows, hidden), dtype, input.device());
            };
            let (fits, expected) = match batch {
                Some(batch) => (
                    given.dims() == [batch, hidden],
                    format!("[batch = {batch}, hidden_size = {hidden}]"),
                ),
                None => (given.dims() == [hidden], format!("[hidden_size = {hidden}]")),
            };
            if !fits {
                return Err(Error::shape(&self.path, argument, expected, given.dims()).into());
            }
            if given.dtype() != dtype {
                return Err(sconce_core::Error::parameter_dtype(
                    self.path.as_str(),
                    argument,
                    dtype,
                    given.dtype(),
                )
                .into());
            }
            function::reshape(given, (rows, hidden))
        };
        let h = state("h", h)?;
        let c = if self.sizes.cell.has_memory() {
            Some(state("c", c)?)
        } else {
            None
        };
        let steps = Steps::new([rows].into(), false);
        let next = self.direction.run(&x, &steps, &h, c.as_ref())?;
        let form = |state: Tensor| match batch {
            Some(_) => Ok(state),
            None => function::reshape(&state, hidden),
        };
        Ok((form(next.y)?, next.c.map(form).transpose()?))
    }
}
