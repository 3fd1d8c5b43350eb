use super::*;
use candle_core::{DType, Device};
use sconce_core::{Init, ParamStore, backward, param};
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::Random;
use sconce_testkit::golden::{Bound, compare};

/// Takes steps on random gradients by both of a rule's paths, under every instruction set: parameters and state must agree.
#[track_caller]
pub(crate) fn assert_kernel_is_composite<R: Rule>(rule: &R) {
    for level in Level::available() {
        with_level(level, || kernel_is_composite(rule));
    }
}

#[track_caller]
fn kernel_is_composite<R: Rule>(rule: &R) {
    for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
        let sizes = [1usize, 7, 64, 1003];
        let mut random = Random::new(5);
        let run = |composite: bool, slopes: &[Vec<Tensor>]| {
            let store = ParamStore::new(dtype, &Device::Cpu).seeded(1);
            let init = Init::Normal { mean: 0., std: 1. };
            let params: Vec<_> = (sizes.iter().enumerate())
                .map(|(i, &n)| param(&store.builder(), n, &format!("p{i}"), &init).unwrap())
                .collect();
            let mut engine = Engine::new(*rule, &store).unwrap();
            if composite {
                let count = rule.state_names(1).len();
                for slot in &mut engine.slots {
                    let start = |i| (slot.var.zeros_like().unwrap() + rule.initial_state(i)).unwrap();
                    let values = (0..count).map(start).collect();
                    slot.state = Some(State {
                        step: 0,
                        numbers: rule.initial_numbers(),
                        values: Values::Tensors { values, master: None },
                    });
                }
            }
            for slopes in slopes {
                let terms = params.iter().zip(slopes);
                let terms: Vec<_> = terms
                    .map(|(p, slope)| (p.tensor() * slope).unwrap().sum_all().unwrap())
                    .collect();
                let loss = Tensor::stack(&terms, 0).unwrap().sum_all().unwrap();
                engine.step(&backward(&loss, &store).unwrap()).unwrap();
            }
            let values = params.iter().map(|p| (p.name().to_string(), p.value()));
            values.chain(engine.state().unwrap()).collect::<Vec<_>>()
        };
        let mut step = || sizes.map(|n| random.normal(n, dtype).unwrap()).to_vec();
        let slopes = [step(), step(), step(), step()];
        for ((name, kernel), (_, composite)) in run(false, &slopes).iter().zip(&run(true, &slopes)) {
            compare(name, kernel, composite, bound).unwrap();
        }
    }
}
