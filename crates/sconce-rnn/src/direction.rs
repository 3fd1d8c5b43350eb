//! The parameters of one cell, or of one direction of one layer, and what they compute.

use crate::cell::Cell;
use crate::recurrence::{Recurrent, recurrence};
use crate::steps::Steps;
use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Init, Param, param};
use sconce_nn::linear;

/// Sizes of the parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) cell: Cell,
    pub(crate) input: usize,
    pub(crate) hidden: usize,
    /// Length of the projected hidden state; 0: none.
    pub(crate) projected: usize,
    pub(crate) bias: bool,
}

impl Sizes {
    /// Length of an output vector.
    pub(crate) fn output(self) -> usize {
        if self.projected == 0 {
            self.hidden
        } else {
            self.projected
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Direction {
    cell: Cell,
    weight_ih: Param,
    weight_hh: Param,
    /// Those of the input and of the hidden state.
    bias: Option<[Param; 2]>,
    weight_hr: Option<Param>,
}

impl Direction {
    /// Parameters at `vb` whose names end in `suffix`, each from U(±1/√hidden), biases too.
    pub(crate) fn new(sizes: Sizes, vb: &VarBuilder, suffix: &str) -> sconce_core::Result<Self> {
        let init = Init::default_uniform(sizes.hidden);
        let rows = sizes.cell.gates().saturating_mul(sizes.hidden);
        let matrix =
            |name: &str, rows, columns| param(vb, (rows, columns), &format!("{name}{suffix}"), &init);
        let vector = |name: &str| param(vb, rows, &format!("{name}{suffix}"), &init);
        let weight_ih = matrix("weight_ih", rows, sizes.input)?;
        let weight_hh = matrix("weight_hh", rows, sizes.output())?;
        let bias = if sizes.bias {
            Some([vector("bias_ih")?, vector("bias_hh")?])
        } else {
            None
        };
        let weight_hr = if sizes.projected == 0 {
            None
        } else {
            Some(matrix("weight_hr", sizes.projected, sizes.hidden)?)
        };
        Ok(Self {
            cell: sizes.cell,
            weight_ih,
            weight_hh,
            bias,
            weight_hr,
        })
    }

    pub(crate) fn dtype(&self) -> DType {
        self.weight_ih.value().dtype()
    }

    /// Walks through the steps. x `[rows, input]`, h `[batch, output]`, c `[batch, hidden]`, as packed as the steps say.
    pub(crate) fn run(&self, x: &Tensor, steps: &Steps, h: &Tensor, c: Option<&Tensor>) -> Result<Recurrent> {
        let (bias_ih, bias_hh) = match &self.bias {
            Some([ih, hh]) => (Some(ih.tensor()), Some(hh.tensor())),
            None => (None, None),
        };
        let x = linear(x, &self.weight_ih.tensor(), bias_ih.as_ref())?;
        let weight_hr = self.weight_hr.as_ref().map(Param::tensor);
        recurrence(
            self.cell,
            steps,
            &[&x, h, &self.weight_hh.tensor()],
            c,
            bias_hh.as_ref(),
            weight_hr.as_ref(),
        )
    }
}
