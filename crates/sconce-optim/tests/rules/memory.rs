//! Layouts, threads, and memory that parameters and gradients share.

use super::*;
use sconce_core::{Backward, Function, Output, apply1};
use sconce_testkit::Layout;
use sconce_testkit::property::check_thread_independence;

#[test]
fn any_layout_of_the_gradient_serves() {
    for (config, _) in RULES {
        let mut results = Vec::new();
        for &layout in Layout::ALL {
            let store = ParamStore::new(DType::F32, &Device::Cpu);
            let w = param(&store.builder(), (4, 6), "w", &Init::Const(0.5)).unwrap();
            let slope = layout
                .apply(&Random::new(7).normal((4, 6), DType::F32).unwrap())
                .unwrap();
            let mut rule = config.rule(&store);
            for _ in 0..3 {
                let loss = apply1(Slopes(vec![slope.clone()]), &[&w.tensor()]).unwrap();
                let gradients = backward(&loss, &store).unwrap();
                assert_eq!(
                    gradients.get("w").unwrap().is_contiguous(),
                    layout == Layout::Contiguous
                );
                rule.step(&gradients).unwrap();
            }
            results.push(w.value().copy().unwrap());
        }
        for result in &results[1..] {
            check_same_bits("layout", result, &results[0]).unwrap();
        }
    }
}

#[test]
fn many_sizes_have_the_same_bits_for_any_number_of_threads() {
    // On both sides of the size from which a tensor is split, and enough small ones for several tasks.
    let mut sizes = vec![0, 1, 3, 17, 64 * 1024 - 1, 64 * 1024, 70_003];
    sizes.extend((0..60).map(|i| 25 * i));
    for (config, _) in RULES {
        check_thread_independence(|| {
            let (store, params) = store(&sizes, DType::F32);
            let mut rule = config.rule(&store);
            for _ in 0..2 {
                rule.step(&gradients(&store, &params))?;
            }
            Ok(params.iter().map(Param::value).collect())
        })
        .unwrap();
    }
}

/// A gradient that is another parameter's own memory is read before that parameter changes.
#[test]
fn gradients_may_be_parameters() {
    for dtype in [DType::F64, DType::F32, DType::BF16, DType::F16] {
        let start = |values: [f64; 2]| {
            let values = Tensor::new(&values, &Device::Cpu).unwrap();
            Var::from_tensor(&values.to_dtype(dtype).unwrap()).unwrap()
        };
        let (a, b) = (start([1., -2.]), start([3., 5.]));
        let all = Named(vec![("a".into(), a.clone()), ("b".into(), b.clone())]);
        let slopes = Slopes(vec![b.detach(), a.detach()]);
        let loss = apply1(slopes, &[&a, &b]).unwrap();
        let cfg = SgdConfig { lr: 0.5, ..SGD };
        let mut sgd = Sgd::new(&cfg, &all).unwrap();
        sgd.step(&backward(&loss, &all).unwrap()).unwrap();
        let values = |var: &Var| var.to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(
            (values(&a), values(&b)),
            (vec![-0.5, -4.5], vec![2.5, 6.]),
            "{dtype:?}"
        );
    }
}

/// Zero, with these gradients, as they lie in memory.
struct Slopes(Vec<Tensor>);

impl Function for Slopes {
    type Saved = ();

    fn name(&self) -> &'static str {
        "slopes"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> candle_core::Result<(Vec<Output>, ())> {
        Ok((
            vec![Output::copy_of(&Tensor::zeros(
                (),
                inputs[0].dtype(),
                inputs[0].device(),
            )?)?],
            (),
        ))
    }

    fn backward(
        &self,
        _: &Backward<'_, ()>,
        _: &[Option<Tensor>],
    ) -> candle_core::Result<Vec<Option<Tensor>>> {
        Ok(self.0.iter().cloned().map(Some).collect())
    }
}
