use super::*;
use crate::scatter::Aggregation;
use candle_core::Var;

fn tensor(values: &[i64], shape: (usize, usize)) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

fn graph(nodes: usize, ends: &[[i64; 2]]) -> Graph {
    let values: Vec<i64> = (0..2).flat_map(|k| ends.iter().map(move |e| e[k])).collect();
    Graph::new(nodes, &tensor(&values, (2, ends.len()))).unwrap()
}

fn weighted(nodes: usize, ends: &[[i64; 2]], weights: &[f64]) -> Graph {
    let weights = Tensor::new(weights, &Device::Cpu).unwrap();
    graph(nodes, ends).with_edge_weight(&weights).unwrap()
}

fn ends(graph: &Graph) -> Vec<[usize; 2]> {
    let (s, t) = (graph.source().to_vec(), graph.target().to_vec());
    s.into_iter().zip(t).map(|(s, t)| [s, t]).collect()
}

fn weights(graph: &Graph) -> Vec<f64> {
    graph.edge_weight().unwrap().to_vec1().unwrap()
}

#[test]
fn bad_graphs_are_errors_that_name_the_place() {
    let device = &Device::Cpu;
    let table: [(Result<Graph>, &str); 6] = [
        (
            Graph::new(3, &tensor(&[0, 1, 2, 3], (2, 2))),
            "Graph: edge_index[3] is 3, expected at least 0 and below num_nodes = 3",
        ),
        (
            Graph::new(3, &tensor(&[0, -1, 2, 2], (2, 2))),
            "edge_index[1] is -1",
        ),
        (
            Graph::new(3, &tensor(&[0, 1, 2], (3, 1))),
            "expected [2, num_edges]",
        ),
        (
            Graph::bipartite(1, 5, &tensor(&[1, 4], (2, 1))),
            "below num_sources = 1",
        ),
        (
            Graph::new(3, &Tensor::zeros((2, 2), DType::F32, device).unwrap()),
            "edge_index has dtype F32, expected an integer",
        ),
        (
            Graph::new(usize::MAX, &tensor(&[0, 1], (2, 1))),
            "expected at most 4294967295",
        ),
    ];
    for (result, message) in table {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let g = || graph(3, &[[0, 1]]);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F64, device).unwrap();
    for (result, message) in [
        (
            g().with_x(&zeros(&[2, 4])),
            "x has shape [2, 4], expected [num_nodes = 3, *]",
        ),
        (g().with_x(&zeros(&[])), "x has shape []"),
        (g().with_edge_weight(&zeros(&[1, 1])), "expected [num_edges = 1]"),
        (g().with_edge_attr(&zeros(&[2])), "expected [num_edges = 1, *]"),
        (g().select_edges(&[0, 1]), "edges[1] is 1"),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let bipartite = Graph::bipartite(2, 3, &tensor(&[1, 2], (2, 1))).unwrap();
    assert!(bipartite.clone().with_x(&zeros(&[3, 1])).is_err());
    assert!(bipartite.add_remaining_self_loops(&LoopFill::Value(1.)).is_err());
    assert!(bipartite.to_undirected(Aggregation::Sum).is_err());
    assert_eq!(
        bipartite
            .add_self_loops(&LoopFill::Value(1.))
            .unwrap()
            .num_edges(),
        3
    );
}

/// Values of `torch_geometric.utils` (executed).
#[test]
fn self_loops_as_pytorch_geometric() {
    let g = weighted(3, &[[0, 1], [1, 1], [2, 0], [1, 1]], &[2., 3., 5., 7.]);
    assert!(g.has_self_loops());
    let none = g.remove_self_loops().unwrap();
    assert!(!none.has_self_loops());
    assert_eq!(
        (ends(&none), weights(&none)),
        (vec![[0, 1], [2, 0]], vec![2., 5.])
    );
    let remaining = g.add_remaining_self_loops(&LoopFill::Value(9.)).unwrap();
    assert_eq!(ends(&remaining), [[0, 1], [2, 0], [0, 0], [1, 1], [2, 2]]);
    assert_eq!(weights(&remaining), [2., 5., 9., 7., 9.]);
    let mean = g
        .add_remaining_self_loops(&LoopFill::Aggregate(Aggregation::Mean))
        .unwrap();
    assert_eq!(weights(&mean), [2., 5., 5., 7., 0.]);
    let added = g.add_self_loops(&LoopFill::Aggregate(Aggregation::Sum)).unwrap();
    assert_eq!(weights(&added), [2., 3., 5., 7., 5., 12., 0.]);
    let plain = graph(2, &[]).add_self_loops(&LoopFill::Value(1.)).unwrap();
    assert_eq!(ends(&plain), [[0, 0], [1, 1]]);

    let attr = Tensor::new(&[[1f64, 2.], [3., 4.]], &Device::Cpu).unwrap();
    let g = graph(3, &[[0, 1], [2, 2]]).with_edge_attr(&attr).unwrap();
    let filled = g
        .add_remaining_self_loops(&LoopFill::Vector(vec![7., 8.]))
        .unwrap();
    let rows = filled.edge_attr().unwrap().to_vec2::<f64>().unwrap();
    assert_eq!(rows, [[1., 2.], [7., 8.], [7., 8.], [3., 4.]]);
    assert!(g.add_self_loops(&LoopFill::Vector(vec![7.])).is_err());
}

#[test]
fn undirected_sums_duplicates() {
    let g = weighted(3, &[[0, 1], [1, 0], [2, 2], [1, 2]], &[1., 2., 4., 8.]);
    let both = g.to_undirected(Aggregation::Sum).unwrap();
    assert_eq!(ends(&both), [[0, 1], [1, 0], [1, 2], [2, 1], [2, 2]]);
    assert_eq!(weights(&both), [3., 3., 8., 8., 8.]);
    let twice = graph(3, &[[2, 0], [0, 1], [2, 0]])
        .coalesce(Aggregation::Sum)
        .unwrap();
    assert_eq!(ends(&twice), [[0, 1], [2, 0]]);
    let empty = weighted(3, &[], &[]).to_undirected(Aggregation::Max).unwrap();
    assert_eq!((empty.num_edges(), weights(&empty)), (0, vec![]));
}

#[test]
fn adjacency_goes_out_and_in_with_gradients() {
    let device = &Device::Cpu;
    let w = Var::new(&[1f64, 2., 3.], device).unwrap();
    let g = graph(2, &[[0, 1], [1, 0], [0, 1]]).with_edge_weight(&w).unwrap();
    let matrix = g.adjacency(DType::F64, device).unwrap();
    assert_eq!(matrix.to_vec2::<f64>().unwrap(), [[0., 4.], [2., 0.]]);
    let back = Graph::from_adjacency(&matrix).unwrap();
    assert_eq!(
        (ends(&back), weights(&back)),
        (vec![[0, 1], [1, 0]], vec![4., 2.])
    );
    let loss = back.edge_weight().unwrap().sqr().unwrap().sum_all().unwrap();
    let grads = loss.backward().unwrap();
    assert_eq!(grads.get(&w).unwrap().to_vec1::<f64>().unwrap(), [8., 4., 8.]);
    let plain = graph(2, &[[0, 1]]).adjacency(DType::F32, device).unwrap();
    assert_eq!(plain.to_vec2::<f32>().unwrap(), [[0., 1.], [0., 0.]]);
    let none = Tensor::zeros((0, 0), DType::F32, device).unwrap();
    assert_eq!(Graph::from_adjacency(&none).unwrap().num_nodes(), 0);
    let ints = Tensor::zeros((2, 2), DType::I64, device).unwrap();
    assert!(Graph::from_adjacency(&ints).is_err());
    assert!(Graph::from_adjacency(&w).is_err());
}

#[test]
fn compressed_rows_go_out_and_in() {
    let g = graph(4, &[[2, 1], [0, 3], [2, 0], [2, 1]]);
    let csr = g.csr();
    assert_eq!(csr.ptr, [0, 1, 1, 4, 4]);
    assert_eq!(
        (csr.indices.clone(), csr.edges),
        (vec![3, 1, 0, 1], vec![1, 0, 2, 3])
    );
    let csc = g.csc();
    assert_eq!((csc.ptr, csc.indices), (vec![0, 1, 3, 3, 4], vec![2, 2, 2, 0]));
    let back = Graph::from_csr(4, &csr.ptr, &csr.indices).unwrap();
    assert_eq!(ends(&back), [[0, 3], [2, 1], [2, 0], [2, 1]]);
    for (ptr, message) in [
        (&[0, 2, 1, 4][..], "ptr[2] is 1, expected 2 to 4"),
        (&[0, 9], "ptr[1] is 9"),
        (&[1, 4], "ptr[0] is 1, expected 0"),
        (&[0, 3], "ptr[1] is 3, expected 4"),
        (&[], "expected [num_sources + 1]"),
    ] {
        let error = Graph::from_csr(4, ptr, &csr.indices).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let error = Graph::from_csr(3, &csr.ptr, &csr.indices)
        .unwrap_err()
        .to_string();
    assert!(error.contains("indices[0] is 3"), "{error}");
}

#[test]
fn degrees() {
    let g = weighted(3, &[[0, 1], [2, 1], [1, 1]], &[0.5, 2., 4.]);
    assert_eq!((g.in_degrees(), g.out_degrees()), (vec![0, 3, 0], vec![1, 1, 1]));
    let sums = g.weighted_in_degrees(DType::F64, &Device::Cpu).unwrap();
    assert_eq!(sums.to_vec1::<f64>().unwrap(), [0., 6.5, 0.]);
    let turned = g.reversed();
    assert_eq!(turned.in_degrees(), [1, 1, 1]);
    assert_eq!(weights(&turned), [0.5, 2., 4.]);
}
