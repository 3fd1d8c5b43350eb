use super::*;
use crate::Random;
use candle_core::{CpuStorage, CustomOp1, Device, Shape};

type Check = std::result::Result<(), Box<dyn std::error::Error>>;

fn normal(seed: u64, shape: &[usize]) -> Result<Tensor> {
    Random::new(seed).normal(shape, DType::F64)
}

fn message<T: std::fmt::Debug>(result: std::result::Result<T, GradCheckError>) -> String {
    result.expect_err("the check must fail").to_string()
}

#[test]
fn right_functions_pass() -> Check {
    let (a, b, c) = (normal(1, &[3, 5])?, normal(2, &[5, 2])?, normal(3, &[1, 2])?);
    type Function = fn(&[Tensor]) -> Result<Tensor>;
    let table: &[(&str, Function)] = &[
        ("product", |t| t[0].matmul(&t[1])?.broadcast_mul(&t[2])),
        ("tanh", |t| t[0].matmul(&t[1])?.broadcast_add(&t[2])?.tanh()),
        ("relu", |t| t[0].matmul(&t[1])?.broadcast_add(&t[2])?.relu()),
    ];
    for (name, f) in table {
        let report =
            check_gradients(&[("a", &a), ("b", &b), ("c", &c)], f).map_err(|e| format!("{name}: {e}"))?;
        assert_eq!(
            report.inputs.iter().map(|i| i.compared).collect::<Vec<_>>(),
            [15, 10, 2]
        );
    }
    Ok(())
}

#[test]
fn a_value_used_as_a_constant_is_caught() -> Check {
    let x = normal(1, &[3, 5])?;
    let result = check_gradients(&[("x", &x)], |x| {
        x[0].exp()? * x[0].sum_all()?.to_scalar::<f64>()?
    });
    assert!(message(result).contains("`x` has a wrong gradient (contiguous inputs) in 15 of 15 elements"));
    Ok(())
}

#[test]
fn several_outputs_count() -> Check {
    let x = normal(4, &[2, 3])?;
    check_gradients(&[("x", &x)], |x| Ok((x[0].sin()?, x[0].sqr()?)))?;
    check_gradients(&[("x", &x)], |x| Ok([x[0].sin()?, x[0].sqr()?, x[0].exp()?]))?;
    let cut = check_gradients(&[("x", &x)], |x| Ok(vec![x[0].sin()?, x[0].detach().sqr()?]));
    assert!(message(cut).contains("`x` has a wrong gradient"));
    let none = check_gradients(&[("x", &x)], |_| Ok(Vec::new()));
    assert!(message(none).contains("no output"));
    Ok(())
}

#[test]
fn a_small_relative_error_is_caught() -> Check {
    struct Scaled;
    impl CustomOp1 for Scaled {
        fn name(&self) -> &'static str {
            "scaled"
        }
        fn cpu_fwd(&self, s: &CpuStorage, l: &candle_core::Layout) -> Result<(CpuStorage, Shape)> {
            let out: Vec<f64> = s.as_slice::<f64>()?.iter().map(|x| x * 1e-4).collect();
            Ok((CpuStorage::F64(out), l.shape().clone()))
        }
        fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
            Ok(Some((grad * (1e-4 * 1.00001))?))
        }
    }
    // The gradient itself is tiny: the bound must follow it.
    let x = normal(5, &[4, 3])?;
    assert!(
        message(check_gradients(&[("x", &x)], |x| x[0]
            .contiguous()?
            .apply_op1(Scaled)))
        .contains("12 of 12 elements")
    );
    Ok(())
}

#[test]
fn what_is_missing_or_zero_is_named() -> Check {
    let (x, w) = (normal(6, &[2, 3])?, normal(7, &[2, 3])?);
    let inputs = [("x", &x), ("w", &w)];
    let cut = |t: &[Tensor]| &t[0] * t[1].detach();
    assert!(message(check_gradients(&inputs, cut)).contains("`w` got no gradient"));
    let unused = |t: &[Tensor]| Ok(vec![t[0].sqr()?, (&t[1] - &t[1])?]);
    let zero = message(check_gradients(&inputs, unused));
    assert!(zero.contains("`w` has gradient zero everywhere"), "{zero}");
    let options = GradCheck {
        may_be_zero: &["w"],
        ..GradCheck::default()
    };
    options.check(&inputs, &[], unused)?;
    options.check(&inputs, &[], |t| t[0].sqr())?;
    // Allowed to be zero, but it isn't.
    assert!(message(options.check(&inputs, &[], cut)).contains("`w` has a wrong gradient"));
    Ok(())
}

#[test]
fn parameters_are_checked_and_restored() -> Check {
    let weight = Var::from_tensor(&normal(8, &[3, 4])?)?;
    let before = weight.flatten_all()?.to_vec1::<f64>()?;
    let x = normal(9, &[2, 3])?;
    let parameters = [("layer.weight".to_owned(), weight.clone())];
    let report = GradCheck::default().check(&[("x", &x)], &parameters, |x| x[0].matmul(&weight)?.sin())?;
    assert_eq!(
        report.inputs.iter().map(|i| i.compared).collect::<Vec<_>>(),
        [6, 12]
    );
    check_parameters(&parameters, || weight.sqr())?;
    let frozen = check_parameters(&parameters, || weight.detach().sqr());
    assert!(message(frozen).contains("`layer.weight` got no gradient"));
    assert_eq!(weight.flatten_all()?.to_vec1::<f64>()?, before);
    let single = [("w".to_owned(), Var::zeros((2, 2), DType::F32, &Device::Cpu)?)];
    assert!(message(check_parameters(&single, || weight.sqr())).contains("`w` is F32"));
    Ok(())
}

#[test]
fn layouts_must_not_matter() -> Check {
    // Reads the storage as if it were contiguous.
    struct IgnoresStrides;
    impl CustomOp1 for IgnoresStrides {
        fn name(&self) -> &'static str {
            "ignores-strides"
        }
        fn cpu_fwd(&self, s: &CpuStorage, l: &candle_core::Layout) -> Result<(CpuStorage, Shape)> {
            Ok((
                CpuStorage::F64(s.as_slice::<f64>()?[..l.shape().elem_count()].to_vec()),
                l.shape().clone(),
            ))
        }
        fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
            Ok(Some(grad.clone()))
        }
    }
    let x = normal(10, &[3, 4])?;
    let result = check_gradients(&[("x", &x)], |x| x[0].apply_op1(IgnoresStrides));
    assert!(message(result).contains("output 0 differs between contiguous and transposed inputs"));
    let contiguous = GradCheck {
        layouts: &[Layout::Contiguous],
        ..GradCheck::default()
    };
    contiguous.check(&[("x", &x)], &[], |x| x[0].apply_op1(IgnoresStrides))?;
    let all = GradCheck {
        layouts: Layout::ALL,
        ..GradCheck::default()
    };
    all.check(&[("x", &x)], &[], |x| x[0].sqr()?.sum_keepdim(1))?;
    Ok(())
}

#[test]
fn a_kink_beside_an_element_is_no_failure() -> Check {
    // 3e-6 lies within the default step of relu's kink, but not within a tenth of it.
    let x = Tensor::new(&[3e-6, -4e-6, 1.0], &Device::Cpu)?;
    check_gradients(&[("x", &x)], |x| x[0].relu())?;
    Ok(())
}

#[test]
fn large_inputs_are_sampled() -> Check {
    let x = normal(12, &[40, 50])?;
    let options = GradCheck {
        max_elements: 30,
        ..GradCheck::default()
    };
    let report = options.check(&[("x", &x)], &[], |x| x[0].tanh())?;
    assert_eq!(report.inputs[0].compared, 30);
    Ok(())
}

#[test]
fn randomness_and_errors_are_reported() -> Check {
    let x = normal(13, &[2, 3])?;
    let calls = std::cell::Cell::new(0.0);
    let noisy = check_gradients(&[("x", &x)], |x| {
        calls.set(calls.get() + 1.0);
        &x[0] + calls.get()
    });
    assert!(message(noisy).contains("two calls with the same inputs"));
    let failing = check_gradients(&[("x", &x)], |x| x[0].matmul(&x[0]));
    assert!(message(failing).contains("the function failed: "));
    let single = check_gradients(&[("x", &x)], |x| x[0].to_dtype(DType::F32));
    assert!(message(single).contains("`output 0` is F32"));
    Ok(())
}

#[test]
#[should_panic(expected = "`x` got no gradient")]
fn the_assertion_panics() {
    let x = normal(14, &[2]).expect("a tensor");
    assert_gradients(&[("x", &x)], |x| Ok(x[0].detach()));
}
