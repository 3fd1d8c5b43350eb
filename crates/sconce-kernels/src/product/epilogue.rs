//! What happens to a finished tile before it goes to memory.

use crate::simd::{Element, Simd, Vector};
use std::marker::PhantomData;

/// What the sums start from.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a, T> {
    /// 0.
    Zero,
    /// What C holds.
    Existing,
    /// A value for each column.
    Columns(&'a [T]),
}

/// What is done with A·B on its way to C.
pub trait Epilogue<T: Element>: Sync {
    /// Whether `apply` gives back what it gets, so that it needn't be called.
    const IDENTITY: bool;

    /// What the sums start from.
    fn start(&self) -> Start<'_, T>;

    /// The final values of row `row` from column `col` on. At C's right edge surplus lanes hold rubbish.
    fn apply<S: Simd>(&self, s: S, row: usize, col: usize, values: T::Vector<S>) -> T::Vector<S>;
}

/// C = A·B.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

/// C = C + A·B.
#[derive(Debug, Clone, Copy)]
pub struct Accumulate;

/// C = A·B + a bias for each column.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a, T>(pub &'a [T]);

/// C = A·B + a bias for each row.
#[derive(Debug, Clone, Copy)]
pub struct RowBias<'a, T>(pub &'a [T]);

/// Another epilogue's result through an activation.
#[derive(Debug, Clone, Copy)]
pub struct Activate<E, F>(E, PhantomData<F>);

impl<E, F> Activate<E, F> {
    /// F after `inner`.
    pub fn new(inner: E) -> Self {
        Self(inner, PhantomData)
    }
}

macro_rules! start_only {
    ($t:ident, $name:ty, $self:ident => $start:expr) => {
        impl<$t: Element> Epilogue<$t> for $name {
            const IDENTITY: bool = true;

            #[inline(always)]
            fn start(&$self) -> Start<'_, $t> {
                $start
            }
            #[inline(always)]
            fn apply<S: Simd>(&self, _: S, _: usize, _: usize, values: $t::Vector<S>) -> $t::Vector<S> {
                values
            }
        }
    };
}
start_only!(T, Plain, self => Start::Zero);
start_only!(T, Accumulate, self => Start::Existing);
start_only!(T, Columns<'_, T>, self => Start::Columns(self.0));

impl<T: Element> Epilogue<T> for RowBias<'_, T> {
    const IDENTITY: bool = false;

    #[inline(always)]
    fn start(&self) -> Start<'_, T> {
        Start::Zero
    }

    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, row: usize, _: usize, values: T::Vector<S>) -> T::Vector<S> {
        values + s.splat(self.0[row])
    }
}

impl<T: Element, E: Epilogue<T>, F: Activation> Epilogue<T> for Activate<E, F> {
    const IDENTITY: bool = false;

    #[inline(always)]
    fn start(&self) -> Start<'_, T> {
        self.0.start()
    }

    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, row: usize, col: usize, values: T::Vector<S>) -> T::Vector<S> {
        F::apply(self.0.apply(s, row, col, values))
    }
}

/// A function of one value that an epilogue can apply.
pub trait Activation: Send + Sync {
    /// Its value in every lane.
    fn apply<V: Vector>(x: V) -> V;
}

/// max(x, 0); NaN stays NaN.
#[derive(Debug, Clone, Copy)]
pub struct Relu;
/// 1 / (1 + e⁻ˣ).
#[derive(Debug, Clone, Copy)]
pub struct Sigmoid;
/// tanh x.
#[derive(Debug, Clone, Copy)]
pub struct Tanh;
/// x·(1 + erf(x/√2))/2.
#[derive(Debug, Clone, Copy)]
pub struct Gelu;
/// x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2.
#[derive(Debug, Clone, Copy)]
pub struct GeluTanh;

impl Activation for Relu {
    #[inline(always)]
    fn apply<V: Vector>(x: V) -> V {
        x.same(0.).max(x)
    }
}

impl Activation for Sigmoid {
    #[inline(always)]
    fn apply<V: Vector>(x: V) -> V {
        x.sigmoid()
    }
}

impl Activation for Tanh {
    #[inline(always)]
    fn apply<V: Vector>(x: V) -> V {
        x.tanh()
    }
}

impl Activation for Gelu {
    #[inline(always)]
    fn apply<V: Vector>(x: V) -> V {
        let half = x * x.same(0.5);
        half.mul_add((x * x.same(std::f64::consts::FRAC_1_SQRT_2)).erf(), half)
    }
}

impl Activation for GeluTanh {
    #[inline(always)]
    fn apply<V: Vector>(x: V) -> V {
        let scale = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
        let inner = (x * x * x).mul_add(x.same(0.044715), x) * x.same(scale);
        let half = x * x.same(0.5);
        half.mul_add(inner.tanh(), half)
    }
}
