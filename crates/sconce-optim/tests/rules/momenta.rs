//! Momenta that come and go while a rule is at work, as a schedule may set them.

use super::*;

/// A gradient of ones, for parameters longer than a vector of any instruction set.
fn ones(store: &ParamStore) -> Gradients {
    let all = store.named_parameters().into_iter();
    let all: Vec<_> = all.map(|(name, var)| (name, var.ones_like().unwrap())).collect();
    Gradients::from_tensors(all, []).unwrap()
}

/// Where a parameter that starts at 0 is after each step, taken with these momenta.
fn positions<R: Optimize>(make: impl Fn(&ParamStore) -> R, momenta: [f64; 4], dtype: DType) -> [f64; 4] {
    let store = ParamStore::new(dtype, &Device::Cpu);
    let w = param(&store.builder(), 70, "w", &Init::Const(0.)).unwrap();
    let mut rule = make(&store);
    momenta.map(|momentum| {
        rule.set_momenta(&[momentum]).unwrap();
        rule.state().unwrap();
        rule.step(&ones(&store)).unwrap();
        let values = w.value().to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
        assert!(values.iter().all(|value| *value == values[0]));
        values[0]
    })
}

#[test]
fn a_momentum_may_come_later_and_go() {
    for dtype in [DType::F64, DType::F32, DType::BF16] {
        let near = |a: [f64; 4], b: [f64; 4]| {
            let bound = if dtype == DType::BF16 { 1e-2 } else { 1e-6 };
            assert!(
                a.iter().zip(b).all(|(a, b)| (a - b).abs() <= bound * b.abs()),
                "{a:?} {b:?}"
            );
        };
        for dampening in [0., 0.5] {
            let sgd = |store: &ParamStore| {
                Sgd::new(
                    &SgdConfig {
                        lr: 1.,
                        dampening,
                        ..SGD
                    },
                    store,
                )
                .unwrap()
            };
            // PyTorch's: the buffer's first value is the gradient, whenever that is, and it waits while there is no momentum.
            near(
                positions(sgd, [0., 0.5, 0.5, 0.5], dtype),
                match dampening {
                    0. => [-1., -2., -3.5, -5.25],
                    _ => [-1., -2., -3., -4.],
                },
            );
            near(
                positions(sgd, [0.5, 0., 0., 0.5], dtype),
                match dampening {
                    0. => [-1., -2., -3., -4.5],
                    _ => [-1., -2., -3., -4.],
                },
            );
        }
        for centered in [false, true] {
            let cfg = RmsPropConfig {
                lr: 0.5,
                eps: 0.1,
                centered,
                ..RMS_PROP
            };
            let rms_prop = |store: &ParamStore| RmsProp::new(&cfg, store).unwrap();
            let plain = positions(rms_prop, [0.; 4], dtype);
            let step = |i: usize| plain[i] - plain[i - 1];
            let (second, third) = (step(1), step(2));
            let later = plain[2] + 0.5 * second;
            let last = later + step(3) + 0.5 * (third + 0.5 * second);
            near(
                positions(rms_prop, [0., 0.5, 0.5, 0.5], dtype),
                [plain[0], plain[1], later, last],
            );
            let back = plain[3] + 0.5 * plain[0];
            near(
                positions(rms_prop, [0.5, 0., 0., 0.5], dtype),
                [plain[0], plain[1], plain[2], back],
            );
        }
    }
}
