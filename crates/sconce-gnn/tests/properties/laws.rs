//! Laws that graph layers obey.

use super::{edges, store};
use candle_core::{DType, Device, Result, Tensor};
use sconce_core::{ParamStore, Parameters, backward};
use sconce_gnn::*;
use sconce_nn::{Linear, LinearConfig};
use sconce_testkit::Random;
use sconce_testkit::property::{check_same_bits, check_thread_independence};

fn random_graph(random: &mut Random, nodes: usize, count: usize) -> Graph {
    let mut ends = || (0..count).map(|_| random.integer(0, nodes - 1) as i64).collect();
    Graph::new(nodes, &edges(ends(), ends())).unwrap()
}

type Forward = Box<dyn Fn(&Graph, &Tensor) -> Result<Tensor> + Sync>;

/// Every convolution over square graphs, by name, three channels to four.
fn layers(seed: u64) -> Vec<(&'static str, ParamStore, Forward)> {
    let mut all: Vec<(&'static str, ParamStore, Forward)> = Vec::new();
    let stores = || store(seed);
    let s = stores();
    let layer = GcnConv::new(&GcnConvConfig::new(3, 4), s.builder()).unwrap();
    all.push(("gcn", s, Box::new(move |g, x| layer.forward(g, x))));
    let s = stores();
    let cfg = GatConvConfig {
        heads: 2,
        ..GatConvConfig::new(3, 2)
    };
    let layer = GatConv::new(&cfg, s.builder()).unwrap();
    all.push(("gat", s, Box::new(move |g, x| layer.forward_t(g, x, true))));
    for (name, aggr) in Aggregation::ALL {
        let s = stores();
        let cfg = SageConvConfig {
            aggr: vec![aggr],
            ..SageConvConfig::new(3, 4)
        };
        let layer = SageConv::new(&cfg, s.builder()).unwrap();
        all.push((name, s, Box::new(move |g, x| layer.forward(g, x))));
    }
    let s = stores();
    let cfg = GinConvConfig {
        train_eps: true,
        ..GinConvConfig::default()
    };
    let layer = GinConv::new(&cfg, s.builder(), |vb| Linear::new(&LinearConfig::new(3, 4), vb)).unwrap();
    all.push(("gin", s, Box::new(move |g, x| layer.forward_t(g, x, true))));
    let s = stores();
    let layer = RgcnConv::new(&RgcnConvConfig::new(3, 4, 1), s.builder()).unwrap();
    let zeros = |g: &Graph| Tensor::zeros(g.num_edges(), DType::I64, &Device::Cpu);
    all.push(("rgcn", s, Box::new(move |g, x| layer.forward(g, x, &zeros(g)?))));
    let s = stores();
    let cell = TgcnCell::new(&TgcnCellConfig::new(3, 4), s.builder()).unwrap();
    all.push(("tgcn", s, Box::new(move |g, x| cell.forward(g, x, None))));
    all
}

fn assert_close(name: &str, a: &Tensor, b: &Tensor) {
    assert_eq!(a.dims(), b.dims(), "{name}");
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    for (a, b) in flat(a).iter().zip(flat(b)) {
        assert!((a - b).abs() <= 1e-12 * (1. + b.abs()), "{name}: {a} and {b}");
    }
}

#[test]
fn numbering_of_nodes_and_order_of_edges_do_not_matter() {
    let mut random = Random::new(1);
    for _ in 0..10 {
        let (nodes, count) = (random.integer(1, 9), random.integer(0, 20));
        let graph = random_graph(&mut random, nodes, count);
        let x = random.normal((nodes, 3), DType::F64).unwrap();
        let (renamed, shuffled) = (random.permutation(nodes), random.permutation(count));
        let pick = |ends: Vec<usize>| shuffled.iter().map(|&e| renamed[ends[e]] as i64).collect();
        let (source, target) = (pick(graph.source().to_vec()), pick(graph.target().to_vec()));
        let other = Graph::new(nodes, &edges(source, target)).unwrap();
        let places: Vec<i64> = renamed.iter().map(|&node| node as i64).collect();
        let renamed = Index::new(&Tensor::new(places, &Device::Cpu).unwrap(), nodes).unwrap();
        // Row i of x is row renamed[i] of the other.
        let there = scatter(&x, &renamed, Aggregation::Sum).unwrap();
        for (name, _, layer) in layers(2) {
            let y = layer(&graph, &x).unwrap();
            let back = gather(&layer(&other, &there).unwrap(), &renamed).unwrap();
            assert_close(name, &back, &y);
        }
    }
}

#[test]
fn a_batch_is_its_graphs() {
    let mut random = Random::new(3);
    let graphs: Vec<Graph> = [(4, 9), (1, 0), (6, 2), (3, 12)]
        .map(|(nodes, count)| {
            let x = random.normal((nodes, 3), DType::F64).unwrap();
            random_graph(&mut random, nodes, count).with_x(&x).unwrap()
        })
        .to_vec();
    let batch = GraphBatch::new(&graphs).unwrap();
    for (name, _, layer) in layers(4) {
        let y = layer(batch.graph(), batch.graph().x().unwrap()).unwrap();
        let alone: Vec<Tensor> = graphs.iter().map(|g| layer(g, g.x().unwrap()).unwrap()).collect();
        assert_close(name, &y, &Tensor::cat(&alone, 0).unwrap());
        let pooled = global_mean_pool(&y, Some(batch.index())).unwrap();
        for (k, alone) in alone.iter().enumerate() {
            let mean = global_mean_pool(alone, None).unwrap();
            assert_close(name, &pooled.narrow(0, k, 1).unwrap(), &mean);
        }
    }
}

#[test]
fn explicit_messages_equal_the_fused_path() {
    let mut random = Random::new(5);
    let graph = random_graph(&mut random, 6, 15);
    let weights = random.uniform(15, 0.1, 2., DType::F64).unwrap();
    let graph = graph.with_edge_weight(&weights).unwrap();
    let x = random.normal((6, 3), DType::F64).unwrap();
    /// The steps one after the other, whatever the layer overrides.
    struct Plain<'a, M>(&'a M);
    impl<M: MessagePassing> MessagePassing for Plain<'_, M> {
        fn message(&self, edges: &Edges<'_>) -> Result<Tensor> {
            self.0.message(edges)
        }
        fn aggregate(&self, messages: &Tensor, edges: &Edges<'_>) -> Result<Tensor> {
            self.0.aggregate(messages, edges)
        }
        fn update(&self, aggregated: Tensor, edges: &Edges<'_>) -> Result<Tensor> {
            self.0.update(aggregated, edges)
        }
    }
    let gcn = GcnConv::new(&GcnConvConfig::new(3, 4), store(1).builder()).unwrap();
    assert_close(
        "gcn",
        &gcn.propagate(&graph, &x).unwrap(),
        &Plain(&gcn).propagate(&graph, &x).unwrap(),
    );
    let plain = graph.clone().without_edge_weight();
    let cfg = SageConvConfig {
        aggr: vec![Aggregation::Sum],
        ..SageConvConfig::new(3, 4)
    };
    let sage = SageConv::new(&cfg, store(1).builder()).unwrap();
    assert_close(
        "sage",
        &sage.propagate(&plain, &x).unwrap(),
        &Plain(&sage).propagate(&plain, &x).unwrap(),
    );
    let gin = GinConv::new(&GinConvConfig::default(), store(1).builder(), |vb| {
        Linear::new(&LinearConfig::new(3, 4), vb)
    })
    .unwrap();
    assert_close(
        "gin",
        &gin.propagate(&plain, &x).unwrap(),
        &Plain(&gin).propagate(&plain, &x).unwrap(),
    );
    let gat = GatConv::new(
        &GatConvConfig {
            heads: 2,
            ..GatConvConfig::new(3, 4)
        },
        store(1).builder(),
    )
    .unwrap();
    let alpha = random.normal((15, 2), DType::F64).unwrap();
    let heads = random.normal((6, 2, 4), DType::F64).unwrap();
    let attended = plain.with_edge_attr(&alpha).unwrap();
    let fused = gat.propagate(&attended, &heads).unwrap();
    assert_close("gat", &fused, &Plain(&gat).propagate(&attended, &heads).unwrap());
}

#[test]
fn threads_and_repetition_give_the_same_bits() {
    let mut random = Random::new(6);
    let graph = random_graph(&mut random, 3000, 20_000);
    let x = random.normal((3000, 3), DType::F64).unwrap();
    let index = graph.target();
    let messages = random.normal((20_000, 8), DType::F64).unwrap();
    for (_, aggregation) in Aggregation::ALL {
        check_thread_independence(|| Ok(vec![scatter(&messages, index, aggregation)?])).unwrap();
    }
    check_thread_independence(|| Ok(vec![scatter_softmax(&messages, index)?])).unwrap();
    for (name, _, layer) in layers(7) {
        check_thread_independence(|| Ok(vec![layer(&graph, &x)?])).unwrap();
        let gradients = || {
            let (_, store, layer) = layers(7).into_iter().find(|(other, ..)| *other == name).unwrap();
            let gradients = backward(&layer(&graph, &x)?.sqr()?.sum_all()?, &store)?;
            assert!(
                gradients.missing().is_empty(),
                "{name}: {:?}",
                gradients.missing()
            );
            gradients
                .iter()
                .map(|(_, g)| g.flatten_all())
                .collect::<Result<Vec<_>>>()
        };
        let (a, b) = (gradients().unwrap(), gradients().unwrap());
        let cat = |all: &[Tensor]| Tensor::cat(all, 0).unwrap();
        check_same_bits(name, &cat(&a), &cat(&b)).unwrap();
    }
}

#[test]
fn nodes_without_edges_and_graphs_without_nodes_are_values() {
    for nodes in [0, 1, 4] {
        let graph = Graph::new(nodes, &edges(vec![], vec![])).unwrap();
        let x = Tensor::ones((nodes, 3), DType::F64, &Device::Cpu).unwrap();
        for (name, store, layer) in layers(8) {
            let y = layer(&graph, &x).unwrap_or_else(|e| panic!("{name} of {nodes} nodes: {e}"));
            assert_eq!(y.dims(), [nodes, 4], "{name}");
            let finite = y.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            assert!(finite.iter().all(|v| v.is_finite()), "{name}");
            if nodes > 0 {
                let gradients = backward(&y.sum_all().unwrap(), &store).unwrap();
                for (parameter, gradient) in gradients.iter() {
                    let values = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
                    assert!(values.iter().all(|v| v.is_finite()), "{name} {parameter}");
                }
            }
        }
        assert_eq!(global_max_pool(&x, None).unwrap().dims(), [1, 3]);
    }
}

#[test]
fn parameters_start_as_pytorch_geometrics() {
    let store = store(9);
    let vb = store.builder();
    let gat = GatConvConfig {
        heads: 40,
        edge_dim: Some(30),
        residual: true,
        ..GatConvConfig::new(50, 20)
    };
    GatConv::new(&gat, vb.pp("gat")).unwrap();
    GcnConv::new(&GcnConvConfig::new(50, 30), vb.pp("gcn")).unwrap();
    SageConv::new(&SageConvConfig::new(64, 30), vb.pp("sage")).unwrap();
    let rgcn = RgcnConvConfig {
        num_bases: Some(30),
        ..RgcnConvConfig::new(20, 30, 40)
    };
    RgcnConv::new(&rgcn, vb.pp("rgcn")).unwrap();
    TgcnCell::new(&TgcnCellConfig::new(10, 30), vb.pp("tgcn")).unwrap();
    // The bound of a uniform distribution: the largest of so many values comes within a few percent of it.
    for (name, bound) in [
        ("gat.lin.weight", (6. / 850f64).sqrt()),
        ("gat.att_src", (6. / 60f64).sqrt()),
        ("gat.att_edge", (6. / 60f64).sqrt()),
        ("gat.lin_edge.weight", (6. / 830f64).sqrt()),
        ("gat.res.weight", (6. / 850f64).sqrt()),
        ("gcn.lin.weight", (6. / 80f64).sqrt()),
        ("sage.lin_l.weight", 1. / 8.),
        ("sage.lin_l.bias", 1. / 8.),
        ("sage.lin_r.weight", 1. / 8.),
        ("rgcn.weight", (6. / 50f64).sqrt()),
        ("rgcn.comp", (6. / 70f64).sqrt()),
        ("rgcn.root", (6. / 50f64).sqrt()),
        ("tgcn.gates.weights", (6. / 100f64).sqrt()),
        ("tgcn.candidate.weights", (6. / 70f64).sqrt()),
    ] {
        let values = store.get(name).unwrap().abs().unwrap();
        let largest = values.max_all().unwrap().to_scalar::<f64>().unwrap();
        assert!(
            (0.8 * bound..=bound).contains(&largest),
            "{name}: {largest} of {bound}"
        );
    }
    for (name, value) in [
        ("gat.bias", 0.),
        ("gcn.bias", 0.),
        ("rgcn.bias", 0.),
        ("tgcn.gates.biases", 1.),
        ("tgcn.candidate.biases", 0.),
    ] {
        let values = store.get(name).unwrap().to_vec1::<f64>().unwrap();
        assert!(values.iter().all(|v| *v == value), "{name}");
    }
    assert!(
        store
            .named_parameters()
            .iter()
            .all(|(name, _)| !name.contains("lin_l.lin"))
    );
}
