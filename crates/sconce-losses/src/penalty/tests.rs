use super::*;
use crate::{Reduction, mse};
use candle_core::Device;
use sconce_core::candle_nn::{VarBuilder, VarMap};
use sconce_core::{Init, Param, ParamStore, backward, no_grad, param};
use sconce_testkit::{Random, check_parameters};

fn store(dtype: DType) -> (ParamStore, [Param; 3]) {
    let store = ParamStore::new(dtype, &Device::Cpu).seeded(1);
    let init = Init::Normal { mean: 0., std: 1. };
    let params = [("a.weight", 5), ("a.bias", 3), ("b.weight", 2)]
        .map(|(name, n)| param(&store.builder(), n, name, &init).unwrap());
    (store, params)
}

#[test]
fn gradients_are_right() {
    let (store, _) = store(DType::F64);
    let all = store.named_parameters();
    check_parameters(&all, || l1_penalty(&store, "*", 0.3)).unwrap();
    check_parameters(&all, || l2_penalty(&store, "*", 0.3)).unwrap();
    check_parameters(&all, || elastic_net(&store, "*", 0.3, 0.7)).unwrap();
}

#[test]
fn added_to_a_data_loss_they_add_their_gradient() {
    let (store, [weight, ..]) = store(DType::F64);
    let target = Random::new(2).normal(5, DType::F64).unwrap();
    check_parameters(&store.named_parameters(), || {
        let squares = store.named_parameters();
        let others = squares.iter().map(|(_, var)| var.sqr()?.sum_all());
        let others = Tensor::stack(&others.collect::<Result<Vec<_>>>()?, 0)?.sum_all()?;
        let data = mse(&weight.tensor().tanh()?, &target, Reduction::Mean)?;
        (data + others)? + elastic_net(&store, "*.weight", 0.2, 0.1)?
    })
    .unwrap();
}

#[test]
fn only_what_matches_and_is_trained_counts() {
    let (store, [a, bias, b]) = store(DType::F64);
    let norm = |p: &Param| {
        p.value()
            .abs()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_scalar::<f64>()
            .unwrap()
    };
    let value = |glob: &str| l1_penalty(&store, glob, 1.).unwrap().to_scalar::<f64>().unwrap();
    let near = |x: f64, y: f64| assert!((x - y).abs() < 1e-12, "{x}, not {y}");
    near(value("*"), norm(&a) + norm(&bias) + norm(&b));
    near(value("*.weight"), norm(&a) + norm(&b));
    let gradients = backward(&l1_penalty(&store, "b*", 1.).unwrap(), &store).unwrap();
    assert_eq!(gradients.missing(), ["a.weight", "a.bias"]);
    store.freeze("b.*").unwrap();
    near(value("*.weight"), norm(&a));
    assert!(!no_grad(|| l1_penalty(&store, "*", 1.).unwrap().track_op()));
}

#[test]
fn the_slope_of_l1_at_zero_is_zero() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let w = param(&store.builder(), 3, "w", &Init::Const(0.)).unwrap();
    store
        .set("w", &Tensor::new(&[-2., 0., 3.], &Device::Cpu).unwrap())
        .unwrap();
    let gradients = backward(&l1_penalty(&store, "w", 0.5).unwrap(), &store).unwrap();
    assert_eq!(
        gradients.get(w.name()).unwrap().to_vec1::<f64>().unwrap(),
        [-0.5, 0., 0.5]
    );
}

#[test]
fn every_type_and_candles_varmap_serve() {
    for dtype in [DType::F32, DType::BF16, DType::F16] {
        let (store, _) = store(dtype);
        let penalty = elastic_net(&store, "*", 0.1, 0.1).unwrap();
        assert_eq!((penalty.dtype(), penalty.rank()), (dtype, 0));
        assert_eq!(backward(&penalty, &store).unwrap().len(), 3);
    }
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    param(&vb, 4, "w", &Init::Const(2.)).unwrap();
    assert_eq!(
        l2_penalty(&map, "w", 1.).unwrap().to_scalar::<f32>().unwrap(),
        16.
    );
}

/// 10⁻⁸ is 0 in half precision; times a large parameter it is not.
#[test]
fn a_small_strength_in_half_precision() {
    let store = ParamStore::new(DType::F16, &Device::Cpu);
    param(&store.builder(), 1, "w", &Init::Const(100.)).unwrap();
    let gradients = backward(&l2_penalty(&store, "*", 1e-8).unwrap(), &store).unwrap();
    let gradient = gradients.get("w").unwrap().to_dtype(DType::F64).unwrap();
    let gradient = gradient.to_vec1::<f64>().unwrap()[0];
    assert!((gradient - 2e-6).abs() < 1e-7, "{gradient}");
}

/// In half precision a sum of ones would stop at 256 or at 2048; one of squares would pass the largest number of `f16`.
#[test]
fn many_parameters_in_half_precision() {
    for dtype in [DType::BF16, DType::F16] {
        let store = ParamStore::new(dtype, &Device::Cpu);
        param(&store.builder(), 4000, "a", &Init::Const(1.)).unwrap();
        param(&store.builder(), 4000, "b", &Init::Const(-32.)).unwrap();
        let value = |penalty: Result<Tensor>| {
            let penalty = penalty.unwrap().to_dtype(DType::F64).unwrap();
            penalty.to_scalar::<f64>().unwrap()
        };
        assert_eq!(value(l1_penalty(&store, "a", 1.)), 4000.);
        // 4000 · 32² · 2⁻¹⁰
        assert_eq!(value(l2_penalty(&store, "b", 1. / 1024.)), 4000.);
        assert_eq!(
            value(elastic_net(&store, "b", 1. / 64., 1. / 2048.)),
            2000. + 2000.
        );
    }
}

#[test]
fn without_strength_they_are_zero() {
    let (store, _) = store(DType::F64);
    let penalty = elastic_net(&store, "*", 0., 0.).unwrap();
    assert_eq!(penalty.to_scalar::<f64>().unwrap(), 0.);
    assert_eq!(backward(&penalty, &store).unwrap().len(), 3);
}

#[test]
fn bad_arguments() {
    let (store, _) = store(DType::F32);
    let message = |result: Result<Tensor>| Error::from(result.unwrap_err()).to_string();
    for (result, expected) in [
        (
            l1_penalty(&store, "*", -1.),
            "l1_penalty: lambda is -1, expected a finite number, at least 0",
        ),
        (
            l2_penalty(&store, "*", f64::NAN),
            "l2_penalty: lambda is NaN, expected a finite number, at least 0",
        ),
        (
            elastic_net(&store, "*", 1., -1.),
            "elastic_net: l2 is -1, expected a finite number, at least 0",
        ),
        (
            l1_penalty(&store, "c.*", 1.),
            "\"c.*\" matches no trained parameter",
        ),
        (
            l1_penalty(&store, "[", 1.),
            "\"[\" is not a glob: unclosed character class; missing ']'",
        ),
    ] {
        assert_eq!(message(result), expected);
    }
}
