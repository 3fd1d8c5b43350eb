//! A layer's forward and backward from a given gradient, as PyTorch's `y.backward(gradient)`.

use sconce::core::candle_core::{self, Tensor, Var};
use sconce::core::{Backward, Function, Output, ParamStore, Parameters, apply1, backward};

use crate::{Result, Work, inputs};

type Forward = Box<dyn Fn(&Tensor) -> candle_core::Result<Tensor>>;

/// A layer with its parameters, an input whose gradient is wanted, and the gradient of the output.
pub(crate) struct Layer {
    store: ParamStore,
    forward: Forward,
    input: Var,
    gradient: Tensor,
}

impl Layer {
    /// The layer `forward` with the parameters in `store`, which all get fixed values.
    pub(crate) fn new(
        store: ParamStore,
        forward: Forward,
        input: &[usize],
        output: &[usize],
    ) -> Result<Self> {
        set_parameters(&store)?;
        Ok(Self {
            store,
            forward,
            input: Var::from_tensor(&inputs::tensor(input, 1)?)?,
            gradient: inputs::tensor(output, 2)?,
        })
    }
}

impl Work for Layer {
    fn step(&mut self) -> Result<()> {
        let output = (self.forward)(&self.input)?;
        let gradients = backward(&pull(&output, &self.gradient)?, &self.store)?;
        drop(gradients);
        Ok(())
    }

    fn results(&mut self) -> Result<Vec<(String, Vec<f32>)>> {
        let output = (self.forward)(&self.input)?;
        let gradients = backward(&pull(&output, &self.gradient)?, &self.store)?;
        let mut results = vec![("output".to_owned(), flat(&output)?)];
        if let Some(gradient) = gradients.of(&self.input) {
            results.push(("gradient of input".to_owned(), flat(gradient)?));
        }
        for (name, gradient) in gradients.iter() {
            results.push((format!("gradient of {name}"), flat(gradient)?));
        }
        Ok(results)
    }
}

/// Gives every parameter the numbers that it has on the other side too.
pub(crate) fn set_parameters(store: &impl Parameters) -> Result<()> {
    for (index, (_, var)) in store.named_parameters().into_iter().enumerate() {
        var.set(&inputs::tensor(var.shape(), 10 + index)?)?;
    }
    Ok(())
}

pub(crate) fn flat(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

/// A scalar whose gradient with respect to `output` is `gradient`.
fn pull(output: &Tensor, gradient: &Tensor) -> candle_core::Result<Tensor> {
    apply1(Pull(vec![gradient.clone()]), &[output])
}

/// The same for several tensors at once.
pub(crate) fn pull_all(outputs: &[&Tensor], gradients: Vec<Tensor>) -> candle_core::Result<Tensor> {
    apply1(Pull(gradients), outputs)
}

/// Computes nothing, so that only the layer is measured.
struct Pull(Vec<Tensor>);

impl Function for Pull {
    type Saved = ();

    fn name(&self) -> &'static str {
        "pull"
    }

    fn forward(&self, _: &[Tensor], _: &[bool]) -> candle_core::Result<(Vec<Output>, ())> {
        Ok((vec![Output::new(vec![0_f32], ())?], ()))
    }

    fn backward(
        &self,
        _: &Backward<'_, ()>,
        _: &[Option<Tensor>],
    ) -> candle_core::Result<Vec<Option<Tensor>>> {
        Ok(self.0.iter().cloned().map(Some).collect())
    }
}
