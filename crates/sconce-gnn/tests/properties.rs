//! Laws that graph layers obey, and random shapes and options thrown at every constructor and forward: an error or a value,
//! never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor};
use proptest::prelude::*;
use sconce_core::{ParamStore, Parameters, backward};
use sconce_gnn::*;
use sconce_nn::{Linear, LinearConfig};
use sconce_testkit::Random;
use sconce_testkit::property::{check_same_bits, check_thread_independence};

fn store(seed: u64) -> ParamStore {
    ParamStore::new(DType::F64, &Device::Cpu).seeded(seed)
}

fn edges(sources: Vec<i64>, targets: Vec<i64>) -> Tensor {
    let count = sources.len();
    Tensor::from_vec([sources, targets].concat(), (2, count), &Device::Cpu).unwrap()
}

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

fn aggregation() -> impl Strategy<Value = Aggregation> {
    (0usize..5).prop_map(|k| Aggregation::ALL[k].1)
}

fn in_channels() -> impl Strategy<Value = InChannels> {
    prop_oneof![
        (0usize..4).prop_map(InChannels::Same),
        (0usize..4, 0usize..4).prop_map(|(a, b)| InChannels::Pair(a, b)),
    ]
}

/// Some shape of up to three axes, zeros among them.
fn shape() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0usize..5, 0..4)
}

fn some_tensor() -> impl Strategy<Value = Tensor> {
    let dtype = prop_oneof![
        6 => Just(DType::F64),
        1 => Just(DType::F32),
        1 => Just(DType::BF16),
        1 => Just(DType::I64),
        1 => Just(DType::U8),
    ];
    (shape(), dtype).prop_map(|(shape, dtype)| Tensor::ones(shape, dtype, &Device::Cpu).unwrap())
}

/// Features that fit more often than chance would have it.
fn features() -> impl Strategy<Value = Tensor> {
    let fitting =
        (0usize..5, 0usize..4).prop_map(|dims| Tensor::ones(dims, DType::F64, &Device::Cpu).unwrap());
    prop_oneof![3 => fitting, 1 => some_tensor()]
}

fn some_graph() -> impl Strategy<Value = Graph> {
    let ends = || prop::collection::vec(-1i64..5, 0..7);
    (
        0usize..5,
        0usize..5,
        any::<bool>(),
        ends(),
        ends(),
        some_tensor(),
        some_tensor(),
    )
        .prop_filter_map(
            "a graph",
            |(n, m, square, mut source, mut target, weight, attr)| {
                let count = source.len().min(target.len());
                source.truncate(count);
                target.truncate(count);
                let index = edges(source, target);
                let mut graph = match square {
                    true => Graph::new(n, &index),
                    false => Graph::bipartite(n, m, &index),
                }
                .or_else(|_| Graph::bipartite(n, m, &edges(vec![], vec![])))
                .ok()?;
                graph = graph.clone().with_edge_weight(&weight).unwrap_or(graph);
                graph = graph.clone().with_edge_attr(&attr).unwrap_or(graph);
                Some(graph)
            },
        )
}

/// That a result's message is one line.
fn seen<T, E: Into<sconce_core::Error>>(result: std::result::Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let message = error.into().to_string();
            assert!(!message.is_empty() && !message.contains('\n'), "{message}");
            None
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn graphs_never_panic(
        graph in some_graph(),
        index in some_tensor(),
        n in 0usize..4,
        x in some_tensor(),
        aggregation in aggregation(),
        ptr in prop::collection::vec(0usize..5, 0..5),
        ids in prop::collection::vec(0usize..5, 0..5),
        fill in prop_oneof![
            Just(LoopFill::Value(1.)),
            prop::collection::vec(0f64..1., 0..4).prop_map(LoopFill::Vector),
            aggregation().prop_map(LoopFill::Aggregate),
        ],
    ) {
        seen(Graph::new(n, &index));
        seen(Graph::bipartite(n, n + 1, &index));
        seen(Index::new(&index, n));
        seen(Graph::from_adjacency(&x));
        seen(Graph::from_csr(n, &ptr, &ids));
        seen(graph.clone().with_x(&x));
        seen(graph.select_edges(&ids));
        seen(graph.add_self_loops(&fill));
        seen(graph.add_remaining_self_loops(&fill));
        seen(graph.remove_self_loops());
        seen(graph.to_undirected(aggregation));
        seen(graph.coalesce(aggregation));
        seen(graph.adjacency(DType::F64, &Device::Cpu));
        seen(graph.weighted_in_degrees(DType::F64, &Device::Cpu));
        seen(gcn_norm(&graph, true, true, DType::F64, &Device::Cpu));
        seen(graph.edge_index(&Device::Cpu));
        let (csr, _) = (graph.csr(), graph.csc());
        seen(Graph::from_csr(graph.num_targets(), &csr.ptr, &csr.indices)).unwrap();
        if let Some(batch) = seen(GraphBatch::new(&[graph.clone(), graph.reversed(), graph.clone()])) {
            prop_assert_eq!(seen(batch.unbatch()).unwrap().len(), 3);
        }
        seen(gather(&x, graph.source()));
        seen(scatter(&x, graph.target(), aggregation));
        seen(scatter_softmax(&x, graph.target()));
        seen(spmm(&graph, graph.edge_weight(), &x));
        seen(spmm(&graph, Some(&index), &x));
        for pool in [global_add_pool, global_mean_pool, global_max_pool] {
            seen(pool(&x, Some(graph.source())));
            seen(pool(&x, None));
        }
    }

    #[test]
    fn layers_never_panic(
        graph in some_graph(),
        channels in in_channels(),
        out in 0usize..4,
        sizes in (0usize..3, prop::option::of(0usize..3), prop::option::of(0usize..3)),
        flags in any::<[bool; 5]>(),
        aggr in prop::collection::vec(aggregation(), 0..3),
        x in features(),
        y in prop::option::of(features()),
        types in some_tensor(),
    ) {
        let (heads, a, b) = sizes;
        let [f, g, h, i, j] = flags;
        let pair = (&x, y.as_ref());
        let one = aggr.first().copied().unwrap_or(Aggregation::Sum);
        let s = store(1);
        let vb = s.builder();
        let gcn = GcnConvConfig {
            improved: f, normalize: g, bias: h, cached: i, aggr: one,
            add_self_loops: j.then_some(f),
            ..GcnConvConfig::new(heads + 1, out)
        };
        if let Some(layer) = seen(GcnConv::new(&gcn, vb.pp("gcn"))) {
            seen(layer.forward(&graph, &x));
            seen(layer.convolve(&graph, pair.into(), f));
        }
        let gat = GatConvConfig {
            heads, concat: f, add_self_loops: g, edge_dim: a, bias: h, residual: i,
            dropout: if j { 0.5 } else { 0. },
            fill_value: LoopFill::Aggregate(one),
            ..GatConvConfig::new(channels, out)
        };
        if let Some(layer) = seen(GatConv::new(&gat, vb.pp("gat"))) {
            seen(layer.forward_t(&graph, &x, j));
            seen(layer.attend(&graph, pair, j));
        }
        let sage = SageConvConfig {
            aggr, normalize: f, root_weight: g, project: h, bias: i,
            ..SageConvConfig::new(channels, out)
        };
        if let Some(layer) = seen(SageConv::new(&sage, vb.pp("sage"))) {
            seen(layer.forward(&graph, &x));
            seen(layer.forward(&graph, pair));
        }
        let gin = GinConvConfig { train_eps: f, aggr: one, ..GinConvConfig::default() };
        let linear = LinearConfig::new(heads, out);
        if let Some(layer) = seen(GinConv::new(&gin, vb.pp("gin"), |vb| Linear::new(&linear, vb))) {
            seen(layer.forward_t(&graph, &x, f));
            seen(layer.forward_t(&graph, pair, f));
        }
        let rgcn = RgcnConvConfig {
            num_bases: a, num_blocks: b, aggr: one, root_weight: f, bias: g,
            ..RgcnConvConfig::new(channels, out, heads)
        };
        if let Some(layer) = seen(RgcnConv::new(&rgcn, vb.pp("rgcn"))) {
            let zeros = Tensor::zeros(graph.num_edges(), DType::U8, &Device::Cpu).unwrap();
            let numbers = Tensor::zeros(graph.num_sources(), DType::I64, &Device::Cpu).unwrap();
            for types in [&types, &zeros] {
                seen(layer.forward(&graph, &x, types));
                seen(layer.forward(&graph, pair, types));
                seen(layer.forward(&graph, &numbers, types));
            }
        }
        let tgcn = TgcnCellConfig { normalize: f, ..TgcnCellConfig::new(heads, out) };
        if let Some(cell) = seen(TgcnCell::new(&tgcn, vb.pp("tgcn"))) {
            seen(cell.forward(&graph, &x, y.as_ref()));
            seen(cell.forward(&graph, &x, None));
        }
        let hetero = seen(HeteroConv::new(&HeteroConvConfig::default(), vb.pp("hetero"))
            .with(("a", "r", "b"), |vb| SageConv::new(&sage, vb)))
            .and_then(|layer| seen(layer.with(("b", "r", "b"), |vb| GcnConv::new(&gcn, vb))));
        let mut whole = HeteroGraph::new();
        seen(whole.add_nodes("a", graph.num_sources()).map(|_| ()));
        seen(whole.add_nodes("b", graph.num_targets()).map(|_| ()));
        seen(whole.add_graph(("a", "r", "b"), graph.clone()).map(|_| ()));
        seen(whole.add_edges(("b", "r", "b"), &types).map(|_| ()));
        seen(whole.set_x("a", &x).map(|_| ()));
        seen(whole.set_x("b", y.as_ref().unwrap_or(&x)).map(|_| ()));
        seen(whole.to_homogeneous());
        seen(whole.to_undirected());
        if let Some(layer) = hetero {
            seen(layer.forward_t(&whole, whole.x(), f));
        }
    }
}
