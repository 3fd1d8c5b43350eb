//! What holds for every rule, whatever it computes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop where something is wrong"
)]

mod errors;
mod groups;
mod interop;
mod matrices;
mod memory;
mod momenta;
mod options;
mod state;
mod steps;

use candle_core::{DType, Device, Tensor, Var};
use sconce_core::{Gradients, Init, Param, ParamStore, Parameters, Result, backward, param};
use sconce_optim::{
    Adadelta, AdadeltaConfig, Adafactor, AdafactorConfig, Adagrad, AdagradConfig, Adam, AdamConfig, Adamax,
    AdamaxConfig, Asgd, AsgdConfig, Lion, LionConfig, NAdam, NAdamConfig, Optimize, RAdam, RAdamConfig,
    RmsProp, RmsPropConfig, Rprop, RpropConfig, Sgd, SgdConfig,
};
use sconce_testkit::Random;
use sconce_testkit::property::check_same_bits;

type State = Vec<(String, Tensor)>;

const SGD: SgdConfig = SgdConfig {
    lr: 0.05,
    momentum: 0.,
    dampening: 0.,
    weight_decay: 0.,
    nesterov: false,
    maximize: false,
};
const ADAM: AdamConfig = AdamConfig {
    lr: 0.05,
    betas: (0.8, 0.9),
    eps: 1e-8,
    weight_decay: 0.,
    decoupled_weight_decay: false,
    amsgrad: false,
    maximize: false,
};
const ADAGRAD: AdagradConfig = AdagradConfig {
    lr: 0.05,
    lr_decay: 0.,
    weight_decay: 0.,
    initial_accumulator_value: 0.,
    eps: 1e-10,
    maximize: false,
};
const RMS_PROP: RmsPropConfig = RmsPropConfig {
    lr: 0.05,
    alpha: 0.8,
    eps: 1e-8,
    weight_decay: 0.,
    momentum: 0.,
    centered: false,
    maximize: false,
};

const ADADELTA: AdadeltaConfig = AdadeltaConfig {
    lr: 1.,
    rho: 0.8,
    eps: 1e-3,
    weight_decay: 0.1,
    maximize: false,
};
const ADAMAX: AdamaxConfig = AdamaxConfig {
    lr: 0.05,
    betas: (0.8, 0.9),
    eps: 1e-8,
    weight_decay: 0.1,
    maximize: false,
};
const NADAM: NAdamConfig = NAdamConfig {
    lr: 0.05,
    betas: (0.8, 0.9),
    eps: 1e-8,
    weight_decay: 0.1,
    momentum_decay: 0.1,
    decoupled_weight_decay: false,
    maximize: false,
};
const RADAM: RAdamConfig = RAdamConfig {
    lr: 0.02,
    betas: (0.8, 0.9),
    eps: 1e-8,
    weight_decay: 0.1,
    decoupled_weight_decay: false,
    maximize: false,
};
const RPROP: RpropConfig = RpropConfig {
    lr: 0.02,
    etas: (0.5, 1.2),
    step_sizes: (1e-6, 0.1),
    maximize: false,
};
const ASGD: AsgdConfig = AsgdConfig {
    lr: 0.02,
    lambd: 1e-2,
    alpha: 0.75,
    t0: 3.,
    weight_decay: 0.1,
    maximize: false,
};
const ADAFACTOR: AdafactorConfig = AdafactorConfig {
    lr: 0.05,
    beta2_decay: -0.8,
    eps: (None, 1e-3),
    d: 1.,
    weight_decay: 0.1,
    maximize: false,
};
const LION: LionConfig = LionConfig {
    lr: 0.02,
    betas: (0.8, 0.9),
    weight_decay: 0.1,
    maximize: false,
};

/// `each_rule!(Name, …)`: a configuration of any of these rules, and what is the same for all.
macro_rules! each_rule {
    ($($rule:ident => $config:ident),*) => {
        #[derive(Debug)]
        enum Config {
            $($rule($config)),*
        }

        impl Config {
            fn try_rule<P: Parameters>(&self, parameters: &P) -> Result<Box<dyn Optimize>> {
                Ok(match self {
                    $(Self::$rule(cfg) => Box::new($rule::new(cfg, parameters)?)),*
                })
            }

            /// The same with all parameters in a group of their own.
            fn grouped<P: Parameters>(&self, parameters: &P) -> Box<dyn Optimize> {
                match self {
                    $(Self::$rule(cfg) => {
                        let rule = $rule::new(cfg, parameters).unwrap();
                        Box::new(rule.with_group("*", cfg).unwrap())
                    }),*
                }
            }

            fn climbing(&self) -> Self {
                match *self {
                    $(Self::$rule(cfg) => Self::$rule($config { maximize: true, ..cfg })),*
                }
            }
        }
    };
}
each_rule!(
    Sgd => SgdConfig, Adam => AdamConfig, Adagrad => AdagradConfig, RmsProp => RmsPropConfig,
    Adadelta => AdadeltaConfig, Adamax => AdamaxConfig, NAdam => NAdamConfig, RAdam => RAdamConfig,
    Rprop => RpropConfig, Asgd => AsgdConfig, Lion => LionConfig,
    Adafactor => AdafactorConfig
);

impl Config {
    fn rule<P: Parameters>(&self, parameters: &P) -> Box<dyn Optimize> {
        self.try_rule(parameters).unwrap()
    }
}

/// Every rule with every option, and the names of its state.
const RULES: &[(Config, &[&str])] = &[
    (Config::Sgd(SGD), &[]),
    (
        Config::Sgd(SgdConfig {
            weight_decay: 0.1,
            ..SGD
        }),
        &[],
    ),
    (
        Config::Sgd(SgdConfig { momentum: 0.9, ..SGD }),
        &["momentum_buffer"],
    ),
    (
        Config::Sgd(SgdConfig {
            momentum: 0.9,
            dampening: 0.3,
            weight_decay: 0.1,
            ..SGD
        }),
        &["momentum_buffer"],
    ),
    (
        Config::Sgd(SgdConfig {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 0.1,
            ..SGD
        }),
        &["momentum_buffer"],
    ),
    (Config::Adam(ADAM), &["step", "exp_avg", "exp_avg_sq"]),
    (
        Config::Adam(AdamConfig {
            weight_decay: 0.1,
            ..ADAM
        }),
        &["step", "exp_avg", "exp_avg_sq"],
    ),
    (
        Config::Adam(AdamConfig {
            amsgrad: true,
            weight_decay: 0.1,
            ..ADAM
        }),
        &["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
    ),
    (
        Config::Adam(AdamConfig {
            decoupled_weight_decay: true,
            weight_decay: 0.1,
            ..ADAM
        }),
        &["step", "exp_avg", "exp_avg_sq"],
    ),
    (Config::Adagrad(ADAGRAD), &["step", "sum"]),
    (
        Config::Adagrad(AdagradConfig {
            lr_decay: 0.2,
            weight_decay: 0.1,
            initial_accumulator_value: 0.5,
            ..ADAGRAD
        }),
        &["step", "sum"],
    ),
    (Config::RmsProp(RMS_PROP), &["step", "square_avg"]),
    (
        Config::RmsProp(RmsPropConfig {
            centered: true,
            weight_decay: 0.1,
            ..RMS_PROP
        }),
        &["step", "square_avg", "grad_avg"],
    ),
    (
        Config::RmsProp(RmsPropConfig {
            momentum: 0.9,
            ..RMS_PROP
        }),
        &["step", "square_avg", "momentum_buffer"],
    ),
    (
        Config::RmsProp(RmsPropConfig {
            momentum: 0.9,
            centered: true,
            ..RMS_PROP
        }),
        &["step", "square_avg", "grad_avg", "momentum_buffer"],
    ),
    (Config::Adadelta(ADADELTA), &["step", "square_avg", "acc_delta"]),
    (Config::Adamax(ADAMAX), &["step", "exp_avg", "exp_inf"]),
    (
        Config::NAdam(NADAM),
        &["step", "mu_product", "exp_avg", "exp_avg_sq"],
    ),
    (Config::RAdam(RADAM), &["step", "exp_avg", "exp_avg_sq"]),
    (Config::Rprop(RPROP), &["step", "prev", "step_size"]),
    (Config::Asgd(ASGD), &["step", "eta", "mu", "ax"]),
    (Config::Lion(LION), &["exp_avg"]),
    (Config::Adafactor(ADAFACTOR), &["step", "variance"]),
];

/// A store with normal parameters of these sizes, and the parameters.
fn store(sizes: &[usize], dtype: DType) -> (ParamStore, Vec<Param>) {
    let store = ParamStore::new(dtype, &Device::Cpu).seeded(3);
    let init = Init::Normal { mean: 0., std: 1. };
    let params = sizes.iter().enumerate();
    let params = params
        .map(|(i, &n)| param(&store.builder(), n, &format!("p{i}"), &init).unwrap())
        .collect();
    (store, params)
}

/// Σ (p − 1)⁴/4 + p, whose gradient differs from element to element.
fn loss(params: &[Tensor]) -> Tensor {
    let term = |p: &Tensor| ((p - 1.)?.sqr()?.sqr()? * 0.25)?.add(p)?.sum_all();
    let terms: Vec<_> = params.iter().map(|p| term(p).unwrap()).collect();
    Tensor::stack(&terms, 0).unwrap().sum_all().unwrap()
}

fn tensors(params: &[Param]) -> Vec<Tensor> {
    params.iter().map(Param::tensor).collect()
}

fn gradients(store: &ParamStore, params: &[Param]) -> Gradients {
    backward(&loss(&tensors(params)), store).unwrap()
}

/// Parameters under names and with shapes of their own.
struct Named(Vec<(String, Var)>);

impl Parameters for Named {
    fn named_parameters(&self) -> Vec<(String, Var)> {
        self.0.clone()
    }

    fn named_tensors(&self) -> Vec<(String, Var)> {
        self.0.clone()
    }
}
