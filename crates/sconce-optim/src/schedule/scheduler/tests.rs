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
