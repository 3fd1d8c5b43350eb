//! The rules' numeric loops over a parameter, its gradient and its state.

mod adadelta;
pub(crate) mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod asgd;
pub(crate) mod blend;
pub(crate) mod clip;
mod lion;
mod muon;
mod nadam;
mod radam;
mod rms_prop;
mod rprop;
mod sgd;
pub(crate) mod sums;

use crate::engine::scratch::Scratch;
use crate::engine::{STATES, Slope};
use sconce_core::cpu::Real;
use sconce_kernels::parallel;
use sconce_kernels::simd::{Kernel, Simd, Vector, dispatch};

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

/// A rule's constants, as what its step on the CPU begins with.
pub(crate) trait CpuStep: Copy + Send + Sync {
    /// One step on a tensor that isn't empty, on all threads if it is large.
    fn step<T: Real>(&self, whole: Chunk<'_, T>, dims: &[usize], scratch: &Scratch);
}

/// Constants of a rule in which an element's step depends on that element alone.
pub(crate) trait Vectorised: Copy + Send + Sync {
    /// Puts the constants into every lane of vectors, and runs the loop for the states that the rule keeps.
    ///
    /// Mark it `#[inline(always)]`.
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>);
}

/// One pass: every element is read and written once.
impl<C: Vectorised> CpuStep for C {
    fn step<T: Real>(&self, whole: Chunk<'_, T>, _dims: &[usize], _scratch: &Scratch) {
        let run = |chunk| {
            dispatch(Launch {
                constants: self,
                chunk,
            })
        };
        if whole.parameter.len() < parallel::THRESHOLD {
            run(whole);
        } else {
            parallel::for_each(whole.split(parallel::CHUNK), run);
        }
    }
}

struct Launch<'a, C, T> {
    constants: &'a C,
    chunk: Chunk<'a, T>,
}

impl<T: Real, C: Vectorised> Kernel for Launch<'_, C, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.constants.run(s, self.chunk);
    }
}

/// A rule's arithmetic on one vector of each tensor.
///
/// A trait and not a closure, since a closure that isn't inlined is compiled for the baseline instruction set.
trait Step<V, const N: usize> {
    /// The new parameter and states, from the parameter, its gradient and the states.
    fn step(&self, parameter: V, gradient: V, state: [V; N]) -> (V, [V; N]);
}

/// A [`Slope`] whose constants stand in every lane.
struct SlopeLanes<V> {
    sign: V,
    weight_decay: V,
    /// How far from 0 a parameter counts: 0 where it doesn't decay, so that an infinite one adds 0 and not NaN.
    limit: V,
    limit_below: V,
}

impl<V: Vector> SlopeLanes<V> {
    #[inline(always)]
    fn new(slope: Slope, spread: impl Fn(f64) -> V) -> Self {
        let limit = if slope.weight_decay == 0. {
            0.
        } else {
            f64::INFINITY
        };
        Self {
            sign: spread(slope.sign),
            weight_decay: spread(slope.weight_decay),
            limit: spread(limit),
            limit_below: spread(-limit),
        }
    }

    #[inline(always)]
    fn at(&self, p: V, g: V) -> V {
        let p = p.min(self.limit).max(self.limit_below);
        p.mul_add(self.weight_decay, g * self.sign)
    }
}

/// A running average's weights, in every lane.
struct AverageLanes<V> {
    keep: V,
    add: V,
}

impl<V: Vector> AverageLanes<V> {
    #[inline(always)]
    fn new(beta: f64, spread: impl Fn(f64) -> V) -> Self {
        Self {
            keep: spread(beta),
            add: spread(1. - beta),
        }
    }

    /// β·average + (1 − β)·value
    #[inline(always)]
    fn next(&self, average: V, value: V) -> V {
        average.mul_add(self.keep, value * self.add)
    }
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
