//! The rules' numeric loops: one pass over a parameter, its gradient and its state.

mod adam;
mod sgd;

use crate::engine::STATES;
pub(crate) use adam::adam;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};
pub(crate) use sgd::sgd;

/// A stretch of a parameter with what belongs to it. A state that the rule doesn't keep is empty.
pub(crate) struct Chunk<'a, T> {
    pub(crate) parameter: &'a mut [T],
    pub(crate) gradient: &'a [T],
    pub(crate) state: [&'a mut [T]; STATES],
}

impl<'a, T> Chunk<'a, T> {
    /// Pieces of `size` elements, and what is left.
    pub(crate) fn split(self, size: usize) -> Vec<Self> {
        let mut state = self.state.map(|state| state.chunks_mut(size));
        let pieces = self.parameter.chunks_mut(size).zip(self.gradient.chunks(size));
        pieces
            .map(|(parameter, gradient)| {
                let state = state.each_mut().map(|state| state.next().unwrap_or_default());
                Chunk {
                    parameter,
                    gradient,
                    state,
                }
            })
            .collect()
    }
}

/// A rule's arithmetic on one vector of each tensor.
///
/// A trait and not a closure, since a closure that isn't inlined is compiled for the baseline instruction set.
trait Step<V, const N: usize> {
    /// The new parameter and states, from the parameter, its gradient and the states.
    fn step(&self, parameter: V, gradient: V, state: [V; N]) -> (V, [V; N]);
}

/// Puts every vector of a chunk through a rule's step.
#[inline(always)]
fn for_each_vector<T: Real, S: Simd, const N: usize>(
    s: S,
    chunk: Chunk<'_, T>,
    rule: &impl Step<T::Vector<S>, N>,
) {
    let Chunk {
        parameter,
        gradient,
        state,
    } = chunk;
    let gradient = &gradient[..parameter.len()];
    for i in (0..parameter.len()).step_by(s.lanes::<T>()) {
        let mut old = [s.splat(T::ZERO); N];
        for (old, state) in old.iter_mut().zip(&state) {
            *old = s.load::<T>(&state[i..]);
        }
        let (new, states) = rule.step(s.load::<T>(&parameter[i..]), s.load::<T>(&gradient[i..]), old);
        new.store(&mut parameter[i..]);
        for (k, new) in states.into_iter().enumerate() {
            new.store(&mut state[k][i..]);
        }
    }
}
