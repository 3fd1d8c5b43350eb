//! The inputs of a multi-head attention, checked and turned batch first.

use super::{InProjection, MultiheadAttention};
use crate::check;
use candle_core::{Result, Tensor};
use sconce_core::Error;

pub(super) struct Inputs {
    /// `[batch, queries, embed_dim]`
    pub(super) query: Tensor,
    /// `[batch, keys, kdim]`
    pub(super) key: Tensor,
    /// `[batch, keys, vdim]`
    pub(super) value: Tensor,
    /// Whether all three are the same tensor.
    pub(super) is_self: bool,
    pub(super) is_batched: bool,
    pub(super) batch: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    batch_first: bool,
}

impl Inputs {
    pub(super) fn new(
        layer: &MultiheadAttention,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
    ) -> Result<Self> {
        let (path, cfg) = (&layer.path, &layer.cfg);
        let dtype = match &layer.in_proj {
            InProjection::Packed(weight) => weight.value().dtype(),
            InProjection::Separate([weight, ..]) => weight.value().dtype(),
        };
        for (name, x) in [("query", query), ("key", key), ("value", value)] {
            check::same_dtype(path, name, x, dtype)?;
        }
        let is_batched = query.rank() == 3;
        let axes = Axes {
            path,
            batch_first: cfg.batch_first,
            is_batched,
        };
        let (kdim, vdim) = (
            cfg.kdim.unwrap_or(cfg.embed_dim),
            cfg.vdim.unwrap_or(cfg.embed_dim),
        );
        let (batch, queries) = axes.of(
            "query",
            query,
            ("queries", None),
            None,
            ("embed_dim", cfg.embed_dim),
        )?;
        let (_, keys) = axes.of("key", key, ("keys", None), Some(batch), ("kdim", kdim))?;
        axes.of("value", value, ("keys", Some(keys)), Some(batch), ("vdim", vdim))?;
        let turned = |x: &Tensor| match (is_batched, cfg.batch_first) {
            (false, _) => x.unsqueeze(0),
            (true, true) => Ok(x.clone()),
            (true, false) => x.transpose(0, 1),
        };
        Ok(Self {
            query: turned(query)?,
            key: turned(key)?,
            value: turned(value)?,
            is_self: query.id() == key.id() && key.id() == value.id(),
            is_batched,
            batch,
            queries,
            keys,
            batch_first: cfg.batch_first,
        })
    }

    /// An output in the layout of the inputs.
    pub(super) fn restore(&self, output: &Tensor) -> Result<Tensor> {
        match (self.is_batched, self.batch_first) {
            (false, _) => output.squeeze(0),
            (true, true) => Ok(output.clone()),
            (true, false) => output.transpose(0, 1)?.contiguous(),
        }
    }
}

struct Axes<'a> {
    path: &'a str,
    batch_first: bool,
    is_batched: bool,
}

impl Axes<'_> {
    /// Batch and length of an input.
    fn of(
        &self,
        argument: &'static str,
        x: &Tensor,
        length: (&str, Option<usize>),
        batch: Option<usize>,
        width: (&str, usize),
    ) -> Result<(usize, usize)> {
        let found = match (x.dims(), self.is_batched, self.batch_first) {
            (&[n, w], false, _) => Some((1, n, w)),
            (&[b, n, w], true, true) | (&[n, b, w], true, false) => Some((b, n, w)),
            _ => None,
        };
        if let Some((b, n, w)) = found
            && w == width.1
            && batch.is_none_or(|batch| batch == b)
            && length.1.is_none_or(|length| length == n)
            // A softmax over nothing has no value.
            && (argument != "key" || n > 0)
        {
            return Ok((b, n));
        }
        let said = |name: &str, size: Option<usize>| match size {
            Some(size) => format!("{name} = {size}"),
            None if argument == "key" => format!("{name} ≥ 1"),
            None => name.to_owned(),
        };
        let (n, w) = (said(length.0, length.1), format!("{} = {}", width.0, width.1));
        let b = batch.map_or("batch".to_owned(), |size| format!("batch = {size}"));
        let batched = match self.batch_first {
            true => format!("[{b}, {n}, {w}]"),
            false => format!("[{n}, {b}, {w}]"),
        };
        let expected = match (argument, self.is_batched) {
            ("query", _) => format!("{batched} or [{n}, {w}]"),
            (_, true) => batched,
            (_, false) => format!("[{n}, {w}]"),
        };
        Err(Error::shape(self.path, argument, expected, x.dims()).into())
    }
}
