//! Keys and values of the positions that a decoder has already seen.

use candle_core::{Result, Tensor};
use sconce_core::Error;

/// One attention's keys and values, `[batch, heads, positions, d]` each, so that a new position costs only its own.
///
/// A clone shares nothing that a later step would change.
#[derive(Debug, Clone, Default)]
pub struct KeyValues {
    pair: Option<(Tensor, Tensor)>,
}

impl KeyValues {
    /// The number of positions.
    pub fn len(&self) -> usize {
        let length = |(keys, _): &(Tensor, Tensor)| keys.dims().get(2).copied();
        self.pair.as_ref().and_then(length).unwrap_or(0)
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self) -> Option<(Tensor, Tensor)> {
        self.pair.clone()
    }

    /// Adds positions behind those that are there, and gives all of them.
    pub(crate) fn append(&mut self, layer: &str, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let pair = match &self.pair {
            None => (keys.clone(), values.clone()),
            Some((old_keys, old_values)) => {
                let fixed = |x: &Tensor| x.dims4().map(|(batch, heads, _, width)| (batch, heads, width));
                let (ours, theirs) = (fixed(old_keys)?, fixed(keys)?);
                if ours != theirs {
                    let expected = format!(
                        "[batch = {}, heads = {}, positions, d = {}], as the first step had",
                        ours.0, ours.1, ours.2
                    );
                    return Err(Error::shape(layer, "cache's new keys", expected, keys.dims()).into());
                }
                (
                    Tensor::cat(&[old_keys, keys], 2)?,
                    Tensor::cat(&[old_values, values], 2)?,
                )
            }
        };
        self.pair = Some(pair.clone());
        Ok(pair)
    }

    fn select(&self, rows: &Tensor) -> Result<Self> {
        let pair = match &self.pair {
            None => None,
            Some((keys, values)) => Some((keys.index_select(rows, 0)?, values.index_select(rows, 0)?)),
        };
        Ok(Self { pair })
    }
}

/// What a decoder layer keeps: keys and values of its own positions, and of the memory that it attends to.
#[derive(Debug, Clone, Default)]
pub struct LayerCache {
    /// Of the positions decoded so far.
    pub own: KeyValues,
    /// Of the encoder's output, computed in the first step; empty in a decoder without memory.
    pub memory: KeyValues,
}

/// What a decoder keeps between steps: a [`LayerCache`] a layer.
///
/// [`TransformerDecoder::step`](crate::TransformerDecoder::step) and [`Gpt::step`](crate::models::Gpt::step) fill it.
///
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Tensor}, no_grad};
/// use sconce_transformer::models::{Gpt, GptConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
/// let gpt = Gpt::new(&GptConfig { n_layer: 2, n_head: 2, n_embd: 8, ..GptConfig::new(11) }, store.builder())?;
/// let mut cache = gpt.cache();
/// let ids = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// no_grad(|| gpt.step(&ids, &mut cache))?;
/// assert_eq!(cache.len(), 3);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
}

impl KvCache {
    /// An empty cache for a decoder of so many layers.
    pub fn new(layers: usize) -> Self {
        Self {
            layers: vec![LayerCache::default(); layers],
        }
    }

    /// The number of positions decoded so far.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.own.len())
    }

    /// Whether no position has been decoded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The layers' caches, first layer first.
    pub fn layers(&self) -> &[LayerCache] {
        &self.layers
    }

    /// The cache of the given rows of the batch, in their order, rows repeated as they are: what a beam search needs when
    /// one hypothesis goes on in several ways and another dies.
    ///
    /// # Errors
    /// `rows` isn't a vector of integers, or one is out of range.
    pub fn select(&self, rows: &Tensor) -> sconce_core::Result<Self> {
        if rows.rank() != 1 {
            return Err(Error::shape("KvCache", "rows", "[rows]", rows.dims()));
        }
        if !rows.dtype().is_int() {
            return Err(Error::DType {
                layer: "KvCache".into(),
                argument: "rows",
                expected: "an integer".into(),
                got: rows.dtype(),
            });
        }
        let batch = self.layers.first().and_then(|layer| layer.own.pair.as_ref());
        if let Some((keys, _)) = batch {
            let batch = keys.dim(0)? as i64;
            let list = rows.to_dtype(candle_core::DType::I64)?.to_vec1::<i64>()?;
            if let Some((index, row)) = list
                .iter()
                .enumerate()
                .find(|(_, row)| !(0..batch).contains(*row))
            {
                return Err(Error::Value {
                    layer: "KvCache".into(),
                    argument: "rows",
                    index,
                    value: row.to_string(),
                    expected: format!("below the batch of {batch}"),
                });
            }
        }
        let rows = rows.to_dtype(candle_core::DType::U32)?;
        let select = |layer: &LayerCache| -> Result<LayerCache> {
            Ok(LayerCache {
                own: layer.own.select(&rows)?,
                memory: layer.memory.select(&rows)?,
            })
        };
        let layers = self.layers.iter().map(select).collect::<Result<_>>()?;
        Ok(Self { layers })
    }

    /// The layers' caches, if there is one for each of the decoder's layers.
    pub(crate) fn for_layers(&mut self, path: &str, layers: usize) -> sconce_core::Result<&mut [LayerCache]> {
        if self.layers.len() != layers {
            let expected = format!("{layers}, one a layer");
            return Err(Error::config(path, "cache's layers", self.layers.len(), expected));
        }
        Ok(&mut self.layers)
    }
}
