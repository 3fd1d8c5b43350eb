//! What recurrent layers take: tensors and packed sequences.

use crate::PackedSequence;
use candle_core::{Result, Tensor};
use sconce_core::{Error, function};
use sealed::{Form, Rows};

/// What a recurrent layer takes and gives back: a [`Tensor`], where all sequences are of one length, or a
/// [`PackedSequence`].
///
/// It can't be implemented elsewhere.
pub trait Sequence: sealed::Sealed {}

impl Sequence for Tensor {}
impl Sequence for PackedSequence {}

pub(crate) mod sealed {
    use candle_core::{Result, Tensor};
    use std::sync::Arc;

    /// The rows of all steps under one another, and what it takes to give them their form again.
    #[derive(Debug)]
    pub struct Rows {
        pub data: Tensor,
        pub sizes: Arc<[usize]>,
        pub form: Form,
    }

    /// What the rows were.
    #[derive(Debug)]
    pub enum Form {
        /// `[time, features]`
        Single,
        /// `[time, batch, features]`
        TimeFirst,
        /// `[batch, time, features]`
        BatchFirst,
        /// A packed sequence, perhaps in another order than that of the batch.
        Packed(Option<Arc<super::super::packed_sequence::Order>>),
    }

    pub trait Sealed: Sized {
        /// The rows, each of `features` elements. `layer` is named in errors.
        fn open(&self, layer: &str, features: usize, batch_first: bool) -> Result<Rows>;

        /// Other rows in the form of these.
        fn close(data: Tensor, rows: &Rows) -> Result<Self>;
    }
}

impl sealed::Sealed for Tensor {
    fn open(&self, layer: &str, features: usize, batch_first: bool) -> Result<Rows> {
        let (time, batch, form) = match (self.dims(), batch_first) {
            (&[time, last], _) if last == features => (time, 1, Form::Single),
            (&[time, batch, last], false) if last == features => (time, batch, Form::TimeFirst),
            (&[batch, time, last], true) if last == features => (time, batch, Form::BatchFirst),
            _ => return Err(wrong_shape(layer, features, batch_first, self)),
        };
        if time == 0 || batch == 0 {
            return Err(wrong_shape(layer, features, batch_first, self));
        }
        let data = match form {
            Form::BatchFirst => self.transpose(0, 1)?.contiguous()?,
            _ => self.clone(),
        };
        Ok(Rows {
            data: function::reshape(&data, (time * batch, features))?,
            sizes: vec![batch; time].into(),
            form,
        })
    }

    fn close(data: Tensor, rows: &Rows) -> Result<Self> {
        let (time, batch, last) = (
            rows.sizes.len(),
            rows.sizes.first().copied().unwrap_or(0),
            data.dim(1)?,
        );
        match rows.form {
            Form::Single | Form::Packed(_) => Ok(data),
            Form::TimeFirst => function::reshape(&data, (time, batch, last)),
            Form::BatchFirst => function::reshape(&data, (time, batch, last))?
                .transpose(0, 1)?
                .contiguous(),
        }
    }
}

fn wrong_shape(layer: &str, features: usize, batch_first: bool, x: &Tensor) -> candle_core::Error {
    let axes = if batch_first { "batch, time" } else { "time, batch" };
    let expected = format!(
        "[{axes}, input_size = {features}] or [time, input_size = {features}], with time and batch at least 1"
    );
    Error::shape(layer, "input", expected, x.dims()).into()
}

impl sealed::Sealed for PackedSequence {
    fn open(&self, layer: &str, features: usize, _: bool) -> Result<Rows> {
        let data = self.data();
        if data.dims().len() != 2 || data.dims().last() != Some(&features) {
            let expected = format!("packed rows [total, input_size = {features}]");
            return Err(Error::shape(layer, "input", expected, data.dims()).into());
        }
        Ok(Rows {
            data: data.clone(),
            sizes: self.sizes().clone(),
            form: Form::Packed(self.order().cloned()),
        })
    }

    fn close(data: Tensor, rows: &Rows) -> Result<Self> {
        let order = match &rows.form {
            Form::Packed(order) => order.clone(),
            _ => None,
        };
        Ok(Self::of(data, rows.sizes.clone(), order))
    }
}
