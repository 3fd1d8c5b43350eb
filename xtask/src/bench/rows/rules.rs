//! One step of each update rule on ten million parameters, in ten tensors; of some, in two thousand as well.

use sconce::core::candle_core::{Tensor, Var};
use sconce::core::{Gradients, Parameters, backward};
use sconce::optim::{
    Adadelta, AdadeltaConfig, Adafactor, AdafactorConfig, Adagrad, AdagradConfig, Adam, AdamConfig, Adamax,
    AdamaxConfig, Asgd, AsgdConfig, Lion, LionConfig, Muon, MuonConfig, NAdam, NAdamConfig, Optimize, RAdam,
    RAdamConfig, RmsProp, RmsPropConfig, Rprop, RpropConfig, Sgd, SgdConfig,
};

use crate::layer::{flat, pull_all};
use crate::{Result, Row, Work, inputs, wrong_shape};

const FEW: &[&[usize]] = &[&[10, 1_000_000]];
const MANY: &[&[usize]] = &[&[2000, 5000]];
const MATRICES: &[&[usize]] = &[&[10, 1000, 1000]];

/// `rows!(CONSTANT "name" Rule(config) shapes, …)`
macro_rules! rows {
    ($($row:ident $name:literal $rule:ident($cfg:expr) $shapes:ident),* $(,)?) => {
        $(pub(crate) const $row: Row = Row {
            name: $name,
            about: concat!("a step of ", stringify!($rule), " on 10 M parameters"),
            shapes: $shapes,
            operations: None,
            start: |shape| start(shape, |parameters| Ok(Box::new($rule::new(&$cfg, parameters)?))),
        };)*
    };
}
rows!(
    ADAM "adam" Adam(AdamConfig::default()) FEW,
    ADAM_SMALL "adam-small" Adam(AdamConfig::default()) MANY,
    ADAMW "adamw" Adam(AdamConfig::adamw()) FEW,
    ADAMW_SMALL "adamw-small" Adam(AdamConfig::adamw()) MANY,
    SGD "sgd" Sgd(MOMENTUM) FEW,
    SGD_SMALL "sgd-small" Sgd(MOMENTUM) MANY,
    RMSPROP "rmsprop" RmsProp(RmsPropConfig::default()) FEW,
    RMSPROP_SMALL "rmsprop-small" RmsProp(RmsPropConfig::default()) MANY,
    ADAGRAD "adagrad" Adagrad(AdagradConfig::default()) FEW,
    ADADELTA "adadelta" Adadelta(AdadeltaConfig::default()) FEW,
    ADAMAX "adamax" Adamax(AdamaxConfig::default()) FEW,
    NADAM "nadam" NAdam(NAdamConfig::default()) FEW,
    RADAM "radam" RAdam(RAdamConfig::default()) FEW,
    RPROP "rprop" Rprop(RpropConfig::default()) FEW,
    ASGD "asgd" Asgd(AsgdConfig::default()) FEW,
    LION "lion" Lion(LionConfig::default()) FEW,
    ADAFACTOR "adafactor" Adafactor(AdafactorConfig::default()) MATRICES,
    MUON "muon" Muon(MuonConfig::default()) MATRICES,
);

const MOMENTUM: SgdConfig = SgdConfig {
    lr: 1e-3,
    momentum: 0.9,
    dampening: 0.,
    weight_decay: 0.,
    nesterov: false,
    maximize: false,
};

struct Update {
    parameters: Tensors,
    gradients: Gradients,
    rule: Box<dyn Optimize>,
}

/// Parameters without a model.
pub(crate) struct Tensors(Vec<(String, Var)>);

impl Tensors {
    pub(crate) fn new(count: usize, dims: &[usize]) -> Result<Self> {
        let mut parameters = Vec::new();
        for i in 0..count {
            parameters.push((format!("{i}"), Var::from_tensor(&inputs::tensor(dims, 10 + i)?)?));
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

fn start(
    shape: &[usize],
    rule: impl FnOnce(&Tensors) -> sconce::core::Result<Box<dyn Optimize>>,
) -> Result<Box<dyn Work>> {
    let [count, dims @ ..] = shape else {
        return wrong_shape("a rule", shape);
    };
    let parameters = Tensors::new(*count, dims)?;
    let gradients = (0..*count)
        .map(|i| inputs::tensor(dims, 5 + i))
        .collect::<std::result::Result<_, _>>()?;
    let outputs: Vec<&Tensor> = parameters.0.iter().map(|(_, var)| var.as_tensor()).collect();
    let loss = pull_all(&outputs, gradients)?;
    let gradients = backward(&loss, &parameters)?;
    let rule = rule(&parameters)?;
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
