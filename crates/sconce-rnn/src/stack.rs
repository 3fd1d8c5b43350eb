//! Layers of recurrent cells upon one another, in one direction or both.

use crate::cell::Cell;
use crate::direction::{Direction, Sizes};
use crate::sequence::Sequence;
use crate::sequence::sealed::{Form, Rows};
use crate::steps::Steps;
use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, function, layer_path};
use sconce_nn::Dropout;

/// The options that the three layers share.
pub(crate) struct StackConfig {
    pub(crate) cell: Cell,
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) num_layers: usize,
    pub(crate) bias: bool,
    pub(crate) batch_first: bool,
    pub(crate) dropout: f64,
    pub(crate) bidirectional: bool,
    pub(crate) proj_size: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Stack {
    /// By layer, each with one direction or two.
    layers: Vec<Vec<Direction>>,
    sizes: Sizes,
    batch_first: bool,
    dropout: Dropout,
    path: String,
}

/// The output, and the final hidden and cell state.
pub(crate) type Final<S> = (S, Tensor, Option<Tensor>);

impl Stack {
    pub(crate) fn new(cfg: &StackConfig, layer: &str, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, layer);
        for (field, size) in [
            ("input_size", cfg.input_size),
            ("hidden_size", cfg.hidden_size),
            ("num_layers", cfg.num_layers),
        ] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        if cfg.proj_size >= cfg.hidden_size {
            let expected = format!("less than hidden_size = {}", cfg.hidden_size);
            return Err(Error::config(path, "proj_size", cfg.proj_size, expected));
        }
        let Ok(dropout) = Dropout::new(cfg.dropout) else {
            return Err(Error::config(
                path,
                "dropout",
                cfg.dropout,
                "a probability from 0 to 1",
            ));
        };
        let sizes = Sizes {
            cell: cfg.cell,
            input: cfg.input_size,
            hidden: cfg.hidden_size,
            projected: cfg.proj_size,
            bias: cfg.bias,
        };
        let suffixes: &[&str] = if cfg.bidirectional {
            &["", "_reverse"]
        } else {
            &[""]
        };
        let mut layers = Vec::new();
        for k in 0..cfg.num_layers {
            let sizes = if k == 0 {
                sizes
            } else {
                let input = sizes.output() * suffixes.len();
                Sizes { input, ..sizes }
            };
            let directions = suffixes
                .iter()
                .map(|suffix| Direction::new(sizes, &vb, &format!("_l{k}{suffix}")));
            layers.push(directions.collect::<sconce_core::Result<Vec<_>>>()?);
        }
        Ok(Self {
            layers,
            sizes,
            batch_first: cfg.batch_first,
            dropout,
            path,
        })
    }

    /// Runs all layers from the given initial states, or from zeros.
    pub(crate) fn run<S: Sequence>(
        &self,
        input: &S,
        h0: Option<&Tensor>,
        c0: Option<&Tensor>,
        train: bool,
    ) -> Result<Final<S>> {
        let rows = input.open(&self.path, self.sizes.input, self.batch_first)?;
        if let Some(direction) = self.layers.iter().flatten().next()
            && direction.dtype() != rows.data.dtype()
        {
            return Err(sconce_core::Error::parameter_dtype(
                &self.path,
                "input",
                direction.dtype(),
                rows.data.dtype(),
            )
            .into());
        }
        let hidden_axis = if self.sizes.projected == 0 {
            "hidden_size"
        } else {
            "proj_size"
        };
        let h0 = self.initial("h0", (hidden_axis, self.sizes.output()), h0, &rows)?;
        let c0 = if self.sizes.cell.has_memory() {
            Some(self.initial("c0", ("hidden_size", self.sizes.hidden), c0, &rows)?)
        } else {
            None
        };
        let (mut data, mut hs, mut cs) = (rows.data.clone(), Vec::new(), Vec::new());
        for (k, directions) in self.layers.iter().enumerate() {
            if k > 0 {
                data = self.dropout.forward_t(&data, train)?;
            }
            let mut outputs = Vec::with_capacity(directions.len());
            for (d, direction) in directions.iter().enumerate() {
                let steps = Steps::new(rows.sizes.clone(), d == 1);
                let at = k * directions.len() + d;
                let (h0, c0) = (h0.get(at)?, c0.as_ref().map(|c0| c0.get(at)).transpose()?);
                let result = direction.run(&data, &steps, &h0, c0.as_ref())?;
                outputs.push(result.y);
                hs.push(result.h);
                cs.extend(result.c);
            }
            data = match outputs.as_slice() {
                [one] => one.clone(),
                both => Tensor::cat(both, 1)?,
            };
        }
        let h = last(&hs, &rows)?;
        let c = if cs.is_empty() {
            None
        } else {
            Some(last(&cs, &rows)?)
        };
        Ok((S::close(data, &rows)?, h, c))
    }

    /// The initial states of all layers and directions, `[layers · directions, batch, width]`, in the order of the rows.
    fn initial(
        &self,
        argument: &'static str,
        (axis, width): (&str, usize),
        given: Option<&Tensor>,
        rows: &Rows,
    ) -> Result<Tensor> {
        let count = self.layers.iter().flatten().count();
        let batch = rows.sizes.first().copied().unwrap_or(0);
        let Some(given) = given else {
            return Tensor::zeros((count, batch, width), rows.data.dtype(), rows.data.device());
        };
        let single = matches!(rows.form, Form::Single);
        let fits = if single {
            given.dims() == [count, width]
        } else {
            given.dims() == [count, batch, width]
        };
        if !fits {
            let batch = if single {
                String::new()
            } else {
                format!("batch = {batch}, ")
            };
            let expected = format!("[num_layers · directions = {count}, {batch}{axis} = {width}]");
            return Err(Error::shape(&self.path, argument, expected, given.dims()).into());
        }
        if given.dtype() != rows.data.dtype() {
            return Err(sconce_core::Error::parameter_dtype(
                &self.path,
                argument,
                rows.data.dtype(),
                given.dtype(),
            )
            .into());
        }
        match &rows.form {
            Form::Single => given.unsqueeze(1),
            Form::Packed(Some(order)) => order.sort(given, 1),
            _ => Ok(given.clone()),
        }
    }
}

/// The final states of all layers and directions in the order of the batch.
fn last(states: &[Tensor], rows: &Rows) -> Result<Tensor> {
    let all = Tensor::stack(states, 0)?;
    match &rows.form {
        Form::Single => {
            let (count, _, width) = all.dims3()?;
            function::reshape(&all, (count, width))
        }
        Form::Packed(Some(order)) => order.unsort(&all, 1),
        _ => Ok(all),
    }
}
