//! Adam's step on ten million parameters, in few or many tensors.

use sconce::core::candle_core::{Tensor, Var};
use sconce::core::{Gradients, Parameters, backward};
use sconce::optim::{Adam, AdamConfig, Optimize};

use crate::layer::{flat, pull_all};
use crate::{Result, Row, Work, inputs, wrong_shape};

pub(crate) const FEW_LARGE: Row = Row {
    name: "adam",
    about: "Adam on 10 M parameters in ten tensors",
    shapes: &[&[10, 1_000_000]],
    operations: None,
    start,
};

pub(crate) const MANY_SMALL: Row = Row {
    name: "adam-small",
    about: "Adam on 10 M parameters in two thousand tensors",
    shapes: &[&[2000, 5000]],
    operations: None,
    start,
};

struct Update {
    parameters: Tensors,
    gradients: Gradients,
    rule: Adam,
}

/// Parameters without a model.
pub(crate) struct Tensors(Vec<(String, Var)>);

impl Tensors {
    pub(crate) fn new(count: usize, size: usize) -> Result<Self> {
        let mut parameters = Vec::new();
        for i in 0..count {
            parameters.push((format!("{i}"), Var::from_tensor(&inputs::tensor(size, 10 + i)?)?));
        }
        Ok(Self(parameters))
    }
}

impl Parameters for Tensors {
    fn named_parameters(&self) -> Vec<(String, Var)> {
        self.0.clone()
    }

    fn named_tensors(&self) -> Vec<(String, Var)> {
        self.0.clone()
    }
}

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[count, size] = shape else {
        return wrong_shape("adam", shape);
    };
    let parameters = Tensors::new(count, size)?;
    let gradients = (0..count)
        .map(|i| inputs::tensor(size, 5 + i))
        .collect::<std::result::Result<_, _>>()?;
    let outputs: Vec<&Tensor> = parameters.0.iter().map(|(_, var)| var.as_tensor()).collect();
    let loss = pull_all(&outputs, gradients)?;
    let gradients = backward(&loss, &parameters)?;
    let rule = Adam::new(&AdamConfig::default(), &parameters)?;
    Ok(Box::new(Update {
        parameters,
        gradients,
        rule,
    }))
}

impl Work for Update {
    fn step(&mut self) -> Result<()> {
        Ok(self.rule.step(&self.gradients)?)
    }

    fn results(&mut self) -> Result<Vec<(String, Vec<f32>)>> {
        self.step()?;
        let ends = [self.parameters.0.first(), self.parameters.0.last()];
        ends.into_iter()
            .flatten()
            .map(|(name, var)| Ok((format!("tensor {name} after a step"), flat(var)?)))
            .collect()
    }
}
