//! A recurrent cell whose gates are graph convolutions.

use crate::gcn_conv::gcn_norm;
use crate::graph::{Graph, LoopFill};
use crate::spmm::spmm;
use candle_core::{D, Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, layer_path, param};
use sconce_nn::{Sigmoid, Tanh, linear};

/// Options of [`TgcnCell`]; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq)]
pub struct TgcnCellConfig {
    /// Length of a node's feature vector: 1 for a speed.
    pub in_channels: usize,
    /// Length of a node's state.
    pub hidden: usize,
    /// What both gates' biases start as: 1 makes a node remember.
    pub gate_bias: f64,
    /// Whether self-loops are added and weights normalised; set it to false for a graph that already is as it should be, which
    /// saves the work in each step.
    pub normalize: bool,
}

impl TgcnCellConfig {
    /// The cell of the paper.
    pub fn new(in_channels: usize, hidden: usize) -> Self {
        Self {
            in_channels,
            hidden,
            gate_bias: 1.,
            normalize: true,
        }
    }
}

/// One step of a gated recurrent unit at each node of a graph, whose linear maps see the neighbours too:
///
/// - \[r, u\] = σ(Â\[x, h\]·W_g + b_g)
/// - c = tanh(Â\[x, r⊙h\]·W_c + b_c)
/// - h' = u⊙h + (1 − u)⊙c
///
/// Â = D̂^−½(A + I)D̂^−½ is [`gcn_norm`]'s. Here it is applied to input and state, as the authors' program does; the paper's
/// formulas show it on the input alone.
///
/// # Shapes
/// x `[*, num_nodes, in_channels]`, state and output `[*, num_nodes, hidden]`; axes in front are a batch
/// # Parameters
/// `gates.weights`: `[in_channels + hidden, 2 · hidden]` (r, then u), `gates.biases`: `[2 · hidden]`; `candidate.weights`:
/// `[in_channels + hidden, hidden]`, `candidate.biases`: `[hidden]`
/// # Errors
/// `new`: a size is 0. `forward`: x or the state don't fit the graph or the layer; a bipartite graph; edge weights of another
/// dtype.
/// # Source
/// Zhao et al., "T-GCN: A Temporal Graph Convolutional Network for Traffic Prediction", 2020, and the authors' program
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_gnn::{Graph, TgcnCell, TgcnCellConfig};
/// let device = &Device::Cpu;
/// let store = ParamStore::new(DType::F32, device);
/// let cell = TgcnCell::new(&TgcnCellConfig::new(1, 16), store.builder().pp("tgcn"))?;
/// let road = Graph::new(3, &Tensor::new(&[[0i64, 1, 1, 2], [1, 0, 2, 1]], device)?)?;
/// let mut state = None;
/// for _ in 0..12 {
///     let speeds = Tensor::ones((8, 3, 1), DType::F32, device)?;
///     state = Some(cell.forward(&road, &speeds, state.as_ref())?);
/// }
/// assert_eq!(state.unwrap().dims(), [8, 3, 16]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TgcnCell {
    gates: (Param, Param),
    candidate: (Param, Param),
    cfg: TgcnCellConfig,
    path: String,
}

impl TgcnCell {
    /// The cell whose parameters stand at `vb`.
    pub fn new(cfg: &TgcnCellConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "TgcnCell");
        for (field, size) in [("in_channels", cfg.in_channels), ("hidden", cfg.hidden)] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        let map = |name: &str, width: usize, bias: f64| {
            let vb = vb.pp(name);
            let init = Init::XavierUniform { gain: 1. };
            let weights = param(&vb, (cfg.in_channels + cfg.hidden, width), "weights", &init)?;
            Ok::<_, Error>((weights, param(&vb, width, "biases", &Init::Const(bias))?))
        };
        Ok(Self {
            gates: map("gates", 2 * cfg.hidden, cfg.gate_bias)?,
            candidate: map("candidate", cfg.hidden, 0.)?,
            cfg: cfg.clone(),
            path,
        })
    }

    /// Â for [`TgcnCellConfig::normalize`] = false: the graph with a self-loop more at each node, normalised.
    ///
    /// # Errors
    /// A bipartite graph.
    pub fn normalized(graph: &Graph, like: &Tensor) -> Result<Graph> {
        let weights = graph.weights_or_ones(like.dtype(), like.device())?;
        let plain = graph.clone().without_edge_attr().with_edge_weight(&weights)?;
        // The authors add I, also where there are loops already.
        let looped = plain.add_self_loops(&LoopFill::Value(1.))?;
        gcn_norm(&looped, false, false, like.dtype(), like.device())
    }

    /// The state after a step, from zeros if there is none before.
    ///
    /// # Errors
    /// See above.
    pub fn forward(&self, graph: &Graph, x: &Tensor, state: Option<&Tensor>) -> Result<Tensor> {
        let (nodes, hidden) = (graph.num_nodes(), self.cfg.hidden);
        self.check("x", x, graph, ("in_channels", self.cfg.in_channels))?;
        let mut dims = x.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = hidden;
        }
        let zeros;
        let state = match state {
            Some(state) => {
                self.check("state", state, graph, ("hidden", hidden))?;
                if state.dims() != dims {
                    let expected =
                        format!("{dims:?}, [*, num_nodes = {nodes}, hidden = {hidden}] with x's batch");
                    return Err(Error::shape(&self.path, "state", expected, state.dims()).into());
                }
                state
            }
            None => {
                zeros = Tensor::zeros(dims.as_slice(), x.dtype(), x.device())?;
                &zeros
            }
        };
        crate::features::edge_weight(&self.path, graph, x)?;
        let normalized;
        let graph = if self.cfg.normalize {
            normalized = Self::normalized(graph, x)?;
            &normalized
        } else {
            graph
        };
        if x.elem_count() == 0 {
            return Ok(state.clone());
        }
        let gates = Sigmoid.forward(&self.map(graph, x, state, &self.gates)?)?;
        let r = gates.narrow(D::Minus1, 0, hidden)?;
        let u = gates.narrow(D::Minus1, hidden, hidden)?;
        let c = Tanh.forward(&self.map(graph, x, &(r * state)?, &self.candidate)?)?;
        // u⊙h + (1 − u)⊙c
        &c + (u * (state - &c)?)?
    }

    /// Â[x, h]·W + b.
    fn map(
        &self,
        graph: &Graph,
        x: &Tensor,
        h: &Tensor,
        (weights, biases): &(Param, Param),
    ) -> Result<Tensor> {
        let both = Tensor::cat(&[x, h], D::Minus1)?;
        let last = both.rank() - 2;
        // Nodes first, whatever the batch.
        let turned = both.transpose(0, last)?;
        let spread = spmm(graph, graph.edge_weight(), &turned.contiguous()?)?;
        linear(
            &spread.transpose(0, last)?,
            &weights.tensor().t()?,
            Some(&biases.tensor()),
        )
    }

    fn check(
        &self,
        argument: &'static str,
        x: &Tensor,
        graph: &Graph,
        (axis, length): (&str, usize),
    ) -> sconce_core::Result<()> {
        let nodes = graph.num_nodes();
        if graph.num_sources() != nodes {
            let expected = "a graph whose edges join nodes of one kind";
            return Err(Error::config(&self.path, "graph", format!("{graph:?}"), expected));
        }
        if x.dims().len() < 2 || !x.dims().ends_with(&[nodes, length]) {
            let expected = format!("[*, num_nodes = {nodes}, {axis} = {length}]");
            return Err(Error::shape(&self.path, argument, expected, x.dims()));
        }
        let expected = self.gates.0.value().dtype();
        if x.dtype() != expected {
            return Err(Error::parameter_dtype(&self.path, argument, expected, x.dtype()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use sconce_core::ParamStore;
    use sconce_testkit::Random;

    fn cell(cfg: &TgcnCellConfig) -> TgcnCell {
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        TgcnCell::new(cfg, store.builder().pp("tgcn")).unwrap()
    }

    fn ring() -> Graph {
        let edges = Tensor::new(&[[0i64, 1, 2, 1], [1, 2, 0, 1]], &Device::Cpu).unwrap();
        Graph::new(3, &edges).unwrap()
    }

    /// The cell's equations with a dense matrix.
    #[test]
    fn the_step_is_the_authors() {
        let cell = cell(&TgcnCellConfig::new(2, 3));
        let mut random = Random::new(3);
        let x = random.normal((3, 2), DType::F64).unwrap();
        let h = random.normal((3, 3), DType::F64).unwrap();
        let eye = Tensor::eye(3, DType::F64, &Device::Cpu).unwrap();
        let a = (ring().adjacency(DType::F64, &Device::Cpu).unwrap() + eye).unwrap();
        let d = a.sum_keepdim(0).unwrap().sqrt().unwrap().recip().unwrap();
        let a = a
            .broadcast_mul(&d)
            .unwrap()
            .broadcast_mul(&d.t().unwrap())
            .unwrap();
        let map = |h: &Tensor, (w, b): &(Param, Param)| {
            let both = Tensor::cat(&[&x, h], 1).unwrap();
            let spread = a.t().unwrap().matmul(&both).unwrap();
            spread
                .matmul(&w.value())
                .unwrap()
                .broadcast_add(&b.value())
                .unwrap()
        };
        let gates = Sigmoid.forward(&map(&h, &cell.gates)).unwrap();
        let (r, u) = (gates.narrow(1, 0, 3).unwrap(), gates.narrow(1, 3, 3).unwrap());
        let c = map(&(&r * &h).unwrap(), &cell.candidate).tanh().unwrap();
        let expected = ((&u * &h).unwrap() + ((1. - &u).unwrap() * c).unwrap()).unwrap();
        let y = cell.forward(&ring(), &x, Some(&h)).unwrap();
        let error = (&y - expected).unwrap().abs().unwrap().max_all().unwrap();
        assert!(error.to_scalar::<f64>().unwrap() < 1e-14);
        // Normalised beforehand, and in a batch of batches.
        let once = TgcnCell::normalized(&ring(), &x).unwrap();
        let mut plain = cell.clone();
        plain.cfg.normalize = false;
        let wide = |t: &Tensor| {
            t.unsqueeze(0)
                .unwrap()
                .unsqueeze(0)
                .unwrap()
                .repeat((2, 4, 1, 1))
                .unwrap()
        };
        let many = plain.forward(&once, &wide(&x), Some(&wide(&h))).unwrap();
        let error = (many - wide(&y)).unwrap().abs().unwrap().max_all().unwrap();
        assert!(error.to_scalar::<f64>().unwrap() < 1e-14);
    }

    #[test]
    fn bad_calls_name_the_cell() {
        let cell = cell(&TgcnCellConfig::new(2, 3));
        let zeros = |shape: &[usize], dtype| Tensor::zeros(shape, dtype, &Device::Cpu).unwrap();
        let x = zeros(&[5, 3, 2], DType::F64);
        for (x, state, message) in [
            (
                zeros(&[5, 4, 2], DType::F64),
                None,
                "tgcn (TgcnCell): x has shape [5, 4, 2], expected [*, num_nodes = 3, in_channels = 2]",
            ),
            (zeros(&[2], DType::F64), None, "x has shape [2]"),
            (zeros(&[3, 2], DType::F32), None, "x has dtype F32"),
            (
                x.clone(),
                Some(zeros(&[5, 3, 2], DType::F64)),
                "state has shape [5, 3, 2], expected [*, num_nodes = 3, hidden = 3]",
            ),
            (
                x.clone(),
                Some(zeros(&[4, 3, 3], DType::F64)),
                "state has shape [4, 3, 3], expected [5, 3, 3]",
            ),
        ] {
            let error = Error::from(cell.forward(&ring(), &x, state.as_ref()).unwrap_err()).to_string();
            assert!(error.contains(message), "{error}");
        }
        assert_eq!(
            cell.forward(&ring(), &zeros(&[0, 3, 2], DType::F64), None)
                .unwrap()
                .dims(),
            [0, 3, 3]
        );
        let vb = ParamStore::new(DType::F64, &Device::Cpu).builder();
        assert!(TgcnCell::new(&TgcnCellConfig::new(0, 3), vb).is_err());
    }
}
