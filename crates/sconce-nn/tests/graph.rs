//! The picture of a network's graph.

use candle_core::{DType, Device, Module, Tensor};
use sconce_core::{ParamStore, graph};
use sconce_nn::{Linear, LinearConfig, Relu};

#[test]
fn layers_parameters_and_what_lies_between() {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let vb = store.builder();
    let fc1 = Linear::new(&LinearConfig::new(4, 3), vb.pp("fc1")).unwrap();
    let fc2 = Linear::new(&LinearConfig::new(3, 2), vb.pp("fc2")).unwrap();
    let x = Tensor::ones((5, 4), DType::F32, &Device::Cpu).unwrap();
    let (y, graph) = graph::record(|| {
        let h = Relu.forward(&fc1.forward(&x)?)?;
        // Two plain candle operations, which can't be seen one by one.
        fc2.forward(&((h * 2.)? + 1.)?)
    });
    assert_eq!(y.unwrap().dims(), [5, 2]);
    let dot = graph.dot();
    let names: Vec<&str> = graph.operations().filter(|&name| name != "reshape").collect();
    assert_eq!(names, ["linear", "relu", "linear"]);
    for parameter in ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"] {
        assert_eq!(dot.matches(&format!("label=\"{parameter}\"")).count(), 1, "{dot}");
    }
    assert_eq!(dot.matches("candle operations").count(), 1, "{dot}");
    for label in ["\"input\"", "\"output\"", "\"[3, 4]\"", "\"[5, 2]\""] {
        assert!(dot.contains(label), "{label} in {dot}");
    }
    // Outside the scope nothing is recorded.
    assert_eq!(graph::record(|| ()).1.operations().count(), 0);
}
