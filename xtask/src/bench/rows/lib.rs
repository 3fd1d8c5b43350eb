//! What `cargo xtask bench` measures on our side: a table of rows, one file each.
//!
//! The command lists the rows; its two worker programs, which differ in their allocator, each run one entry and answer to
//! the command over standard input and output ([`worker`]). PyTorch's side of a row is the class of the same name in
//! `xtask/bench/peer.py`. Both sides start from the same numbers ([`inputs`]) and hand over what they computed.

pub mod inputs;
pub mod memory;
pub mod worker;

mod bce_with_logits;
mod clip;
mod cross_entropy;
mod ctc;
mod layer;
mod layernorm;
mod lbfgs;
mod lenet;
mod linear;
mod loss;
mod products;
mod rules;
mod softmax;

/// What a row hands back.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Something that is measured, in one or more shapes.
pub struct Row {
    /// As it is asked for.
    pub name: &'static str,
    /// What a step is.
    pub about: &'static str,
    /// The shapes; a row of several has one entry a shape.
    pub shapes: &'static [&'static [usize]],
    /// The floating-point operations of a step, for rows whose rate is worth telling.
    pub operations: Option<fn(&[usize]) -> f64>,
    /// Gets everything ready for steps of one shape.
    pub start: fn(&[usize]) -> Result<Box<dyn Work>>,
}

/// One entry, ready to be measured.
pub trait Work {
    /// The time of this is measured.
    ///
    /// # Errors
    /// Whatever goes wrong in it.
    fn step(&mut self) -> Result<()>;

    /// What a step computes, by name, for a comparison with the other side. It is asked for once, before any step.
    ///
    /// # Errors
    /// Whatever goes wrong in it.
    fn results(&mut self) -> Result<Vec<(String, Vec<f32>)>>;
}

/// All rows, in the order in which they are measured.
pub const ROWS: &[Row] = &[
    lenet::ROW,
    linear::ROW,
    layernorm::ROW,
    softmax::ROW,
    cross_entropy::ROW,
    ctc::ROW,
    bce_with_logits::ROW,
    rules::ADAM,
    rules::ADAM_SMALL,
    rules::ADAMW,
    rules::ADAMW_SMALL,
    rules::SGD,
    rules::SGD_SMALL,
    rules::RMSPROP,
    rules::RMSPROP_SMALL,
    rules::ADAGRAD,
    rules::ADADELTA,
    rules::ADAMAX,
    rules::NADAM,
    rules::RADAM,
    rules::RPROP,
    rules::ASGD,
    rules::LION,
    rules::ADAFACTOR,
    rules::MUON,
    lbfgs::ROW,
    clip::ROW,
    products::ROW,
];

/// A row in one shape.
#[derive(Clone, Copy)]
pub struct Entry {
    /// What is measured.
    pub row: &'static Row,
    /// In which of the row's shapes.
    pub shape: &'static [usize],
}

impl Entry {
    /// The row's name, with the shape if the row has several: `linear/64x256x128`.
    pub fn name(&self) -> String {
        if self.row.shapes.len() == 1 {
            return self.row.name.to_owned();
        }
        let sizes: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        format!("{}/{}", self.row.name, sizes.join("x"))
    }
}

/// The entries of all rows.
pub fn entries() -> Vec<Entry> {
    ROWS.iter()
        .flat_map(|row| row.shapes.iter().map(move |shape| Entry { row, shape }))
        .collect()
}

/// An error for a shape that a row can't read: a mistake in the table.
fn wrong_shape<T>(row: &str, shape: &[usize]) -> Result<T> {
    Err(format!("{row}: no shape {shape:?}").into())
}
