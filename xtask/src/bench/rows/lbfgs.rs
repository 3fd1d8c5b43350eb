//! Ten iterations of L-BFGS on a million parameters, with the loss and its gradients.

use sconce::core::candle_core::{Tensor, Var};
use sconce::core::{Parameters, backward};
use sconce::losses::{Reduction, mse};
use sconce::optim::{Lbfgs, LbfgsConfig, LineSearch, Minimize};

use crate::layer::flat;
use crate::{Result, Row, Work, inputs, wrong_shape};

pub(crate) const ROW: Row = Row {
    name: "lbfgs",
    about: "ten iterations of Lbfgs with a strong Wolfe search on 1 M parameters, loss and gradients included",
    shapes: &[&[1_000_000]],
    operations: None,
    start,
};

/// Σ (w·x − w)²
struct Valley {
    start: Tensor,
    weights: Tensor,
    x: Var,
}

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[size] = shape else {
        return wrong_shape("lbfgs", shape);
    };
    let start = inputs::tensor(size, 1)?;
    Ok(Box::new(Valley {
        weights: (inputs::tensor(size, 2)? + 0.6)?,
        x: Var::from_tensor(&start)?,
        start,
    }))
}

impl Parameters for Valley {
    fn named_parameters(&self) -> Vec<(String, Var)> {
        vec![("x".to_owned(), self.x.clone())]
    }

    fn named_tensors(&self) -> Vec<(String, Var)> {
        self.named_parameters()
    }
}

impl Work for Valley {
    /// It begins anew, so that each step has the same iterations to do.
    fn step(&mut self) -> Result<()> {
        self.x.set(&self.start)?;
        let cfg = LbfgsConfig {
            max_iter: 10,
            tolerance_grad: 0.,
            tolerance_change: 0.,
            line_search: LineSearch::StrongWolfe,
            ..LbfgsConfig::default()
        };
        Lbfgs::new(&cfg, self)?.step(&mut || {
            let weighted = (self.x.as_tensor() * &self.weights)?;
            let loss = mse(&weighted, &self.weights, Reduction::Sum)?;
            Ok((loss.to_scalar::<f32>()?.into(), backward(&loss, self)?))
        })?;
        Ok(())
    }

    fn results(&mut self) -> Result<Vec<(String, Vec<f32>)>> {
        self.step()?;
        Ok(vec![(
            "parameter after ten iterations".to_owned(),
            flat(&self.x)?,
        )])
    }
}
