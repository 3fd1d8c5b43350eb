use super::*;
use candle_core::DType;

fn tensor(values: &[i64]) -> Tensor {
    Tensor::from_slice(values, (2, values.len() / 2), &Device::Cpu).unwrap()
}

fn library() -> HeteroGraph {
    let mut graph = HeteroGraph::new();
    graph
        .add_nodes("author", 2)
        .unwrap()
        .add_nodes("paper", 3)
        .unwrap();
    graph
        .add_edges(("author", "writes", "paper"), &tensor(&[0, 1, 1, 2, 0, 1]))
        .unwrap();
    graph
        .add_edges(("paper", "cites", "paper"), &tensor(&[2, 0]))
        .unwrap();
    graph
}

#[test]
fn all_alike() {
    let mut graph = library();
    let flat = graph.to_homogeneous().unwrap();
    assert_eq!(flat.graph.num_nodes(), 5);
    assert_eq!(flat.graph.source().to_vec(), [0, 1, 1, 4]);
    assert_eq!(flat.graph.target().to_vec(), [4, 2, 3, 2]);
    assert_eq!(flat.node_type.to_vec(), [0, 0, 1, 1, 1]);
    assert_eq!(flat.edge_type.to_vec(), [0, 0, 0, 1]);
    assert!(flat.graph.x().is_none());
    for (name, rows) in [("author", 2), ("paper", 3)] {
        graph
            .set_x(name, &Tensor::ones((rows, 4), DType::F32, &Device::Cpu).unwrap())
            .unwrap();
    }
    let flat = graph.to_homogeneous().unwrap();
    assert_eq!(flat.graph.x().unwrap().dims(), [5, 4]);
    assert_eq!(HeteroGraph::new().to_homogeneous().unwrap().graph.num_nodes(), 0);
}

#[test]
fn both_ways() {
    let both = library().to_undirected().unwrap();
    let types: Vec<String> = both.edge_types().map(EdgeType::to_string).collect();
    assert_eq!(
        types,
        [
            "author__writes__paper",
            "paper__rev_writes__author",
            "paper__cites__paper"
        ]
    );
    assert_eq!(
        both.edges(("paper", "rev_writes", "author"))
            .unwrap()
            .in_degrees(),
        [1, 2]
    );
    assert_eq!(both.edges(("paper", "cites", "paper")).unwrap().num_edges(), 2);
}

#[test]
fn what_is_wrong_is_named() {
    let mut graph = library();
    let zeros = Tensor::zeros((2, 1), DType::F32, &Device::Cpu).unwrap();
    let errors = [
        graph.add_nodes("paper", 1).err(),
        graph.add_edges(("paper", "cites", "paper"), &tensor(&[])).err(),
        graph.add_edges(("paper", "in", "venue"), &tensor(&[])).err(),
        graph
            .add_edges(("author", "knows", "author"), &tensor(&[0, 2]))
            .err(),
        graph.set_x("paper", &zeros).err(),
        graph.edges(("a", "b", "c")).err(),
    ];
    let messages = [
        "node_type is paper, expected a type that isn't there yet",
        "edge_type is paper__cites__paper, expected a type that isn't there yet",
        "node_type is venue, expected one of [\"author\", \"paper\"]",
        "edge_index[1] is 2",
        "HeteroGraph paper: x has shape [2, 1], expected [num_nodes = 3, *]",
        "edge_type is a__b__c, expected one of",
    ];
    for (error, message) in errors.into_iter().zip(messages) {
        let error = error.unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
    let small = Graph::new(1, &tensor(&[])).unwrap();
    assert!(graph.add_graph(("author", "is", "author"), small).is_err());
}
