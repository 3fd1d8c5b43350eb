//! The kernel against the composite, under every instruction set and number of threads.

use super::*;
use proptest::prelude::*;
use sconce_testkit::property::check_thread_independence;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn kernel_is_composite(
        seed: u64, rows in 1usize..9, classes in 1usize..40, reduction in 0usize..3, options: bool, single: bool,
    ) {
        let (dtype, bound) = if single { (DType::F32, Bound::F32) } else { (DType::F64, Bound::F64) };
        let mut random = Random::new(seed);
        let (targets, mut cfg) = sample(&mut random, rows, classes);
        if !options {
            (cfg.weight, cfg.label_smoothing) = (None, 0.);
        }
        let reduction = REDUCTIONS[reduction];
        let x = Var::from_tensor(&(random.normal((rows, classes), dtype)? * 5.)?)?;
        let oracle = composite::cross_entropy(&x, &checked(&x, &targets, &cfg)?, cfg.label_smoothing, reduction)?;
        let expected = oracle.sqr()?.sum_all()?.backward()?;
        for level in Level::available() {
            let (loss, gradients) = with_level(level, || {
                let loss = cross_entropy_with(&x, &targets, &cfg, reduction)?;
                let gradients = loss.sqr()?.sum_all()?.backward()?;
                Ok::<_, candle_core::Error>((loss, gradients))
            })?;
            compare("loss", &loss, &oracle, bound)?;
            compare("gradient", gradients.get(&x).unwrap(), expected.get(&x).unwrap(), bound)?;
        }
    }
}

#[test]
fn many_rows_have_the_same_bits_for_any_number_of_threads() {
    let mut random = Random::new(2);
    for (rows, classes) in [(3001, 67), (5, 70_001)] {
        let x = Var::from_tensor(&random.normal((rows, classes), DType::F32).unwrap()).unwrap();
        let targets = random.indices(rows, classes).unwrap();
        check_thread_independence(|| {
            let loss = cross_entropy(&x, &targets, Reduction::Mean)?;
            let gradient = loss.backward()?.remove(&x).unwrap_or(x.zeros_like()?);
            Ok(vec![loss, gradient])
        })
        .unwrap();
    }
}

fn checked(x: &Tensor, targets: &Tensor, cfg: &CrossEntropyConfig) -> sconce_core::Result<Rows> {
    Rows::new(NAME, "logits", x, targets, cfg.weight.as_ref(), cfg.ignore_index)
}
