//! Graph layers, aggregation and pooling. A case that leaves out an option was made with the one that stands here.

use sconce::core::candle_core::{Tensor, Var};
use sconce::core::{Error, ParamStore};
use sconce::gnn::{
    Aggregation, GatConv, GatConvConfig, GcnConv, GcnConvConfig, GinConv, GinConvConfig, Graph,
    HeteroAggregation, HeteroConv, HeteroConvConfig, HeteroGraph, InChannels, Index, LoopFill, NodeFeatures,
    RgcnConv, RgcnConvConfig, SageConv, SageConvConfig, global_add_pool, global_max_pool, global_mean_pool,
    scatter, scatter_softmax,
};
use sconce::nn::{Linear, LinearConfig, Relu, Sequential};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    match setting.kind() {
        "HeteroConv" => hetero(setting),
        "scatter" | "softmax" => scattered(setting),
        "global_add_pool" | "global_mean_pool" | "global_max_pool" => pooled(setting),
        "GCNConv" | "GATConv" | "SAGEConv" | "SAGEConv_max" | "GINConv" | "RGCNConv" => {
            let case = Convolved::read(setting)?;
            let store = setting.store();
            let y = case.output(setting, &store)?;
            let mut inputs: Vec<(&str, &Var)> = Vec::new();
            for (name, variable) in [
                ("x", &case.x),
                ("x_dst", &case.x_dst),
                ("edge_weight", &case.edge_weight),
                ("edge_attr", &case.edge_attr),
            ] {
                inputs.extend(variable.as_ref().map(|variable| (name, variable)));
            }
            Results::of(setting, &[y], &inputs, &store)
        }
        _ => Err(Stop::kind(setting)),
    }
}

/// The inputs of one convolution.
struct Convolved {
    graph: Graph,
    channels: InChannels,
    cout: usize,
    /// None where nodes are known by number.
    x: Option<Var>,
    source: Tensor,
    x_dst: Option<Var>,
    edge_weight: Option<Var>,
    edge_attr: Option<Var>,
}

impl Convolved {
    fn read(setting: &Setting<'_>) -> Result<Self, Stop> {
        let optional = |name: &str| -> Result<Option<Var>, Stop> {
            let tensor = setting.optional_tensor(&format!("in.{name}"))?;
            Ok(tensor.map(|tensor| Var::from_tensor(&tensor)).transpose()?)
        };
        let n = setting.size("n")?;
        let (cin, edge_index) = (setting.size("cin")?, setting.tensor("in.edge_index")?);
        let (mut graph, channels) = match (setting.optional_size("m")?, setting.optional_size("cin_dst")?) {
            (Some(m), Some(cin_dst)) => (Graph::bipartite(n, m, &edge_index)?, (cin, cin_dst).into()),
            _ => (Graph::new(n, &edge_index)?, cin.into()),
        };
        let (edge_weight, edge_attr) = (optional("edge_weight")?, optional("edge_attr")?);
        if let Some(weight) = &edge_weight {
            graph = graph.with_edge_weight(weight)?;
        }
        if let Some(attr) = &edge_attr {
            graph = graph.with_edge_attr(attr)?;
        }
        let source = setting.tensor("in.x")?;
        let x = source
            .dtype()
            .is_float()
            .then(|| Var::from_tensor(&source))
            .transpose()?;
        Ok(Self {
            graph,
            channels,
            cout: setting.size("cout")?,
            source: x.as_ref().map_or(source, |x| x.as_tensor().clone()),
            x,
            x_dst: optional("x_dst")?,
            edge_weight,
            edge_attr,
        })
    }

    fn features(&self) -> NodeFeatures<'_> {
        match self.channels {
            InChannels::Same(_) => (&self.source).into(),
            InChannels::Pair(..) => (&self.source, self.x_dst.as_ref().map(|x| x.as_tensor())).into(),
        }
    }

    fn output(&self, setting: &Setting<'_>, store: &ParamStore) -> Result<Tensor, Stop> {
        let (graph, x, vb, cout) = (&self.graph, self.features(), store.builder(), self.cout);
        match setting.kind() {
            "GCNConv" => {
                let normalize = setting.flag_or("normalize", true)?;
                let cfg = GcnConvConfig {
                    improved: setting.flag_or("improved", false)?,
                    normalize,
                    add_self_loops: Some(setting.flag_or("add_self_loops", normalize)?),
                    bias: setting.flag_or("bias", true)?,
                    aggr: aggregation(setting, "aggr", "sum")?,
                    ..GcnConvConfig::new(setting.size("cin")?, cout)
                };
                let layer = GcnConv::new(&cfg, vb)?;
                setting.load(store)?;
                Ok(layer.forward(graph, &self.source)?)
            }
            "GATConv" => {
                let defaults = GatConvConfig::new(self.channels, cout);
                let fill_value = match (setting.text("fill_value"), setting.optional_number("fill_value")) {
                    (Ok(name), _) => LoopFill::Aggregate(name.parse()?),
                    (_, Ok(Some(value))) => LoopFill::Value(value),
                    _ => defaults.fill_value.clone(),
                };
                let cfg = GatConvConfig {
                    heads: setting.optional_size("heads")?.unwrap_or(2),
                    concat: setting.flag_or("concat", true)?,
                    negative_slope: setting.optional_number("negative_slope")?.unwrap_or(0.2),
                    add_self_loops: setting.flag_or("add_self_loops", true)?,
                    edge_dim: setting.optional_size("edge_dim")?,
                    fill_value,
                    bias: setting.flag_or("bias", true)?,
                    residual: setting.flag_or("residual", false)?,
                    ..defaults
                };
                let layer = GatConv::new(&cfg, vb)?;
                setting.load(store)?;
                Ok(layer.forward_t(graph, x, true)?)
            }
            "SAGEConv" | "SAGEConv_max" => {
                let aggr = match setting.kind() {
                    "SAGEConv_max" => "max",
                    _ => setting.text("aggr").unwrap_or("mean"),
                };
                let cfg = SageConvConfig {
                    aggr: aggr.split('+').map(str::parse).collect::<Result<_, Error>>()?,
                    normalize: setting.flag_or("normalize", false)?,
                    root_weight: setting.flag_or("root_weight", true)?,
                    project: setting.flag_or("project", false)?,
                    bias: setting.flag_or("bias", true)?,
                    ..SageConvConfig::new(self.channels, cout)
                };
                let layer = SageConv::new(&cfg, vb)?;
                setting.load(store)?;
                Ok(layer.forward(graph, x)?)
            }
            "GINConv" => {
                let cfg = GinConvConfig {
                    eps: setting.optional_number("eps")?.unwrap_or(0.0),
                    train_eps: setting.flag_or("train_eps", true)?,
                    aggr: aggregation(setting, "aggr", "sum")?,
                };
                let cin = setting.size("cin")?;
                let layer = GinConv::new(&cfg, vb, |vb| {
                    Ok(Sequential::new()
                        .push(Linear::new(&LinearConfig::new(cin, 5), vb.pp("0"))?)
                        .push(Relu)
                        .push(Linear::new(&LinearConfig::new(5, cout), vb.pp("2"))?))
                })?;
                setting.load(store)?;
                Ok(layer.forward_t(graph, x, true)?)
            }
            "RGCNConv" => {
                let relations = setting.optional_size("relations")?.unwrap_or(3);
                let cfg = RgcnConvConfig {
                    num_bases: setting.optional_size("num_bases")?,
                    num_blocks: setting.optional_size("num_blocks")?,
                    aggr: aggregation(setting, "aggr", "mean")?,
                    root_weight: setting.flag_or("root_weight", true)?,
                    bias: setting.flag_or("bias", true)?,
                    ..RgcnConvConfig::new(self.channels, cout, relations)
                };
                let layer = RgcnConv::new(&cfg, vb)?;
                setting.load(store)?;
                Ok(layer.forward(graph, x, &setting.tensor("in.edge_type")?)?)
            }
            _ => Err(Stop::kind(setting)),
        }
    }
}

fn aggregation(setting: &Setting<'_>, key: &str, default: &str) -> Result<Aggregation, Stop> {
    Ok(setting.text(key).unwrap_or(default).parse()?)
}

/// Papers that authors write and read and that cite each other.
fn hetero(setting: &Setting<'_>) -> Result<Results, Stop> {
    let aggr = match setting.text("aggr") {
        Ok("sum") => HeteroAggregation::Sum,
        Ok("mean") => HeteroAggregation::Mean,
        Ok("max") => HeteroAggregation::Max,
        Ok("min") => HeteroAggregation::Min,
        Ok("cat") => HeteroAggregation::Cat,
        Ok(other) => return Err(Stop::Unsupported(format!("HeteroConv with aggr {other}"))),
        // null: PyTorch Geometric stacks.
        Err(_) => HeteroAggregation::Stack,
    };
    let (cout, store) = (setting.size("cout")?, setting.store());
    let sage = |channels: (usize, usize), aggr| SageConvConfig {
        aggr: vec![aggr],
        ..SageConvConfig::new(channels, cout)
    };
    let gat = GatConvConfig {
        add_self_loops: false,
        ..GatConvConfig::new((2, 3), cout)
    };
    let layer = HeteroConv::new(&HeteroConvConfig { aggr }, store.builder())
        .with(("author", "writes", "paper"), |vb| {
            SageConv::new(&sage((2, 3), Aggregation::Mean), vb)
        })?
        .with(("paper", "cites", "paper"), |vb| {
            GcnConv::new(&GcnConvConfig::new(3, cout), vb)
        })?
        .with(("author", "reads", "paper"), |vb| GatConv::new(&gat, vb))?
        .with(("paper", "by", "author"), |vb| {
            SageConv::new(&sage((3, 2), Aggregation::Max), vb)
        })?;
    setting.load(&store)?;
    let (author, paper) = (setting.variable("author")?, setting.variable("paper")?);
    let mut graph = HeteroGraph::new();
    graph
        .add_nodes("author", setting.size("authors")?)?
        .add_nodes("paper", setting.size("papers")?)?
        .set_x("author", &author)?
        .set_x("paper", &paper)?;
    for (source, relation, target) in [
        ("author", "writes", "paper"),
        ("paper", "cites", "paper"),
        ("author", "reads", "paper"),
        ("paper", "by", "author"),
    ] {
        let edge_index = setting.tensor(&format!("in.{relation}"))?;
        graph.add_edges((source, relation, target), &edge_index)?;
    }
    let y = layer.forward_t(&graph, graph.x(), true)?;
    let of = |name: &str| {
        y.get(name)
            .cloned()
            .ok_or_else(|| Stop::Failed(format!("no {name}")))
    };
    let outputs = [of("author")?, of("paper")?];
    Results::of(
        setting,
        &outputs,
        &[("author", &author), ("paper", &paper)],
        &store,
    )
}

fn pooled(setting: &Setting<'_>) -> Result<Results, Stop> {
    let x = setting.variable("x")?;
    let batch = Index::new(&setting.tensor("in.batch")?, setting.size("graphs")?)?;
    let y = match setting.kind() {
        "global_add_pool" => global_add_pool(&x, Some(&batch))?,
        "global_mean_pool" => global_mean_pool(&x, Some(&batch))?,
        _ => global_max_pool(&x, Some(&batch))?,
    };
    Results::of(setting, &[y], &[("x", &x)], &setting.store())
}

fn scattered(setting: &Setting<'_>) -> Result<Results, Stop> {
    setting.ignore(&["axes"]);
    let x = setting.variable("x")?;
    let index = Index::new(&setting.tensor("in.index")?, setting.size("groups")?)?;
    let y = match setting.kind() {
        "softmax" => scatter_softmax(&x, &index)?,
        _ => scatter(&x, &index, setting.text("reduce")?.parse()?)?,
    };
    Results::of(setting, &[y], &[("x", &x)], &setting.store())
}
