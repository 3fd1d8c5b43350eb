//! Where leaf gradients go during [`backward`](crate::backward): straight into one map, added up in place.

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, TensorId};
use sconce_kernels::parallel;
use std::cell::RefCell;
use std::collections::HashMap;

/// A leaf's gradient so far.
enum Sum {
    /// As one node gave it; its storage may be shared, so it isn't written to.
    Borrowed(Tensor),
    /// A sum made here, which nobody else holds.
    Owned(Tensor),
}

thread_local! {
    /// The scopes that this thread is in. A node's own backward runs under `None`, so that a backward pass inside it
    /// keeps its gradients to itself.
    static SCOPES: RefCell<Vec<Option<HashMap<TensorId, Sum>>>> = const { RefCell::new(Vec::new()) };
}

/// A stretch of a thread's time in which leaves' gradients are collected.
pub(crate) struct Scope;

impl Scope {
    pub(crate) fn enter() -> Self {
        SCOPES.with_borrow_mut(|scopes| scopes.push(Some(HashMap::new())));
        Self
    }

    /// A scope in which nothing is collected: candle's plain backward works as if there were none around it.
    pub(super) fn suspend() -> Self {
        SCOPES.with_borrow_mut(|scopes| scopes.push(None));
        Self
    }

    pub(crate) fn finish(self) -> HashMap<TensorId, Tensor> {
        let sums = SCOPES.with_borrow_mut(|scopes| scopes.last_mut().and_then(Option::take));
        let gradient = |sum| match sum {
            Sum::Borrowed(gradient) | Sum::Owned(gradient) => gradient,
        };
        sums.unwrap_or_default()
            .into_iter()
            .map(|(id, sum)| (id, gradient(sum)))
            .collect()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        SCOPES.with_borrow_mut(|scopes| scopes.pop());
    }
}

/// Adds to a leaf's gradient; gives it back where no scope collects.
pub(super) fn deposit(leaf: &Tensor, gradient: Tensor) -> Result<Option<Tensor>> {
    SCOPES.with_borrow_mut(|scopes| {
        let Some(Some(sums)) = scopes.last_mut() else {
            return Ok(Some(gradient));
        };
        let sum = match sums.remove(&leaf.id()) {
            None => Sum::Borrowed(gradient),
            Some(Sum::Borrowed(first)) => Sum::Owned((first + gradient)?),
            Some(Sum::Owned(sum)) => Sum::Owned(add_assign(sum, &gradient)?),
        };
        sums.insert(leaf.id(), sum);
        Ok(None)
    })
}

fn add_assign(sum: Tensor, gradient: &Tensor) -> Result<Tensor> {
    if !crate::cpu::has_kernel(&sum) {
        return sum + gradient;
    }
    sum.inplace_op2(&gradient.contiguous()?, &AddAssign)?;
    Ok(sum)
}

struct AddAssign;

impl InplaceOp2 for AddAssign {
    fn name(&self) -> &'static str {
        "add_assign"
    }

    fn cpu_fwd(&self, sum: &mut CpuStorage, l1: &Layout, term: &CpuStorage, l2: &Layout) -> Result<()> {
        fn add<T: crate::cpu::Real>(sum: &mut [T], l1: &Layout, term: &[T], l2: &Layout) -> Result<()> {
            let contiguous = |layout: &Layout| {
                layout
                    .contiguous_offsets()
                    .ok_or(candle_core::Error::Msg("a gradient isn't contiguous".into()))
            };
            let ((a, b), (c, d)) = (contiguous(l1)?, contiguous(l2)?);
            let (sum, term) = (
                sum.get_mut(a..b).unwrap_or_default(),
                term.get(c..d).unwrap_or_default(),
            );
            parallel::zip((sum, term), |_, (sum, term)| {
                for (s, t) in sum.iter_mut().zip(term) {
                    *s += *t;
                }
            });
            Ok(())
        }
        match (sum, term) {
            (CpuStorage::F32(sum), CpuStorage::F32(term)) => add(sum, l1, term, l2),
            (CpuStorage::F64(sum), CpuStorage::F64(term)) => add(sum, l1, term, l2),
            _ => Err(candle_core::Error::Msg(
                "two gradients of one parameter differ in dtype".into(),
            )),
        }
    }
}
