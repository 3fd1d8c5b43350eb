//! A training step of LeNet-5: forward, cross-entropy, backward, SGD.

use sconce::cnn::{LeNet, LeNetConfig};
use sconce::core::candle_core::{DType, Device, Module, Tensor};
use sconce::core::{ParamStore, Parameters, backward};
use sconce::losses::{Reduction, cross_entropy};
use sconce::optim::{Optimize, Sgd, SgdConfig};

use crate::layer::{flat, set_parameters};
use crate::{Result, Row, Work, inputs, wrong_shape};

pub(crate) const ROW: Row = Row {
    name: "lenet",
    about: "training step of LeNet-5 (sigmoid) on 64 images with SGD",
    shapes: &[&[64]],
    operations: None,
    start,
};

const CLASSES: usize = 10;

struct Training {
    store: ParamStore,
    net: LeNet,
    rule: Sgd,
    images: Tensor,
    labels: Tensor,
}

fn start(shape: &[usize]) -> Result<Box<dyn Work>> {
    let &[batch] = shape else {
        return wrong_shape(ROW.name, shape);
    };
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let net = LeNet::new(&LeNetConfig::new(CLASSES), store.builder())?;
    set_parameters(&store)?;
    let rule = Sgd::new(
        &SgdConfig {
            lr: 0.1,
            ..SgdConfig::default()
        },
        &store,
    )?;
    let labels = (0..batch).map(|i| (i % CLASSES) as u32).collect();
    Ok(Box::new(Training {
        store,
        net,
        rule,
        images: inputs::tensor((batch, 1, 28, 28), 1)?,
        labels: Tensor::from_vec(labels, batch, &Device::Cpu)?,
    }))
}

impl Training {
    fn train(&mut self) -> Result<Tensor> {
        let loss = cross_entropy(&self.net.forward(&self.images)?, &self.labels, Reduction::Mean)?;
        self.rule.step(&backward(&loss, &self.store)?)?;
        Ok(loss)
    }
}

impl Work for Training {
    fn step(&mut self) -> Result<()> {
        self.train().map(drop)
    }

    fn results(&mut self) -> Result<Vec<(String, Vec<f32>)>> {
        let mut results = vec![("loss".to_owned(), flat(&self.train()?)?)];
        for (name, var) in self.store.named_parameters() {
            results.push((format!("{name} after a step"), flat(&var)?));
        }
        Ok(results)
    }
}
