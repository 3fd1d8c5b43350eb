use super::*;
use crate::schedule::{CosineAnnealingWarmRestarts, CyclicLr, StepLr};
use crate::{Adam, AdamConfig};
use sconce_core::{Init, ParamStore, param};

fn adam(lr: f64) -> Adam {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    param(&store.builder(), 1, "w", &Init::Const(1.)).unwrap();
    let cfg = AdamConfig {
        lr,
        ..AdamConfig::default()
    };
    Adam::new(&cfg, &store).unwrap()
}

/// An optimiser of another rate goes on with those of the one that was saved, where they follow from the first.
#[test]
fn a_state_brings_its_initial_rates() {
    let schedule = CosineAnnealingWarmRestarts::new(5);
    let (mut rule, mut other) = (adam(0.4), adam(0.1));
    let mut scheduler = Scheduler::new(schedule, &mut rule).unwrap();
    let mut resumed = Scheduler::new(schedule, &mut other).unwrap();
    scheduler.step(&mut rule).unwrap();
    resumed
        .load_state(&scheduler.state(&rule).unwrap(), &mut other)
        .unwrap();
    for _ in 0..10 {
        assert_eq!(rule.learning_rate(), other.learning_rate());
        scheduler.step(&mut rule).unwrap();
        resumed.step(&mut other).unwrap();
    }
}

/// Rates and momenta are set one after the other: an error at the second takes the first back.
#[test]
fn momenta_that_cannot_be_leave_the_rates() {
    let mut rule = adam(0.4);
    let schedule = CyclicLr {
        max_momentum: 1.0.into(),
        ..CyclicLr::new(0.1, 0.5)
    };
    let error = Scheduler::new(schedule, &mut rule).err().unwrap().to_string();
    assert!(error.contains("betas.0 is 1"), "{error}");
    assert_eq!((rule.learning_rate(), rule.momenta()), (0.4, vec![0.9]));

    let mut scheduler = Scheduler::new(StepLr::new(2), &mut rule).unwrap();
    let mut state = scheduler.state(&adam(0.2)).unwrap();
    state.retain(|(name, _)| name != MOMENTUM);
    state.push((MOMENTUM.to_string(), Tensor::new(&[2.], &Device::Cpu).unwrap()));
    assert!(scheduler.load_state(&state, &mut rule).is_err());
    assert_eq!((rule.learning_rate(), rule.momenta()), (0.4, vec![0.9]));
}

#[test]
fn a_second_schedule_starts_where_the_first_did() {
    let mut rule = adam(0.1);
    let initial = rule.learning_rates();
    let mut warm_up = Scheduler::new(
        crate::schedule::LinearLr {
            start_factor: 0.5,
            total_iters: 4,
            ..Default::default()
        },
        &mut rule,
    )
    .unwrap();
    let factor = crate::schedule::LambdaLr::new(|step| 1. / (step + 1) as f64);
    let error = Scheduler::from_rates(StepLr::new(1), &[0.1, 0.2], &mut rule)
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("expected one for each of the 1 groups"),
        "{error}"
    );
    let mut fall = Scheduler::from_rates(factor, &initial, &mut rule).unwrap();
    let mut rates = vec![rule.learning_rate()];
    for _ in 0..2 {
        warm_up.step(&mut rule).unwrap();
        fall.step(&mut rule).unwrap();
        rates.push(rule.learning_rate());
    }
    for (rate, expected) in rates.iter().zip([0.1, 0.05, 0.1 / 3.]) {
        assert!((rate - expected).abs() < 1e-15, "{rates:?}");
    }
}
