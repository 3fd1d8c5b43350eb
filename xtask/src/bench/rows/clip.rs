//! Clipping by the norm of gradients of ten million elements.

use sconce::core::candle_core::Tensor;
use sconce::core::{Gradients, Parameters, backward};
use sconce::optim::{ClipGradNormConfig, clip_grad_norm};

use crate::layer::{flat, pull_all};
use crate::rules::Tensors;
use crate::{Result, Row, Work, inputs, wrong_shape};

pub(crate) const ROW: Row = Row {
    name: "clip",
    about: "clip_grad_norm on 10 M elements in ten tensors; each step has something to clip",
    shapes: &[&[10, 1_000_000]],
    operations: None,
    start,
};

struct Clip {
    gradients: Gradients,
    max_norm: f64,
}

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[count, size] = shape else {
        return wrong_shape("clip", shape);
    };
    let parameters = Tensors::new(count, &[size])?;
    let gradients = (0..count)
        .map(|i| inputs::tensor(size, 5 + i))
        .collect::<std::result::Result<_, _>>()?;
    let named = parameters.named_parameters();
    let outputs: Vec<&Tensor> = named.iter().map(|(_, var)| var.as_tensor()).collect();
    let gradients = backward(&pull_all(&outputs, gradients)?, &parameters)?;
    Ok(Box::new(Clip {
        gradients,
        max_norm: 500.,
    }))
}

impl Work for Clip {
    /// The bound goes down with every step, so that no step finds what the one before has left short enough.
    fn step(&mut self) -> Result<()> {
        self.max_norm *= 0.999;
        clip_grad_norm(&mut self.gradients, &ClipGradNormConfig::new(self.max_norm))?;
        Ok(())
    }

    fn results(&mut self) -> Result<Vec<(String, Vec<f32>)>> {
        let norm = clip_grad_norm(&mut self.gradients, &ClipGradNormConfig::new(self.max_norm))?;
        let mut results = vec![("norm before".to_owned(), vec![norm as f32])];
        let all: Vec<_> = self.gradients.iter().collect();
        for (name, gradient) in [all.first(), all.last()].into_iter().flatten() {
            results.push((format!("gradient {name} after"), flat(gradient)?));
        }
        Ok(results)
    }
}
