//! Class numbers as targets, with the weights of the classes: what cross-entropy and NLL know of each row.

use candle_core::{D, DType, Tensor};
use sconce_core::{Error, Result, cast, function};

/// What is known of each row besides its values, and checked.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) classes: usize,
    /// The class; `None` for a row that counts for nothing.
    pub(crate) targets: Vec<Option<usize>>,
    /// The weights of the classes.
    pub(crate) weights: Option<Vec<f64>>,
}

impl Rows {
    /// `values` is the argument that errors call `argument`.
    pub(crate) fn new(
        name: &'static str,
        argument: &'static str,
        values: &Tensor,
        targets: &Tensor,
        weight: Option<&Tensor>,
        ignore_index: i64,
    ) -> Result<Self> {
        let classes = classes(name, argument, values)?;
        check_targets(name, values, targets)?;
        let class = |(index, target): (usize, i64)| match usize::try_from(target) {
            _ if target == ignore_index => Ok(None),
            Ok(class) if class < classes => Ok(Some(class)),
            _ => Err(Error::Value {
                layer: name.into(),
                argument: "targets",
                index,
                value: target.to_string(),
                expected: format!(
                    "a class, at least 0 and below {classes}, or ignore_index = {ignore_index}"
                ),
            }),
        };
        let targets = targets.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        Ok(Self {
            classes,
            targets: targets
                .into_iter()
                .enumerate()
                .map(class)
                .collect::<Result<_>>()?,
            weights: weight
                .map(|weight| class_weights(name, weight, classes))
                .transpose()?,
        })
    }

    pub(crate) fn weight(&self, class: usize) -> f64 {
        match &self.weights {
            Some(weights) => weights.get(class).copied().unwrap_or(0.),
            None => 1.,
        }
    }

    /// What the mean divides by: Σ w\[t\].
    pub(crate) fn count(&self) -> f64 {
        self.targets
            .iter()
            .flatten()
            .map(|&class| self.weight(class))
            .sum()
    }

    /// Of `[rows, classes]`, each row's value at its target, times `factor` of it; of a row that counts for nothing some value.
    pub(crate) fn pick(&self, values: &Tensor, factor: impl Fn(usize) -> f64) -> candle_core::Result<Tensor> {
        let rows = self.targets.len();
        let classes: Vec<u32> = self.targets.iter().map(|t| t.unwrap_or(0) as u32).collect();
        let classes = Tensor::from_vec(classes, (rows, 1), values.device())?;
        let factors: Vec<f64> = self.targets.iter().map(|t| t.map_or(0., &factor)).collect();
        let factors = Tensor::from_vec(factors, rows, values.device())?.to_dtype(values.dtype())?;
        let picked = values.contiguous()?.gather(&classes, D::Minus1)?;
        picked.squeeze(D::Minus1)? * factors
    }

    /// The losses of the rows that count, 0 for the others. They are chosen and not multiplied, since they may be infinite.
    pub(crate) fn that_count(&self, losses: &Tensor) -> candle_core::Result<Tensor> {
        let counts: Vec<u8> = self.targets.iter().map(|t| u8::from(t.is_some())).collect();
        Tensor::from_vec(counts, losses.dims(), losses.device())?.where_cond(losses, &losses.zeros_like()?)
    }
}

/// The number of classes, at least 1.
pub(crate) fn classes(name: &'static str, argument: &'static str, values: &Tensor) -> Result<usize> {
    match values.dims() {
        [classes @ (1..)] | [_, classes @ (1..), ..] => Ok(*classes),
        dims => {
            let expected = "[batch, classes, *positions] or [classes], at least one class";
            Err(Error::shape(name, argument, expected, dims))
        }
    }
}

/// `[batch, classes, *positions]` as `[batch · positions, classes]`, and `[classes]` as one row.
pub(crate) fn classes_last(values: &Tensor) -> candle_core::Result<Tensor> {
    match values.dims() {
        [classes] => function::reshape(values, (1, *classes)),
        [_, classes, _, ..] => {
            let rows = values.elem_count() / (*classes).max(1);
            let last = values.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
            last.reshape((rows, *classes))
        }
        _ => Ok(values.clone()),
    }
}

/// The shape of the values without their axis of classes, and its name.
pub(crate) fn without_classes(dims: &[usize]) -> (Vec<usize>, &'static str) {
    match dims {
        [] | [_] => (Vec::new(), "no axis"),
        [batch, _] => (vec![*batch], "[batch]"),
        [batch, _, positions @ ..] => ([&[*batch], positions].concat(), "[batch, *positions]"),
    }
}

pub(crate) fn check_targets(name: &'static str, values: &Tensor, targets: &Tensor) -> Result<()> {
    let (expected, axes) = without_classes(values.dims());
    if targets.dims() != expected {
        return Err(Error::shape(
            name,
            "targets",
            format!("{axes} = {expected:?}"),
            targets.dims(),
        ));
    }
    match targets.dtype() {
        DType::U8 | DType::U32 | DType::I64 => Ok(()),
        got => Err(Error::DType {
            layer: name.into(),
            argument: "targets",
            expected: "u8, u32 or i64".into(),
            got,
        }),
    }
}

pub(crate) fn class_weights(name: &'static str, weight: &Tensor, classes: usize) -> Result<Vec<f64>> {
    if weight.dims() != [classes] {
        let expected = format!("[classes = {classes}]");
        return Err(Error::shape(name, "weight", expected, weight.dims()));
    }
    if weight.track_op() {
        let expected = "a constant: the loss has no gradient for it, so detach it";
        return Err(Error::config(name, "weight", "tracked", expected));
    }
    let weights = cast(weight, DType::F64)?.to_vec1::<f64>()?;
    match weights
        .iter()
        .enumerate()
        .find(|(_, weight)| !(weight.is_finite() && **weight >= 0.))
    {
        Some((index, weight)) => Err(Error::Value {
            layer: name.into(),
            argument: "weight",
            index,
            value: weight.to_string(),
            expected: "a finite number, at least 0".into(),
        }),
        None => Ok(weights),
    }
}
