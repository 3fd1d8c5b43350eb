//! One pass over many tensors on the CPU: the way to their memory, and how threads share them.

use super::{Rule, STATES, Scratch, Values};
use crate::kernels::{Chunk, CpuStep};
use crate::share;
use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor, Var};
use sconce_core::Result;
use sconce_core::cpu::Real;
use std::cell::Cell;

/// One tensor's step on the CPU.
pub(crate) struct Update<'a, C> {
    pub(super) var: &'a Var,
    pub(super) gradient: Tensor,
    pub(super) values: &'a mut Values,
    pub(super) constants: C,
}

/// Runs the updates on all threads.
pub(super) fn run<R: Rule>(updates: Vec<Update<'_, R::Constants>>, scratch: &Scratch) -> Result<()> {
    let size = |update: &Update<'_, R::Constants>| update.var.elem_count();
    Ok(share::each(updates, size, |update| update.apply::<R>(scratch))?)
}

impl<C: CpuStep> Update<'_, C> {
    fn apply<R: Rule<Constants = C>>(self, scratch: &Scratch) -> candle_core::Result<()> {
        let Self {
            var,
            gradient,
            values,
            constants,
        } = self;
        let op = Step::<R> {
            values: Cell::new(Some(values)),
            constants,
            scratch,
        };
        var.inplace_op2(&gradient, &op)
    }
}

/// The way to a parameter's memory: candle gives it to an in-place operation.
struct Step<'a, R: Rule> {
    values: Cell<Option<&'a mut Values>>,
    constants: R::Constants,
    scratch: &'a Scratch,
}

impl<R: Rule> InplaceOp2 for Step<'_, R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        match (parameter, gradient, self.values.take()) {
            (CpuStorage::F32(p), CpuStorage::F32(g), Some(Values::F32(state))) => {
                self.step(p, parameter_layout, g, gradient_layout, state)
            }
            (CpuStorage::F64(p), CpuStorage::F64(g), Some(Values::F64(state))) => {
                self.step(p, parameter_layout, g, gradient_layout, state)
            }
            _ => Err(candle_core::Error::Msg(format!(
                "{}: state of another element type",
                R::NAME
            ))),
        }
    }
}

impl<R: Rule> Step<'_, R> {
    fn step<T: Real>(
        &self,
        parameter: &mut [T],
        parameter_layout: &Layout,
        gradient: &[T],
        gradient_layout: &Layout,
        [a, b, c]: &mut [Vec<T>; STATES],
    ) -> candle_core::Result<()> {
        let range = |layout: &Layout| layout.contiguous_offsets().map(|(start, end)| start..end);
        let (Some(parameter), Some(gradient)) = (
            range(parameter_layout).and_then(|range| parameter.get_mut(range)),
            range(gradient_layout).and_then(|range| gradient.get(range)),
        ) else {
            return Err(candle_core::Error::Msg(format!(
                "{}: a tensor isn't contiguous",
                R::NAME
            )));
        };
        let whole = Chunk {
            parameter,
            gradient,
            state: [a, b, c],
        };
        if !whole.parameter.is_empty() {
            self.constants.step(whole, parameter_layout.dims(), self.scratch);
        }
        Ok(())
    }
}
