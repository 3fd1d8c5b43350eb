//! Every operation's and layer's gradients against finite differences, in f64, on graphs with several edges between two
//! nodes, isolated nodes and self-loops, in several layouts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor};
use sconce_core::{ParamStore, Parameters};
use sconce_gnn::*;
use sconce_nn::{Linear, LinearConfig, Sequential, Tanh};
use sconce_testkit::{GradCheck, Random, assert_gradients};

fn graph() -> Graph {
    // Node 5 is isolated, 0 → 2 stands twice, 3 has a loop.
    let edges = Tensor::new(&[[0i64, 1, 4, 3, 0, 2, 3], [2, 2, 1, 3, 2, 4, 0]], &Device::Cpu).unwrap();
    Graph::new(6, &edges).unwrap()
}

/// Nodes with several neighbours: with one alone, attention is 1 whatever the scores.
fn dense(targets: usize) -> Graph {
    let (sources, ends): (Vec<i64>, Vec<i64>) = (0..20).map(|k| (k % 5, (k * 3 + k / 5) % 4)).unzip();
    let edges = Tensor::from_vec([sources, ends].concat(), (2, 20), &Device::Cpu).unwrap();
    Graph::bipartite(if targets == 4 { 5 } else { targets }, targets, &edges).unwrap()
}

fn bipartite() -> Graph {
    let edges = Tensor::new(&[[0i64, 1, 4, 3, 0, 2], [2, 2, 1, 3, 2, 0]], &Device::Cpu).unwrap();
    Graph::bipartite(5, 4, &edges).unwrap()
}

fn store() -> ParamStore {
    ParamStore::new(DType::F64, &Device::Cpu).seeded(1)
}

fn normal(seed: u64, shape: &[usize]) -> Tensor {
    Random::new(seed).normal(shape, DType::F64).unwrap()
}

fn positive(seed: u64, n: usize) -> Tensor {
    Random::new(seed).uniform(n, 0.3, 2., DType::F64).unwrap()
}

/// Checks inputs and all parameters, which start at random so that none is special.
fn check(
    store: &ParamStore,
    inputs: &[(&str, &Tensor)],
    may_be_zero: &'static [&'static str],
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let mut random = Random::new(2);
    for (name, var) in store.named_parameters() {
        store
            .set(&name, &random.normal(var.shape(), DType::F64).unwrap())
            .unwrap();
    }
    let check = GradCheck {
        may_be_zero,
        ..GradCheck::default()
    };
    check.assert(inputs, &store.named_parameters(), f);
}

#[test]
fn gather_and_scatter() {
    let index = Index::new(&Tensor::new(&[4u32, 0, 2, 4, 4, 0, 5], &Device::Cpu).unwrap(), 6).unwrap();
    for rest in [&[][..], &[3], &[2, 3]] {
        let rows = |n: usize| normal(3, &[&[n], rest].concat());
        assert_gradients(&[("x", &rows(6))], |t| gather(&t[0], &index));
        for (_, aggregation) in Aggregation::ALL {
            assert_gradients(&[("x", &rows(7))], |t| scatter(&t[0], &index, aggregation));
        }
        assert_gradients(&[("x", &rows(7))], |t| scatter_softmax(&t[0], &index));
    }
    // A product with zeros in it.
    let x = Tensor::new(&[0f64, 1., 2., 0., 3., 0., 4.], &Device::Cpu).unwrap();
    assert_gradients(&[("x", &x)], |t| scatter(&t[0], &index, Aggregation::Mul));
    for pool in [global_add_pool, global_mean_pool, global_max_pool] {
        assert_gradients(&[("x", &normal(4, &[7, 2]))], |t| pool(&t[0], Some(&index)));
        assert_gradients(&[("x", &normal(4, &[7, 2]))], |t| pool(&t[0], None));
    }
}

#[test]
fn sparse_products() {
    assert_gradients(&[("x", &normal(1, &[6, 3]))], |t| spmm(&graph(), None, &t[0]));
    for (x, w) in [
        (&[6, 3][..], &[7][..]),
        (&[6], &[7]),
        (&[6, 2, 3], &[7, 2]),
        (&[6, 2], &[7, 2]),
    ] {
        assert_gradients(&[("x", &normal(1, x)), ("w", &normal(2, w))], |t| {
            spmm(&graph(), Some(&t[1]), &t[0])
        });
    }
    assert_gradients(&[("x", &normal(1, &[5, 3])), ("w", &normal(2, &[6]))], |t| {
        spmm(&bipartite(), Some(&t[1]), &t[0])
    });
}

#[test]
fn changed_graphs_hand_gradients_to_their_weights() {
    let (w, attr) = (positive(1, 7), normal(2, &[7, 2]));
    let inputs = [("w", &w), ("attr", &attr)];
    let on = |t: &[Tensor], change: &dyn Fn(Graph) -> sconce_core::Result<Graph>| {
        let graph = graph().with_edge_weight(&t[0])?.with_edge_attr(&t[1])?;
        let graph = change(graph)?;
        Ok([
            graph.edge_weight().unwrap().clone(),
            graph.edge_attr().unwrap().clone(),
        ])
    };
    let mean = LoopFill::Aggregate(Aggregation::Mean);
    assert_gradients(&inputs, |t| on(t, &|g| g.add_self_loops(&mean)));
    assert_gradients(&inputs, |t| on(t, &|g| g.add_remaining_self_loops(&mean)));
    assert_gradients(&inputs, |t| on(t, &|g| g.remove_self_loops()));
    for (_, aggregation) in Aggregation::ALL {
        assert_gradients(&inputs, |t| on(t, &|g| g.to_undirected(aggregation)));
        assert_gradients(&inputs, |t| on(t, &|g| g.coalesce(aggregation)));
    }
    assert_gradients(&inputs, |t| {
        on(t, &|g| Ok(GraphBatch::new(&[g.clone(), g])?.graph().clone()))
    });
    assert_gradients(&[("w", &w)], |t| {
        let graph = graph().with_edge_weight(&t[0])?;
        Ok(graph.adjacency(DType::F64, &Device::Cpu)?)
    });
    for loops in [true, false] {
        assert_gradients(&[("w", &w)], |t| {
            let graph = graph().with_edge_weight(&t[0])?;
            let graph = gcn_norm(&graph, true, loops, DType::F64, &Device::Cpu)?;
            Ok(graph.edge_weight().unwrap().clone())
        });
    }
}

#[test]
fn gcn() {
    for (normalize, aggr, bias) in [
        (true, Aggregation::Sum, true),
        (false, Aggregation::Sum, false),
        (true, Aggregation::Max, true),
        (true, Aggregation::Mean, true),
    ] {
        let store = store();
        let cfg = GcnConvConfig {
            normalize,
            aggr,
            bias,
            ..GcnConvConfig::new(3, 2)
        };
        let layer = GcnConv::new(&cfg, store.builder()).unwrap();
        let (x, w) = (normal(3, &[6, 3]), positive(4, 7));
        check(&store, &[("x", &x), ("w", &w)], &[], |t| {
            layer.forward(&graph().with_edge_weight(&t[1])?, &t[0])
        });
        check(&store, &[("x", &x)], &[], |t| layer.forward(&graph(), &t[0]));
    }
}

#[test]
fn gat() {
    let base = GatConvConfig {
        heads: 2,
        ..GatConvConfig::new(3, 2)
    };
    for cfg in [
        base.clone(),
        GatConvConfig {
            concat: false,
            residual: true,
            bias: false,
            ..base.clone()
        },
        GatConvConfig {
            add_self_loops: false,
            residual: true,
            ..base.clone()
        },
    ] {
        let store = store();
        let layer = GatConv::new(&cfg, store.builder()).unwrap();
        check(&store, &[("x", &normal(3, &[6, 3]))], &[], |t| {
            layer.forward_t(&dense(6), &t[0], true)
        });
    }
    for fill_value in [
        LoopFill::Aggregate(Aggregation::Mean),
        LoopFill::Aggregate(Aggregation::Max),
        LoopFill::Value(0.5),
        LoopFill::Vector(vec![1., -1.]),
    ] {
        let store = store();
        let cfg = GatConvConfig {
            edge_dim: Some(2),
            fill_value,
            ..base.clone()
        };
        let layer = GatConv::new(&cfg, store.builder()).unwrap();
        let (x, attr) = (normal(3, &[6, 3]), normal(4, &[20, 2]));
        check(&store, &[("x", &x), ("attr", &attr)], &[], |t| {
            layer.forward_t(&dense(6).with_edge_attr(&t[1])?, &t[0], true)
        });
    }
    let store = store();
    let cfg = GatConvConfig {
        add_self_loops: false,
        residual: true,
        in_channels: (3, 4).into(),
        ..base
    };
    let layer = GatConv::new(&cfg, store.builder()).unwrap();
    let (x, y) = (normal(3, &[5, 3]), normal(4, &[4, 4]));
    check(&store, &[("x", &x), ("y", &y)], &[], |t| {
        layer.forward_t(&dense(4), (&t[0], &t[1]), true)
    });
}

#[test]
fn sage() {
    let base = SageConvConfig::new(3, 2);
    let with = |aggr: &[Aggregation]| SageConvConfig {
        aggr: aggr.to_vec(),
        ..base.clone()
    };
    for cfg in [
        base.clone(),
        with(&[Aggregation::Max]),
        with(&[Aggregation::Min]),
        with(&[Aggregation::Sum]),
        with(&[Aggregation::Mul]),
        with(&[Aggregation::Mean, Aggregation::Max, Aggregation::Sum]),
        SageConvConfig {
            normalize: true,
            project: true,
            ..base.clone()
        },
        SageConvConfig {
            root_weight: false,
            bias: false,
            ..base.clone()
        },
    ] {
        let store = store();
        let layer = SageConv::new(&cfg, store.builder()).unwrap();
        check(&store, &[("x", &normal(3, &[6, 3]))], &[], |t| {
            layer.forward(&graph(), &t[0])
        });
    }
    let store = store();
    let layer = SageConv::new(&SageConvConfig::new((3, 4), 2), store.builder()).unwrap();
    let (x, y) = (normal(3, &[5, 3]), normal(4, &[4, 4]));
    check(&store, &[("x", &x), ("y", &y)], &[], |t| {
        layer.forward(&bipartite(), (&t[0], &t[1]))
    });
}

#[test]
fn gin() {
    for aggr in [Aggregation::Sum, Aggregation::Max] {
        let store = store();
        let cfg = GinConvConfig {
            train_eps: true,
            aggr,
            ..GinConvConfig::default()
        };
        let layer = GinConv::new(&cfg, store.builder(), |vb| {
            Ok(Sequential::new()
                .push(Linear::new(&LinearConfig::new(3, 4), vb.pp("0"))?)
                .push(Tanh)
                .push(Linear::new(&LinearConfig::new(4, 2), vb.pp("2"))?))
        })
        .unwrap();
        check(&store, &[("x", &normal(3, &[6, 3]))], &[], |t| {
            layer.forward_t(&graph(), &t[0], true)
        });
    }
}

#[test]
fn rgcn() {
    let types = Tensor::new(&[0i64, 2, 1, 0, 0, 2, 1], &Device::Cpu).unwrap();
    let base = RgcnConvConfig::new(4, 2, 3);
    for cfg in [
        base.clone(),
        RgcnConvConfig {
            num_bases: Some(2),
            aggr: Aggregation::Sum,
            ..base.clone()
        },
        RgcnConvConfig {
            num_blocks: Some(2),
            aggr: Aggregation::Max,
            ..base.clone()
        },
        RgcnConvConfig {
            root_weight: false,
            bias: false,
            ..base.clone()
        },
    ] {
        let store = store();
        let layer = RgcnConv::new(&cfg, store.builder()).unwrap();
        check(&store, &[("x", &normal(3, &[6, 4]))], &[], |t| {
            layer.forward(&graph(), &t[0], &types)
        });
    }
    // Nodes known by number, one of them twice.
    let store = store();
    let layer = RgcnConv::new(&base, store.builder()).unwrap();
    let numbers = Tensor::new(&[3i64, 1, 0, 2, 1, 0], &Device::Cpu).unwrap();
    check(&store, &[], &[], |_| layer.forward(&graph(), &numbers, &types));
}

#[test]
fn hetero() {
    for aggr in [
        HeteroAggregation::Sum,
        HeteroAggregation::Mean,
        HeteroAggregation::Max,
        HeteroAggregation::Min,
        HeteroAggregation::Cat,
        HeteroAggregation::Stack,
    ] {
        let store = store();
        let layer = HeteroConv::new(&HeteroConvConfig { aggr }, store.builder())
            .with(("a", "to", "b"), |vb| {
                SageConv::new(&SageConvConfig::new((3, 4), 2), vb)
            })
            .unwrap()
            .with(("b", "to", "b"), |vb| GcnConv::new(&GcnConvConfig::new(4, 2), vb))
            .unwrap();
        let mut hetero = HeteroGraph::new();
        hetero.add_nodes("a", 5).unwrap().add_nodes("b", 4).unwrap();
        hetero.add_graph(("a", "to", "b"), bipartite()).unwrap();
        let edges = Tensor::new(&[[0i64, 1, 3], [2, 2, 1]], &Device::Cpu).unwrap();
        hetero.add_edges(("b", "to", "b"), &edges).unwrap();
        let (a, b) = (normal(3, &[5, 3]), normal(4, &[4, 4]));
        check(&store, &[("a", &a), ("b", &b)], &[], |t| {
            let x = FeatureMap::from([("a".to_string(), t[0].clone()), ("b".to_string(), t[1].clone())]);
            Ok(layer.forward_t(&hetero, &x, true)?["b"].clone())
        });
    }
}

#[test]
fn tgcn() {
    let store = store();
    let cell = TgcnCell::new(&TgcnCellConfig::new(2, 3), store.builder()).unwrap();
    let (x, h, w) = (normal(3, &[2, 6, 2]), normal(4, &[2, 6, 3]), positive(5, 7));
    check(&store, &[("x", &x), ("h", &h), ("w", &w)], &[], |t| {
        let graph = graph().with_edge_weight(&t[2])?;
        let h = cell.forward(&graph, &t[0], Some(&t[1]))?;
        cell.forward(&graph, &t[0], Some(&h))
    });
    check(&store, &[("x", &normal(6, &[6, 2]))], &[], |t| {
        cell.forward(&graph(), &t[0], None)
    });
}

#[test]
fn messages_of_ones_own() {
    struct EdgeConv(Linear);
    impl MessagePassing for EdgeConv {
        fn message(&self, edges: &Edges<'_>) -> Result<Tensor> {
            let (x_i, x_j) = (edges.x_i()?, edges.x_j()?);
            candle_core::Module::forward(&self.0, &Tensor::cat(&[&x_i, &(x_j - &x_i)?], 1)?)
        }
        fn aggregate(&self, messages: &Tensor, edges: &Edges<'_>) -> Result<Tensor> {
            scatter(messages, edges.graph().target(), Aggregation::Max)
        }
        fn update(&self, aggregated: Tensor, edges: &Edges<'_>) -> Result<Tensor> {
            aggregated + edges.x().source().narrow(1, 0, 2)?
        }
    }
    let store = store();
    let layer = EdgeConv(Linear::new(&LinearConfig::new(6, 2), store.builder()).unwrap());
    check(&store, &[("x", &normal(3, &[6, 3]))], &[], |t| {
        layer.propagate(&graph(), &t[0])
    });
}
