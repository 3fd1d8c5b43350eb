//! What a gradient check reports: what it compared, or all that is wrong.

use std::fmt;

use candle_core::DType;

use crate::Layout;

/// What a check that passed has compared.
#[derive(Clone, Debug)]
pub struct Report {
    /// One entry an input and a parameter, in their order.
    pub inputs: Vec<Checked>,
}

/// One input of a check that passed.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The input's name.
    pub name: String,
    /// How many elements were compared.
    pub compared: usize,
    /// The element with the largest error.
    pub worst: Element,
}

/// One element's gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Where it stands in its tensor.
    pub index: Vec<usize>,
    /// What backward gives.
    pub analytic: f64,
    /// What central differences give.
    pub numeric: f64,
}

impl Element {
    pub(super) fn error(&self) -> f64 {
        (self.analytic - self.numeric).abs()
    }
}

/// All that a gradient check found wrong.
#[derive(Debug, thiserror::Error)]
pub struct GradCheckError {
    /// One entry a finding.
    pub problems: Vec<Problem>,
}

impl fmt::Display for GradCheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl From<Problem> for GradCheckError {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

impl From<candle_core::Error> for GradCheckError {
    fn from(error: candle_core::Error) -> Self {
        Problem::Function(error).into()
    }
}

/// One thing that is wrong with a gradient.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The function, its backward or candle failed.
    #[error("the function failed: {0}")]
    Function(candle_core::Error),
    /// The input isn't reached by backward.
    #[error("`{name}` got no gradient ({layout} inputs): backward does not reach it from the outputs")]
    Missing {
        /// The input's name.
        name: String,
        /// The layout in which the inputs were handed over.
        layout: Layout,
    },
    /// Both gradients are zero, so the check shows nothing.
    #[error(
        "`{name}` has gradient zero everywhere, by backward and by differences: the function does not depend on it here"
    )]
    Zero {
        /// The input's name.
        name: String,
    },
    /// The gradient has another shape than the input.
    #[error("`{name}` has shape {expected:?}, its gradient {got:?}")]
    Shape {
        /// The input's name.
        name: String,
        /// The input's shape.
        expected: Vec<usize>,
        /// The gradient's shape.
        got: Vec<usize>,
    },
    /// The two gradients differ.
    #[error(
        "`{name}` has a wrong gradient ({layout} inputs) in {wrong} of {compared} elements; worst at {:?}: \
         backward gives {:e}, differences {:e}, allowed error {bound:.1e}",
        worst.index, worst.analytic, worst.numeric
    )]
    Wrong {
        /// The input's name.
        name: String,
        /// The layout in which the inputs were handed over.
        layout: Layout,
        /// How many elements are wrong.
        wrong: usize,
        /// How many were compared.
        compared: usize,
        /// The one with the largest error.
        worst: Element,
        /// The error that would have passed there.
        bound: f64,
    },
    /// An output's values depend on the inputs' memory layout.
    #[error(
        "output {output} differs between contiguous and {layout} inputs: {left:e} and {right:e} at element {element}"
    )]
    LayoutMatters {
        /// The output's position.
        output: usize,
        /// The layout that gives other values.
        layout: Layout,
        /// The first flat index that differs.
        element: usize,
        /// The value with the first layout.
        left: f64,
        /// The value with this layout.
        right: f64,
    },
    /// Two calls with the same inputs gave different outputs.
    #[error("two calls with the same inputs give different outputs: fix the function's seed")]
    NotAFunction,
    /// There is nothing to differentiate.
    #[error("the function returned no output")]
    NoOutput,
    /// A parameter or an output isn't f64.
    #[error("`{name}` is {dtype:?}; the check needs f64")]
    Dtype {
        /// The tensor's name.
        name: String,
        /// Its type.
        dtype: DType,
    },
}
