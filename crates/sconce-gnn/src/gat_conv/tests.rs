use super::*;
use candle_core::{DType, Device};
use sconce_core::{Generator, ParamStore};

fn layer(cfg: &GatConvConfig) -> sconce_core::Result<GatConv> {
    GatConv::new(
        cfg,
        ParamStore::new(DType::F64, &Device::Cpu)
            .seeded(1)
            .builder()
            .pp("gat"),
    )
}

fn graph() -> Graph {
    let edges = Tensor::new(&[[0i64, 1, 2, 2], [1, 1, 0, 1]], &Device::Cpu).unwrap();
    Graph::new(3, &edges).unwrap()
}

#[test]
fn attention_sums_to_one_and_dropout_drops_it() {
    let cfg = GatConvConfig {
        heads: 2,
        ..GatConvConfig::new(2, 3)
    };
    let x = Tensor::new(&[[1f64, 2.], [3., 4.], [5., 7.]], &Device::Cpu).unwrap();
    let (_, attention) = layer(&cfg).unwrap().attend(&graph(), &x, false).unwrap();
    assert_eq!(attention.alpha.dims(), [6, 2]);
    let sums = crate::scatter(&attention.alpha, attention.graph.target(), Aggregation::Sum).unwrap();
    for sum in sums.flatten_all().unwrap().to_vec1::<f64>().unwrap() {
        assert!((sum - 1.).abs() < 1e-14);
    }
    let mut dropped = layer(&GatConvConfig { dropout: 1., ..cfg }).unwrap();
    dropped.dropout = dropped.dropout.with_generator(Generator::new(1));
    let y = dropped.forward_t(&graph(), &x, true).unwrap();
    assert_eq!(
        y.abs().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap(),
        0.
    );
    let y = dropped.forward_t(&graph(), &x, false).unwrap();
    assert!(y.abs().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap() > 0.);
}

#[test]
fn bad_options_and_calls_name_the_layer() {
    let base = GatConvConfig::new(2, 3);
    for (cfg, message) in [
        (
            GatConvConfig {
                heads: 0,
                ..base.clone()
            },
            "gat (GatConv): heads is 0",
        ),
        (
            GatConvConfig {
                out_channels: 0,
                ..base.clone()
            },
            "out_channels is 0",
        ),
        (
            GatConvConfig {
                edge_dim: Some(0),
                ..base.clone()
            },
            "edge_dim is 0",
        ),
        (
            GatConvConfig {
                dropout: 1.5,
                ..base.clone()
            },
            "dropout is 1.5",
        ),
        (
            GatConvConfig {
                in_channels: (1, 0).into(),
                ..base.clone()
            },
            "in_channels is 0",
        ),
    ] {
        let error = layer(&cfg).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let zeros = |shape: &[usize], dtype| Tensor::zeros(shape, dtype, &Device::Cpu).unwrap();
    let x = zeros(&[3, 2], DType::F64);
    let with_edges = layer(&GatConvConfig {
        edge_dim: Some(2),
        ..base
    })
    .unwrap();
    let attr = |x: Tensor| graph().with_edge_attr(&x).unwrap();
    for (graph, message) in [
        (
            graph(),
            "gat (GatConv): edge_attr is absent, expected [num_edges, edge_dim = 2]",
        ),
        (
            attr(zeros(&[4, 3], DType::F64)),
            "expected [num_edges = 4, edge_dim = 2]",
        ),
        (attr(zeros(&[4, 2], DType::F32)), "edge_attr has dtype F32"),
    ] {
        let error = Error::from(with_edges.forward_t(&graph, &x, false).unwrap_err()).to_string();
        assert!(error.contains(message), "{error}");
    }
}
