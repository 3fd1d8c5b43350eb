use super::*;
use crate::{GatConv, GatConvConfig, Graph, InChannels, SageConv, SageConvConfig};
use candle_core::{DType, Device, Var};
use sconce_core::ParamStore;

/// Gives what it was made with.
struct Constant(Tensor);

impl Convolution for Constant {
    fn convolve(&self, _: &Graph, _: NodeFeatures<'_>, _: bool) -> Result<Tensor> {
        Ok(self.0.clone())
    }
}

fn setup() -> (HeteroGraph, FeatureMap) {
    let mut graph = HeteroGraph::new();
    graph.add_nodes("a", 1).unwrap();
    let none = Tensor::zeros((2, 0), DType::I64, &Device::Cpu).unwrap();
    for relation in ["r", "s", "t"] {
        graph.add_edges(("a", relation, "a"), &none).unwrap();
    }
    let x = Tensor::zeros((1, 3), DType::F64, &Device::Cpu).unwrap();
    (graph, FeatureMap::from([("a".to_string(), x)]))
}

fn layer(aggr: HeteroAggregation, results: &[Tensor]) -> HeteroConv {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let layer = HeteroConv::new(&HeteroConvConfig { aggr }, store.builder());
    let relations = ["r", "s", "t"].iter().zip(results);
    relations.fold(layer, |layer, (relation, result)| {
        layer
            .with(("a", *relation, "a"), |_| Ok(Constant(result.clone())))
            .unwrap()
    })
}

#[test]
fn aggregations_and_where_their_gradient_goes() {
    let (graph, x) = setup();
    let [r, s, t] =
        [[1f64, 5., 2.], [1., 3., f64::NAN], [0., 4., 9.]].map(|row| Var::new(&[row], &Device::Cpu).unwrap());
    let results = [&r, &s, &t].map(|v| v.as_tensor().clone());
    let run = |aggr| layer(aggr, &results).forward_t(&graph, &x, false).unwrap()["a"].clone();
    let row = |y: &Tensor| y.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(row(&run(HeteroAggregation::Sum))[..2], [2., 12.]);
    assert_eq!(row(&run(HeteroAggregation::Mean))[..2], [2. / 3., 4.]);
    assert_eq!(row(&run(HeteroAggregation::Min))[..2], [0., 3.]);
    assert_eq!(run(HeteroAggregation::Cat).dims(), [1, 9]);
    assert_eq!(run(HeteroAggregation::Stack).dims(), [1, 3, 3]);
    let largest = run(HeteroAggregation::Max);
    assert!(row(&largest)[2].is_nan());
    assert_eq!(row(&largest)[..2], [1., 5.]);
    let grads = largest.sum_all().unwrap().backward().unwrap();
    let grad = |v: &Var| row(grads.get(v).unwrap());
    assert_eq!(
        (grad(&r), grad(&s), grad(&t)),
        (vec![1., 1., 0.], vec![0., 0., 1.], vec![0.; 3])
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let (graph, x) = setup();
    let zeros = |shape: (usize, usize)| Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap();
    let uneven = layer(HeteroAggregation::Sum, &[zeros((1, 3)), zeros((1, 2))]);
    let error = uneven.forward_t(&graph, &x, false).unwrap_err().to_string();
    assert!(
        error.contains("HeteroConv into a: result has shape [1, 2], expected [1, 3]"),
        "{error}"
    );
    let absent = uneven.forward_t(&graph, &FeatureMap::new(), false).unwrap_err();
    assert!(
        absent
            .to_string()
            .contains("x is of [], expected also of a, for a__r__a")
    );
    let cat = layer(HeteroAggregation::Cat, &[zeros((1, 3)), zeros((1, 2))]);
    assert_eq!(cat.forward_t(&graph, &x, false).unwrap()["a"].dims(), [1, 5]);

    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let new = || HeteroConv::new(&HeteroConvConfig::default(), store.builder().pp("h"));
    let pair = InChannels::Pair(2, 3);
    let looped = new().with(("a", "r", "b"), |vb| {
        GatConv::new(&GatConvConfig::new(pair, 2), vb)
    });
    let error = looped.unwrap_err().to_string();
    assert!(
        error.contains("h (HeteroConv) of a__r__b: add_self_loops is true"),
        "{error}"
    );
    let sage = |vb| SageConv::new(&SageConvConfig::new(pair, 2), vb);
    let twice = new()
        .with(("a", "x.y", "b"), sage)
        .unwrap()
        .with(("a", "x.y", "b"), sage);
    assert!(twice.unwrap_err().to_string().contains("edge_type is a__x.y__b"));
    assert!(store.summary().contains("h.convs.<a___x#y___b>.lin_l.weight"));
}
