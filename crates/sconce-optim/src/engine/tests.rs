use super::*;
use candle_core::{DType, Device};
use sconce_core::{Init, ParamStore, backward, param};
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::Random;
use sconce_testkit::golden::{Bound, compare};

/// Takes steps on random gradients by both of a rule's paths, under every instruction set: parameters and state must agree.
#[track_caller]
pub(crate) fn assert_kernel_is_composite<R: Rule>(rule: &R) {
    assert_kernel_is_composite_on(rule, &[&[1], &[7], &[64], &[1003]], [Bound::F64, Bound::F32]);
}

/// [`assert_kernel_is_composite`] on parameters of these shapes.
#[track_caller]
pub(crate) fn assert_kernel_is_composite_on<R: Rule>(rule: &R, shapes: &[&[usize]], [f64, f32]: [Bound; 2]) {
    for level in Level::available() {
        with_level(level, || {
            kernel_is_composite(rule, shapes, DType::F64, f64);
            kernel_is_composite(rule, shapes, DType::F32, f32);
        });
    }
}

#[track_caller]
fn kernel_is_composite<R: Rule>(rule: &R, shapes: &[&[usize]], dtype: DType, bound: Bound) {
    let mut random = Random::new(5);
    let run = |composite: bool, slopes: &[Vec<Tensor>]| {
        let store = ParamStore::new(dtype, &Device::Cpu).seeded(1);
        let init = Init::Normal { mean: 0., std: 1. };
        let params: Vec<_> = (shapes.iter().enumerate())
            .map(|(i, &shape)| param(&store.builder(), shape, &format!("p{i}"), &init).unwrap())
            .collect();
        let mut engine = Engine::new(*rule, &store).unwrap();
        if composite {
            for slot in &mut engine.slots {
                let values = composite_values(rule, &slot.var);
                slot.state = Some(State {
                    kept: values.len(),
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
    let mut step = || -> Vec<Tensor> {
        let slopes = shapes.iter().map(|&shape| random.normal(shape, dtype));
        slopes.collect::<candle_core::Result<_>>().unwrap()
    };
    let slopes = [step(), step(), step(), step()];
    for ((name, kernel), (_, composite)) in run(false, &slopes).iter().zip(&run(true, &slopes)) {
        compare(name, kernel, composite, bound).unwrap();
    }
}

/// A state's first values, as the composite keeps them.
fn composite_values<R: Rule>(rule: &R, var: &Var) -> Vec<Tensor> {
    let names = rule.state_names(var.rank()).iter().enumerate();
    names
        .map(|(i, _)| {
            let zeros = Tensor::zeros(R::state_dims(i, var.dims()), var.dtype(), &Device::Cpu).unwrap();
            (zeros + rule.initial_state(i)).unwrap()
        })
        .collect()
}

/// By either path a gradient that isn't a number makes the parameter none, where PyTorch's rules by sign pass over it in silence.
#[track_caller]
pub(crate) fn assert_nan_shows<R: Rule>(rule: &R) {
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let store = ParamStore::new(dtype, &Device::Cpu);
        let p = param(&store.builder(), 2, "p", &Init::Const(1.)).unwrap();
        let slope = Tensor::new(&[f64::NAN, 1.], &Device::Cpu)
            .unwrap()
            .to_dtype(dtype)
            .unwrap();
        let gradients = sconce_core::Gradients::from_tensors([("p".to_string(), slope)], []).unwrap();
        Engine::new(*rule, &store).unwrap().step(&gradients).unwrap();
        let p = p.value().to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
        assert!(p[0].is_nan() && p[1] < 1., "{dtype:?}: {p:?}");
    }
}
