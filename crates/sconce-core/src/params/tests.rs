use super::*;
use crate::Error;
use crate::{Generator, backward, no_grad};
use candle_core::Device;
use candle_nn::Module;

fn fresh() -> ParamStore {
    ParamStore::new(DType::F32, &Device::Cpu).seeded(5)
}

const NORMAL: Init = Init::Normal { mean: 0., std: 1. };

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn order_is_that_of_creation_and_seeds_decide_the_values() {
    let draw = || {
        let store = fresh();
        for name in ["z", "a", "m"] {
            param(&store.builder(), 4, name, &NORMAL).unwrap();
        }
        store
    };
    let (a, b) = (draw(), draw());
    let names = |store: &ParamStore| {
        store
            .named_parameters()
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&a), ["z", "a", "m"]);
    for name in names(&a) {
        assert_eq!(flat(&a.get(&name).unwrap()), flat(&b.get(&name).unwrap()));
    }
    assert_ne!(flat(&a.get("z").unwrap()), flat(&a.get("a").unwrap()));
}

#[test]
fn asking_again_gives_the_same_parameter() {
    let store = fresh();
    let a = param(&store.builder(), 4, "w", &NORMAL).unwrap();
    let b = param(&store.builder(), 4, "w", &Init::Const(0.)).unwrap();
    assert_eq!(a.tensor().id(), b.tensor().id());
    let error = param(&store.builder(), 5, "w", &NORMAL).unwrap_err();
    assert!(
        matches!(&error, Error::Shape { layer, .. } if layer == "w"),
        "{error}"
    );
}

#[test]
fn frozen_parameters_are_read_detached_and_left_out() {
    let store = fresh();
    let vb = store.builder();
    let [a, b] = ["body.w", "head.w"].map(|name| param(&vb, 2, name, &NORMAL).unwrap());
    let loss = || (a.tensor() * b.tensor()).unwrap().sum_all().unwrap();
    assert_eq!(store.freeze("body.*").unwrap(), 1);
    let gradients = backward(&loss(), &store).unwrap();
    assert!(gradients.get("body.w").is_none() && gradients.get("head.w").is_some());
    assert!(gradients.missing().is_empty());
    store.unfreeze("body*").unwrap();
    assert_eq!(backward(&loss(), &store).unwrap().len(), 2);
    for bad in ["nothing*", "a[", ""] {
        assert!(matches!(store.freeze(bad), Err(Error::Glob { .. })), "{bad:?}");
    }
}

#[test]
fn what_is_frozen_can_be_read_and_put_back() {
    let store = fresh();
    let vb = store.builder();
    for name in ["body.w", "body.b", "head.w"] {
        param(&vb, 2, name, &NORMAL).unwrap();
    }
    buffer(&vb, 1, "head.mean", &NORMAL, DType::F32).unwrap();
    assert!(store.frozen_names().is_empty());
    store.freeze("body.*").unwrap();
    assert_eq!(store.frozen_names(), ["body.w", "body.b"]);
    store.set_frozen("body.b", false).unwrap();
    store.set_frozen("head.w", true).unwrap();
    assert_eq!(store.frozen_names(), ["body.w", "head.w"]);
    assert_eq!(store.num_trainable(), 2);
    for other in ["head.mean", "nothing"] {
        assert!(matches!(
            store.set_frozen(other, true),
            Err(Error::UnknownName(_))
        ));
    }

    let head = store.only("head.*").unwrap();
    assert_eq!(head.frozen_names(), ["head.w"]);
    assert!(head.set_frozen("body.w", false).is_err());
    head.set_frozen("head.w", false).unwrap();
    assert_eq!(store.frozen_names(), ["body.w"]);
    let map = candle_nn::VarMap::new();
    assert!(map.frozen_names().is_empty() && map.set_frozen("w", true).is_err());
}

#[test]
fn a_frozen_parameter_of_a_candle_layer_is_left_out_too() {
    let store = fresh();
    let layer = candle_nn::linear(3, 2, store.builder().pp("fc")).unwrap();
    let x = Tensor::ones((1, 3), DType::F32, &Device::Cpu).unwrap();
    store.freeze("fc.bias").unwrap();
    let gradients = backward(&layer.forward(&x).unwrap().sum_all().unwrap(), &store).unwrap();
    assert_eq!(
        gradients.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["fc.weight"]
    );
}

#[test]
fn no_grad_reads_detached() {
    let store = fresh();
    let w = param(&store.builder(), 2, "w", &NORMAL).unwrap();
    assert!(w.tensor().track_op());
    no_grad(|| {
        assert!(!w.tensor().track_op());
        no_grad(|| ());
        assert!(!w.tensor().track_op());
    });
    assert!(w.tensor().track_op());
    let caught = std::panic::catch_unwind(|| no_grad(|| panic!("inside")));
    assert!(caught.is_err() && is_grad_enabled());
}

#[test]
fn candles_var_map_serves_as_a_store() {
    let draw = || {
        crate::manual_seed(11);
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let w = param(&vb.pp("b"), (3, 3), "w", &Init::Orthogonal { gain: 1. }).unwrap();
        let again = param(&vb.pp("b"), (3, 3), "w", &NORMAL).unwrap();
        assert_eq!(flat(&w.value()), flat(&again.value()));
        buffer(&vb, 2, "a", &Init::Const(2.), DType::I64)
            .unwrap()
            .set(&Tensor::new(&[1i64, 2], &Device::Cpu).unwrap())
            .unwrap();
        (w, map)
    };
    let (w, map) = draw();
    let names: Vec<_> = map.named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b.w"]);
    assert_eq!(map.named_tensors().len(), 2);
    let gram = w.value().matmul(&w.value().t().unwrap()).unwrap();
    assert!((flat(&gram)[0] - 1.).abs() < 1e-6 && flat(&gram)[1].abs() < 1e-6);
    let gradients = backward(&w.tensor().sum_all().unwrap(), &map).unwrap();
    assert_eq!(flat(gradients.get("b.w").unwrap()), vec![1.; 9]);
}

#[test]
fn a_file_gives_its_own_values_and_buffers_of_the_layers_own() {
    let tensors = std::collections::HashMap::from([
        ("w".to_string(), Tensor::new(&[1f32, 2.], &Device::Cpu).unwrap()),
        ("steps".to_string(), Tensor::new(7i64, &Device::Cpu).unwrap()),
    ]);
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    assert_eq!(flat(&param(&vb, 2, "w", &NORMAL).unwrap().value()), [1., 2.]);
    let steps = buffer(&vb, (), "steps", &Init::Const(0.), DType::I64).unwrap();
    assert_eq!(steps.tensor().to_scalar::<i64>().unwrap(), 7);
    steps.set(&Tensor::new(8i64, &Device::Cpu).unwrap()).unwrap();
    assert_eq!(steps.tensor().to_scalar::<i64>().unwrap(), 8);
    assert!(param(&vb, 2, "absent", &NORMAL).is_err());
    assert!(param(&vb, 3, "w", &NORMAL).is_err());
}

#[test]
fn a_failed_request_does_not_leak_into_the_next() {
    let store = fresh();
    let empty = VarBuilder::from_tensors(Default::default(), DType::F32, &Device::Cpu);
    assert!(buffer(&empty, 2, "x", &Init::Const(9.), DType::F32).is_err());
    // A candle layer's own request must not be taken for the buffer above.
    candle_nn::linear(2, 2, store.builder()).unwrap();
    assert_eq!(store.named_parameters().len(), 2);
}

#[test]
fn initial_values_do_not_depend_on_the_dtype() {
    let draw = |dtype| {
        let tensor = NORMAL
            .tensor(10, dtype, &Device::Cpu, &Generator::new(3))
            .unwrap();
        flat(&tensor.to_dtype(DType::F32).unwrap())
    };
    assert_eq!(draw(DType::F32), draw(DType::F64));
}

#[test]
fn a_name_has_one_dtype_and_one_kind() {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let vb = store.builder();
    param(&vb, 2, "w", &Init::Const(1.)).unwrap();
    buffer(&vb, 2, "count", &Init::Const(0.), DType::I64).unwrap();
    let error = param(&vb.to_dtype(DType::F64), 2, "w", &Init::Const(1.)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "w: requested tensor has dtype F64, expected F32, which the store holds"
    );
    let error = buffer(&vb, 2, "w", &Init::Const(1.), DType::F32).unwrap_err();
    assert_eq!(
        error.to_string(),
        "w: kind is a buffer, expected a parameter, as which the store holds it"
    );
    assert!(param(&vb.to_dtype(DType::I64), 2, "count", &Init::Const(1.)).is_err());
    param(&vb, 2, "w", &Init::Const(1.)).unwrap();
}

#[test]
fn a_var_maps_buffers_are_not_trained() {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    param(&vb, 2, "weight", &Init::Const(1.)).unwrap();
    buffer(&vb, (), "count", &Init::Const(0.), DType::I64).unwrap();
    let names = |all: Vec<(String, Var)>| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(map.named_parameters()), ["weight"]);
    assert_eq!(names(map.named_tensors()), ["count", "weight"]);
}
