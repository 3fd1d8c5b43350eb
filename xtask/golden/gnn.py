"""Graph convolutions over their options, aggregation and pooling, against PyTorch Geometric.

A case's graph stands in `in.edge_index`, and, where it has them, `in.edge_weight`, `in.edge_attr`, `in.edge_type`. A bipartite
graph has `m` targets beside its `n` sources, and `in.x_dst` beside `in.x`. Heterogeneous cases name their inputs by type.
"""

import torch
from torch import nn
from torch_geometric.nn import GATConv, GCNConv, GINConv, HeteroConv, RGCNConv, SAGEConv
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool
from torch_geometric.utils import scatter, softmax

from case_set import CaseSet, draw, indices, leaf, normal, randomise

# Besides kind and sizes: the layer's options by PyTorch Geometric's names, and what the graph has.
GCN = [
    {},
    {"weighted": True},
    {"weighted": True, "improved": True},
    {"weighted": True, "add_self_loops": False},
    {"add_self_loops": False, "bias": False},
    {"normalize": False, "weighted": True},
    {"normalize": False},
    {"aggr": "max", "weighted": True},
    {"aggr": "mean"},
    {"edges": 0},
    {"loops": True, "weighted": True},
    {"n": 1, "edges": 2},
]
GAT = [
    {},
    {"heads": 2},
    {"heads": 3, "concat": False},
    {"heads": 2, "negative_slope": 0.01, "bias": False},
    {"add_self_loops": False},
    {"heads": 2, "edge_dim": 3},
    {"edge_dim": 2, "fill_value": 0.5},
    {"edge_dim": 2, "fill_value": "max", "loops": True},
    {"edge_dim": 2, "fill_value": "mul", "heads": 2},
    {"edge_dim": 1, "fill_value": "add"},
    {"edge_dim": 2, "add_self_loops": False},
    {"residual": True, "heads": 2},
    {"residual": True, "heads": 2, "concat": False},
    {"bipartite": True, "add_self_loops": False, "heads": 2},
    {"bipartite": True, "heads": 2, "residual": True},
    {"bipartite": True, "add_self_loops": False, "no_target": True},
    {"edges": 0, "add_self_loops": False},
    {"loops": True, "heads": 2},
]
SAGE = [
    {},
    {"aggr": "max"},
    {"aggr": "sum"},
    {"aggr": "min", "normalize": True},
    {"aggr": "mul"},
    {"aggr": "mean+max+sum"},
    {"normalize": True},
    {"root_weight": False},
    {"root_weight": False, "normalize": True},
    {"project": True},
    {"bias": False, "project": True, "aggr": "max"},
    {"bipartite": True},
    {"bipartite": True, "project": True, "aggr": "max"},
    {"bipartite": True, "no_target": True},
    {"edges": 0},
    {"aggr": "max", "ties": True},
]
GIN = [
    {},
    {"train_eps": True, "eps": 0.3},
    {"eps": -0.5},
    {"train_eps": True, "aggr": "max"},
    {"train_eps": True, "aggr": "mean"},
    {"train_eps": True, "edges": 0},
]
RGCN = [
    {},
    {"num_bases": 2},
    {"num_blocks": 2, "cin": 4, "cout": 6},
    {"aggr": "sum"},
    {"aggr": "max"},
    {"root_weight": False},
    {"bias": False, "num_bases": 1},
    {"num_blocks": 2, "cin": 4, "cout": 2, "aggr": "sum"},
    {"relations": 1},
    {"relations": 5},
    {"bipartite": True},
    {"bipartite": True, "num_bases": 2},
    {"numbers": True},
    {"numbers": True, "num_bases": 2},
    {"edges": 0},
]
HETERO = [{"aggr": aggr} for aggr in ["sum", "mean", "max", "min", "cat", None]]
POOL = [{"kind": f"global_{name}_pool", "graphs": graphs} for name in ["add", "mean", "max"] for graphs in [4, 1]]
SCATTER = [{"kind": "scatter", "reduce": reduce, "axes": axes} for reduce in ["sum", "mean", "max", "min", "mul"] for axes in [1, 2]]
SCATTER += [{"kind": "softmax", "axes": axes} for axes in [1, 2]]


def tied(x):
    """Values that are often equal, but never 0: PyTorch divides the gradient of an extreme of 0 by one too many."""
    return x.floor() + 0.5


def ends(rng, config, n, m=None):
    """Edges, several between some nodes and with isolated nodes; with self-loops only where asked for."""
    count = config.get("edges", draw(rng, n, 3 * n))
    edge_index = torch.stack([indices(rng, n, count), indices(rng, m or n, count)])
    if m is None and not config.get("loops"):
        edge_index = edge_index[:, edge_index[0] != edge_index[1]]
    if config.get("loops"):
        nodes = torch.arange(0, n, 2)
        edge_index = torch.cat([edge_index, torch.stack([nodes, nodes])], dim=1)
    return edge_index


def setup(rng, kind, options):
    options = dict(options)
    n = options.pop("n", draw(rng, 4, 9))
    bipartite = options.pop("bipartite", False)
    m = draw(rng, 3, 6) if bipartite else None
    config = {"kind": kind, "n": n, "cin": draw(rng, 2, 4), "cout": draw(rng, 2, 4)} | options
    if bipartite:
        config |= {"m": m, "cin_dst": draw(rng, 2, 4)}
    graph = {key: config.pop(key) for key in ["edges", "loops"] if key in config}
    edge_index = ends(rng, graph, n, m)
    x = normal(rng, n, config["cin"])
    if config.pop("ties", False):
        x = tied(x)
    inputs = {"x": leaf(x), "edge_index": edge_index}
    if config.pop("weighted", False):
        inputs["edge_weight"] = leaf(normal(rng, edge_index.size(1)).abs() + 0.1)
    if bipartite and not config.pop("no_target", False):
        inputs["x_dst"] = leaf(normal(rng, m, config["cin_dst"]))
    return config, inputs


def channels(config):
    return (config["cin"], config["cin_dst"]) if "m" in config else config["cin"]


def picked(config, *names):
    return {name: config[name] for name in names if name in config}


def features(config, t):
    return (t["x"], t.get("x_dst")) if "m" in config else t["x"]


def gcn(cases):
    names = ["improved", "add_self_loops", "normalize", "bias", "aggr"]
    for options in GCN:
        rng = cases.generator()
        config, inputs = setup(rng, "GCNConv", options)
        layer = randomise(rng, GCNConv(config["cin"], config["cout"], **picked(config, *names)))
        cases.run(config, lambda t: layer(t["x"], t["edge_index"], t.get("edge_weight")), inputs, layer, rng=rng)


def gat(cases):
    names = ["heads", "concat", "negative_slope", "add_self_loops", "edge_dim", "fill_value", "bias", "residual"]
    for options in GAT:
        rng = cases.generator()
        config, inputs = setup(rng, "GATConv", {"heads": 1} | options)
        layer = randomise(rng, GATConv(channels(config), config["cout"], **picked(config, *names)))
        if "edge_dim" in config:
            inputs["edge_attr"] = leaf(normal(rng, inputs["edge_index"].size(1), config["edge_dim"]))
        # Bipartite: only nodes that are on both sides get a loop, which is what `size` would say as well.
        forward = lambda t: layer(features(config, t), t["edge_index"], t.get("edge_attr"), size=size(config))
        cases.run(config, forward, inputs, Reached(layer), rng=rng)


def size(config):
    return (config["n"], config["m"]) if "m" in config else None


class Reached:
    """A module without the gradients of parameters that no output depends on: PyTorch has none for them."""

    def __init__(self, module):
        self.state_dict = module.state_dict
        self.module = module

    def named_parameters(self):
        return [(name, p) for name, p in self.module.named_parameters() if p.grad is not None]


def sage(cases):
    names = ["normalize", "root_weight", "project", "bias"]
    for options in SAGE:
        rng = cases.generator()
        config, inputs = setup(rng, "SAGEConv", options)
        aggr = config.get("aggr", "mean").split("+")
        aggr = aggr[0] if len(aggr) == 1 else aggr
        layer = randomise(rng, SAGEConv(channels(config), config["cout"], aggr=aggr, **picked(config, *names)))
        forward = lambda t: layer(features(config, t), t["edge_index"], size=size(config))
        cases.run(config, forward, inputs, Reached(layer), rng=rng)


def gin(cases):
    for options in GIN:
        rng = cases.generator()
        config, inputs = setup(rng, "GINConv", options)
        config = {"train_eps": False, "eps": 0.0} | config
        net = nn.Sequential(nn.Linear(config["cin"], 5), nn.ReLU(), nn.Linear(5, config["cout"]))
        layer = GINConv(net, **picked(config, "eps", "train_eps", "aggr"))
        randomise(rng, layer)
        cases.run(config, lambda t: layer(t["x"], t["edge_index"]), inputs, layer, rng=rng)


def rgcn(cases):
    names = ["num_bases", "num_blocks", "aggr", "root_weight", "bias"]
    for options in RGCN:
        rng = cases.generator()
        config, inputs = setup(rng, "RGCNConv", {"relations": 3} | options)
        inputs["edge_type"] = indices(rng, config["relations"], inputs["edge_index"].size(1))
        if config.pop("numbers", False):
            config["cin"] = config["n"] + 1
            inputs["x"] = indices(rng, config["cin"], config["n"])
        layer = RGCNConv(channels(config), config["cout"], config["relations"], **picked(config, *names))
        randomise(rng, layer)
        forward = lambda t: layer(features(config, t), t["edge_index"], t["edge_type"])
        cases.run(config, forward, inputs, Reached(layer), rng=rng)


def hetero(cases):
    """Authors and papers; papers are reached by three edge types."""
    for options in HETERO:
        rng = cases.generator()
        authors, papers, cout = draw(rng, 3, 5), draw(rng, 4, 6), draw(rng, 2, 4)
        config = {"kind": "HeteroConv", "authors": authors, "papers": papers, "cout": cout} | options
        sizes = {"author": authors, "paper": papers}
        types = {
            "writes": ("author", "writes", "paper"),
            "cites": ("paper", "cites", "paper"),
            "reads": ("author", "reads", "paper"),
            "by": ("paper", "by", "author"),
        }
        layer = HeteroConv(
            {
                types["writes"]: SAGEConv((2, 3), cout),
                types["cites"]: GCNConv(3, cout),
                types["reads"]: GATConv((2, 3), cout, add_self_loops=False),
                types["by"]: SAGEConv((3, 2), cout, aggr="max"),
            },
            aggr=options["aggr"],
        )
        randomise(rng, layer)
        inputs = {"author": leaf(normal(rng, authors, 2)), "paper": leaf(normal(rng, papers, 3))}
        for name, (source, _, target) in types.items():
            inputs[name] = ends(rng, {"loops": True} if source == target else {}, sizes[source], None if source == target else sizes[target])

        def forward(t):
            x = {"author": t["author"], "paper": t["paper"]}
            y = layer(x, {edge_type: t[name] for name, edge_type in types.items()})
            return [y["author"], y["paper"]]

        cases.run(config, forward, inputs, layer, rng=rng)


def pool(cases):
    functions = {f.__name__: f for f in [global_add_pool, global_mean_pool, global_max_pool]}
    for options in POOL:
        rng = cases.generator()
        n, graphs = draw(rng, 5, 9), options["graphs"]
        inputs = {"x": leaf(tied(normal(rng, n, 3))), "batch": indices(rng, graphs, n).sort().values}
        cases.run(options, lambda t: functions[options["kind"]](t["x"], t["batch"], graphs), inputs, rng=rng)


def scattered(cases):
    for options in SCATTER:
        rng = cases.generator()
        groups = draw(rng, 4, 6)
        config = options | {"groups": groups}
        shape = [9, 3][: options["axes"]]
        x = normal(rng, *shape)
        # A product with zeros in it; of maxima, ties.
        x = x.round() if config.get("reduce") == "mul" else tied(x)
        inputs = {"x": leaf(x), "index": indices(rng, groups - 1, 9)}

        def forward(t):
            if config["kind"] == "softmax":
                return softmax(t["x"], t["index"], num_nodes=groups)
            return scatter(t["x"], t["index"], 0, groups, config["reduce"])

        cases.run(config, forward, inputs, rng=rng)


def generate():
    cases = CaseSet("gnn")
    for add in [gcn, gat, sage, gin, rgcn, hetero, pool, scattered]:
        add(cases)
    return cases
