use super::*;
use candle_core::Var;
use sconce_core::ParamStore;

fn setup(cfg: &GcnConvConfig) -> GcnConv {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    GcnConv::new(cfg, store.builder().pp("gcn")).unwrap()
}

fn graph(ends: [[i64; 3]; 2]) -> Graph {
    Graph::new(3, &Tensor::new(&ends, &Device::Cpu).unwrap()).unwrap()
}

fn x() -> Tensor {
    Tensor::new(&[[1f64, 2.], [3., 4.], [5., 7.]], &Device::Cpu).unwrap()
}

#[test]
fn cached_weights_are_those_of_the_same_graph_alone() {
    let cfg = GcnConvConfig {
        cached: true,
        ..GcnConvConfig::new(2, 2)
    };
    let layer = setup(&cfg);
    let (a, b) = (graph([[0, 1, 2], [1, 2, 0]]), graph([[0, 1, 2], [0, 0, 0]]));
    let run = |g: &Graph| layer.forward(g, &x()).unwrap().to_vec2::<f64>().unwrap();
    let first = run(&a);
    assert_ne!(run(&b), first);
    assert_eq!(run(&a), first);
    assert_eq!(run(&a), first);
    // Learned weights are never cached.
    let w = Var::new(&[1f64, 2., 3.], &Device::Cpu).unwrap();
    let weighted = a.with_edge_weight(&w).unwrap();
    for _ in 0..2 {
        let grads = layer
            .forward(&weighted, &x())
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        assert!(grads.get(&w).is_some());
    }
}

#[test]
fn degree_zero_gives_no_nan() {
    let w = Var::new(&[0f64, 0., 1.], &Device::Cpu).unwrap();
    let g = graph([[0, 1, 2], [1, 1, 0]]).with_edge_weight(&w).unwrap();
    let weight = gcn_norm(&g, false, false, DType::F64, &Device::Cpu).unwrap();
    let weight = weight.edge_weight().unwrap().clone();
    let grads = weight.sum_all().unwrap().backward().unwrap();
    for t in [&weight, grads.get(&w).unwrap()] {
        assert!(t.to_vec1::<f64>().unwrap().iter().all(|v| v.is_finite()));
    }
}

#[test]
fn bad_calls_name_the_layer() {
    let layer = setup(&GcnConvConfig::new(2, 2));
    let g = graph([[0, 1, 2], [1, 2, 0]]);
    let zeros = |shape: &[usize], dtype| Tensor::zeros(shape, dtype, &Device::Cpu).unwrap();
    let weighted = g.clone().with_edge_weight(&zeros(&[3], DType::F32)).unwrap();
    let bipartite = Graph::bipartite(3, 4, &Tensor::zeros((2, 0), DType::I64, &Device::Cpu).unwrap());
    for (result, message) in [
        (
            layer.forward(&g, &zeros(&[3, 5], DType::F64)),
            "gcn (GcnConv): x has shape [3, 5], expected [num_nodes = 3, in_channels = 2]",
        ),
        (layer.forward(&g, &zeros(&[2, 2], DType::F64)), "[num_nodes = 3"),
        (layer.forward(&g, &zeros(&[3, 2], DType::F32)), "F32"),
        (
            layer.forward(&weighted, &x()),
            "gcn (GcnConv): edge_weight has dtype F32",
        ),
        (
            layer.forward(&bipartite.unwrap(), &x()),
            "gcn (GcnConv): graph is Graph of 3 sources",
        ),
    ] {
        let error = Error::from(result.unwrap_err()).to_string();
        assert!(error.contains(message), "{error}");
    }
    let cfg = GcnConvConfig {
        normalize: false,
        add_self_loops: Some(true),
        ..GcnConvConfig::new(2, 2)
    };
    let vb = ParamStore::new(DType::F64, &Device::Cpu).builder();
    assert!(
        GcnConv::new(&cfg, vb.clone())
            .unwrap_err()
            .to_string()
            .contains("add_self_loops")
    );
    assert!(GcnConv::new(&GcnConvConfig::new(0, 2), vb).is_err());
}
