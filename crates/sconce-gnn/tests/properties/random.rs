//! Random shapes and options, thrown at every constructor and forward: an error or a value, never a panic.

use super::{edges, store};
use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use sconce_gnn::*;
use sconce_nn::{Linear, LinearConfig};

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
