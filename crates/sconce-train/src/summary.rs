//! A model by its layers.

use candle_core::{DType, Result, Var};
use sconce_core::{Parameters, graph, is_buffer};
use std::collections::HashSet;
use std::fmt;

/// What becomes of a tensor in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorKind {
    /// A parameter that is trained.
    Trainable,
    /// A parameter that isn't.
    Frozen,
    /// No parameter: running statistics and the like.
    Buffer,
}

/// A tensor of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSummary {
    /// Its name within the layer, as `weight`.
    pub name: String,
    /// Its axes' lengths.
    pub shape: Vec<usize>,
    /// What its values are.
    pub dtype: DType,
    /// How many there are.
    pub values: usize,
    /// Their memory.
    pub bytes: usize,
    /// What becomes of it in training.
    pub kind: TensorKind,
}

/// The tensors whose names have one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSummary {
    /// The prefix, as `encoder.fc1`; empty for tensors without one.
    pub name: String,
    /// In the store's order.
    pub tensors: Vec<TensorSummary>,
    /// The shapes of what the layer gave, if [`Summary::with_outputs`] could see them.
    pub outputs: Vec<Vec<usize>>,
}

/// A model by its layers; it displays as a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// In the store's order.
    pub layers: Vec<LayerSummary>,
}

/// The layers of a model with their tensors: shapes, number of values, memory, and what is trained.
///
/// A layer is what stands before a name's last dot. In candle's `VarMap` the buffers of candle's own layers can't be told from
/// parameters and count as such; those of sconce's layers can.
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, buffer, param, candle_core::{DType, Device}};
/// use sconce_train::summary;
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let (fc, norm) = (store.builder().pp("fc"), store.builder().pp("norm"));
/// param(&fc, (4, 3), "weight", &Init::Const(0.))?;
/// param(&fc, 4, "bias", &Init::Const(0.))?;
/// param(&norm, 4, "weight", &Init::Const(1.))?;
/// buffer(&norm, 4, "running_mean", &Init::Const(0.), DType::F64)?;
/// store.freeze("norm.*")?;
/// let summary = summary(&store);
/// let expected = "\
/// layer  tensor        shape   dtype  values  bytes
/// fc     weight        [4, 3]  f32        12     48  trainable
///        bias          [4]     f32         4     16  trainable
/// norm   weight        [4]     f32         4     16  frozen
///        running_mean  [4]     f64         4     32  buffer
/// parameters: 20, of them 16 trainable and 4 frozen; 80 bytes
/// buffers: 4; 32 bytes
/// ";
/// assert_eq!(summary.to_string(), expected);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn summary(parameters: &(impl Parameters + ?Sized)) -> Summary {
    let trained = parameters.named_parameters();
    let trained: HashSet<String> = trained.into_iter().map(|(name, _)| name).collect();
    let mut summary = Summary::default();
    for (path, var) in parameters.named_tensors() {
        let kind = if is_buffer(&var) {
            TensorKind::Buffer
        } else if trained.contains(&path) {
            TensorKind::Trainable
        } else {
            TensorKind::Frozen
        };
        let (layer, name) = path.rsplit_once('.').unwrap_or(("", &path));
        let tensor = tensor(name, &var, kind);
        match summary.layers.iter_mut().find(|known| known.name == layer) {
            Some(known) => known.tensors.push(tensor),
            None => summary.layers.push(LayerSummary {
                name: layer.to_string(),
                tensors: vec![tensor],
                outputs: Vec::new(),
            }),
        }
    }
    summary
}

fn tensor(name: &str, var: &Var, kind: TensorKind) -> TensorSummary {
    TensorSummary {
        name: name.to_string(),
        shape: var.dims().to_vec(),
        dtype: var.dtype(),
        values: var.elem_count(),
        bytes: var.elem_count() * var.dtype().size_in_bytes(),
        kind,
    }
}

impl Summary {
    /// Adds the shapes of what layers give when the model is run, as `|| model.forward(&input)`.
    ///
    /// Seen are layers that tell [`graph::record`] of an operation on a parameter of theirs: sconce's linear,
    /// convolution and embedding layers, say, and no layer of candle's. Of several such operations the last counts.
    ///
    /// # Errors
    /// Those of the model.
    ///
    /// # Example
    /// ```
    /// use sconce_core::{Init, ParamStore, function::reshape, param, candle_core::{DType, Device}};
    /// use sconce_train::summary;
    /// let store = ParamStore::new(DType::F32, &Device::Cpu);
    /// let w = param(&store.builder().pp("fc"), (2, 3), "weight", &Init::Const(0.))?;
    /// let summary = summary(&store).with_outputs(|| reshape(&w.tensor(), 6))?;
    /// assert_eq!(summary.layers[0].outputs, [[6]]);
    /// assert!(summary.to_string().contains("trainable  [6]"));
    /// # Ok::<(), sconce_core::Error>(())
    /// ```
    pub fn with_outputs<R>(mut self, run: impl FnOnce() -> Result<R>) -> Result<Self> {
        let (result, graph) = graph::record(run);
        result?;
        for (names, shapes) in graph.parameter_uses() {
            let layers = names
                .iter()
                .map(|name| name.rsplit_once('.').map_or("", |(layer, _)| layer));
            for name in layers {
                if let Some(layer) = self.layers.iter_mut().find(|layer| layer.name == name) {
                    layer.outputs = shapes.iter().map(|shape| shape.to_vec()).collect();
                }
            }
        }
        Ok(self)
    }

    /// The number of values of this kind.
    pub fn values(&self, kind: TensorKind) -> usize {
        self.of(kind).map(|tensor| tensor.values).sum()
    }

    /// The memory of the tensors of this kind.
    pub fn bytes(&self, kind: TensorKind) -> usize {
        self.of(kind).map(|tensor| tensor.bytes).sum()
    }

    fn of(&self, kind: TensorKind) -> impl Iterator<Item = &TensorSummary> {
        let all = self.layers.iter().flat_map(|layer| &layer.tensors);
        all.filter(move |tensor| tensor.kind == kind)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.layers.iter().any(|layer| !layer.outputs.is_empty());
        let output = if seen { "output" } else { "" };
        let head = ["layer", "tensor", "shape", "dtype", "values", "bytes", "", output];
        let mut rows = vec![head.map(String::from)];
        for layer in &self.layers {
            let outputs: Vec<String> = layer.outputs.iter().map(|shape| format!("{shape:?}")).collect();
            for (i, tensor) in layer.tensors.iter().enumerate() {
                let kind = match tensor.kind {
                    TensorKind::Trainable => "trainable",
                    TensorKind::Frozen => "frozen",
                    TensorKind::Buffer => "buffer",
                };
                rows.push([
                    if i == 0 { layer.name.clone() } else { String::new() },
                    tensor.name.clone(),
                    format!("{:?}", tensor.shape),
                    tensor.dtype.as_str().to_string(),
                    tensor.values.to_string(),
                    tensor.bytes.to_string(),
                    kind.to_string(),
                    if i == 0 { outputs.join(" ") } else { String::new() },
                ]);
            }
        }
        let mut widths = [0; 8];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let [a, b, c, d, e, g, h, _] = widths;
        for [layer, name, shape, dtype, values, bytes, kind, output] in &rows {
            let line = format!(
                "{layer:<a$}  {name:<b$}  {shape:<c$}  {dtype:<d$}  {values:>e$}  {bytes:>g$}  {kind:<h$}  {output}"
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        let [trainable, frozen] = [TensorKind::Trainable, TensorKind::Frozen].map(|kind| self.values(kind));
        let bytes = self.bytes(TensorKind::Trainable) + self.bytes(TensorKind::Frozen);
        writeln!(
            f,
            "parameters: {}, of them {trainable} trainable and {frozen} frozen; {bytes} bytes",
            trainable + frozen
        )?;
        let (values, bytes) = (self.values(TensorKind::Buffer), self.bytes(TensorKind::Buffer));
        writeln!(f, "buffers: {values}; {bytes} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Module};
    use candle_nn::{VarBuilder, VarMap};
    use sconce_core::{Init, ParamStore, buffer, param};

    #[test]
    fn a_layer_is_one_also_where_others_stand_between_its_tensors() {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let vb = store.builder();
        param(&vb, 2, "scale", &Init::Const(1.)).unwrap();
        param(&vb.pp("a.b"), (2, 3), "weight", &Init::Const(1.)).unwrap();
        param(&vb.pp("a"), 5, "weight", &Init::Const(1.)).unwrap();
        param(&vb.pp("a.b"), 3, "bias", &Init::Const(1.)).unwrap();
        buffer(&vb.pp("a"), (), "steps", &Init::Const(0.), DType::I64).unwrap();
        store.freeze("a.b.bias").unwrap();
        let summary = summary(&store);
        let layers: Vec<(&str, usize)> = summary
            .layers
            .iter()
            .map(|layer| (layer.name.as_str(), layer.tensors.len()))
            .collect();
        assert_eq!(layers, [("", 1), ("a.b", 2), ("a", 2)]);
        let figures = [TensorKind::Trainable, TensorKind::Frozen, TensorKind::Buffer]
            .map(|kind| (summary.values(kind), summary.bytes(kind)));
        assert_eq!(figures, [(13, 52), (3, 12), (1, 8)]);
        assert!(!summary.to_string().contains("output"));
    }

    #[test]
    fn layers_of_candle_are_listed_and_their_outputs_unseen() {
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F64, &Device::Cpu);
        let layer = candle_nn::linear(3, 2, vb.pp("fc")).unwrap();
        buffer(&vb.pp("fc"), 4, "seen", &Init::Const(0.), DType::F64).unwrap();
        let x = candle_core::Tensor::zeros((5, 3), DType::F64, &Device::Cpu).unwrap();
        let summary = summary(&map).with_outputs(|| layer.forward(&x)).unwrap();
        assert_eq!(summary.layers[0].outputs, Vec::<Vec<usize>>::new());
        assert_eq!(summary.values(TensorKind::Trainable), 8);
        assert_eq!(summary.values(TensorKind::Buffer), 4);
    }

    #[test]
    fn errors_of_the_model_come_out() {
        let run = || -> Result<()> { Err(candle_core::Error::Msg("no".into())) };
        assert!(Summary::default().with_outputs(run).is_err());
    }
}
