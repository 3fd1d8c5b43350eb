//! Any options, shapes and types: a step, or an error that names the rule.

use super::*;
use proptest::prelude::*;
use sconce_optim::ProximalL1;

fn numbers() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0., 1e-3, 0.5, 0.9, 1., 7., -0.1, f64::NAN, f64::INFINITY])
}

fn configs() -> impl Strategy<Value = Config> {
    let numbers = (numbers(), numbers(), numbers(), numbers(), numbers());
    (0..4, numbers, any::<(bool, bool)>()).prop_map(
        |(rule, (lr, a, b, c, weight_decay), (flag, maximize))| match rule {
            0 => Config::Sgd(SgdConfig {
                lr,
                momentum: a,
                dampening: b,
                weight_decay,
                nesterov: flag,
                maximize,
            }),
            1 => Config::Adam(AdamConfig {
                lr,
                betas: (a, b),
                eps: c,
                weight_decay,
                amsgrad: flag,
                maximize,
                ..ADAM
            }),
            2 => Config::Adagrad(AdagradConfig {
                lr,
                lr_decay: a,
                weight_decay,
                initial_accumulator_value: b,
                eps: c,
                maximize,
            }),
            _ => Config::RmsProp(RmsPropConfig {
                lr,
                alpha: a,
                eps: b,
                weight_decay,
                momentum: c,
                centered: flag,
                maximize,
            }),
        },
    )
}

#[test]
fn l1_of_an_empty_parameter_is_a_step() {
    let (store, params) = store(&[0, 3], DType::F32);
    let rule = Config::Sgd(SgdConfig::default()).try_rule(&store).unwrap();
    let mut rule = ProximalL1::new(rule as Box<dyn Optimize>, &store, "*", 0.1).unwrap();
    rule.step(&gradients(&store, &params)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_options_shapes_and_types(
        config in configs(),
        sizes in prop::collection::vec(0usize..9, 1..4),
        dtype in prop::sample::select(vec![DType::F32, DType::F64, DType::BF16, DType::F16]),
        lambda in numbers(),
        glob in prop::sample::select(vec!["*", "p0", "q*", "[", ""]),
    ) {
        let (store, params) = store(&sizes, dtype);
        match config.try_rule(&store) {
            Ok(mut rule) => {
                rule.step(&gradients(&store, &params))?;
                rule.step(&gradients(&store, &params))?;
                if let Ok(mut rule) = ProximalL1::new(rule as Box<dyn Optimize>, &store, glob, lambda) {
                    prop_assert!(lambda.is_finite() && lambda >= 0.);
                    rule.step(&gradients(&store, &params))?;
                }
                for (param, n) in params.iter().zip(&sizes) {
                    let value = param.value();
                    prop_assert_eq!((value.dims(), value.dtype()), (&[*n][..], dtype));
                }
            }
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.contains(" is ") && message.contains("expected"), "{message}");
            }
        }
    }
}
