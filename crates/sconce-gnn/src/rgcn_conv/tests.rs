use super::*;
use candle_core::{DType, Device};
use sconce_core::ParamStore;

#[test]
fn bad_options_and_calls_name_the_layer() {
    let vb = ParamStore::new(DType::F64, &Device::Cpu).builder().pp("rgcn");
    let base = RgcnConvConfig::new(4, 6, 2);
    for (cfg, message) in [
        (
            RgcnConvConfig {
                num_blocks: Some(4),
                ..base.clone()
            },
            "rgcn (RgcnConv): num_blocks is 4, expected a divisor of in_channels = 4 and out_channels = 6",
        ),
        (
            RgcnConvConfig {
                num_blocks: Some(2),
                num_bases: Some(2),
                ..base.clone()
            },
            "num_bases is 2, expected none beside num_blocks",
        ),
        (RgcnConvConfig::new(4, 6, 0), "num_relations is 0"),
        (RgcnConvConfig::new(4, 0, 1), "out_channels is 0"),
        (RgcnConvConfig::new((0, 1), 1, 1), "in_channels is 0"),
    ] {
        let error = RgcnConv::new(&cfg, vb.clone()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let layer = RgcnConv::new(&base, vb).unwrap();
    let device = &Device::Cpu;
    let graph = Graph::new(3, &Tensor::new(&[[0i64, 1], [1, 2]], device).unwrap()).unwrap();
    let x = Tensor::zeros((3, 4), DType::F64, device).unwrap();
    let types = |types: &[i64]| Tensor::new(types, device).unwrap();
    for (x, types, message) in [
        (
            x.clone(),
            types(&[0, 2]),
            "rgcn (RgcnConv): edge_type[1] is 2, expected at least 0 and below num_relations = 2",
        ),
        (
            x.clone(),
            types(&[0]),
            "edge_type has shape [1], expected [num_edges = 2]",
        ),
        (x.clone(), x.clone(), "edge_type has shape [3, 4]"),
        (x.to_dtype(DType::F32).unwrap(), types(&[0, 0]), "x has dtype F32"),
        (
            types(&[0, 1, 4]),
            types(&[0, 0]),
            "x.source[2] is 4, expected at least 0 and below in_channels = 4",
        ),
        (types(&[0, 1]), types(&[0, 0]), "[num_nodes = 3] of numbers"),
    ] {
        let error = Error::from(layer.forward(&graph, &x, &types).unwrap_err()).to_string();
        assert!(error.contains(message), "{error}");
    }
}
