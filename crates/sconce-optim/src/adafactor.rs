//! Adafactor.

use crate::engine::{Engine, NUMBERS, Rule, average, check_not_negative, optimizer, scheduled};
use crate::kernels::adafactor::{Average, Change};
use candle_core::{D, DType, Tensor};
use sconce_core::cpu::Real;
use sconce_core::{Error, Result, cast};

/// Options of [`Adafactor`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdafactorConfig {
    /// The most that the relative step size is; it shrinks as 1/√t.
    pub lr: f64,
    /// The exponent by which the running average's weight of the new gradient falls, tᵝ; at most 0.
    pub beta2_decay: f64,
    /// The least root of an average square, and the least scale of a parameter. None for the first is the machine epsilon of
    /// the type that the step is computed in.
    pub eps: (Option<f64>, f64),
    /// The root mean square that an update is cut to.
    pub d: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// Climb instead of descending.
    pub maximize: bool,
}

impl Default for AdafactorConfig {
    fn default() -> Self {
        Self {
            lr: 1e-2,
            beta2_decay: -0.8,
            eps: (None, 1e-3),
            d: 1.,
            weight_decay: 0.,
            maximize: false,
        }
    }
}

/// Adafactor: Adam's second moments of a matrix, kept as one number for each row and each column.
///
/// With ω = tᵝ: R ← R + ω(mean of g² along rows − R), C the same along columns, V = R·C / mean(R), U = g / √V,
/// θ ← (1 − ηλ)θ − max(ε₂, rms θ)·min(η, 1/√t) · U / max(1, rms(U)/d). A vector or scalar keeps all of V; of more than two
/// axes the last two are the matrix.
///
/// # Parameters
/// State: `row_var` \[…, rows, 1\] and `col_var` \[…, 1, columns\], or `variance` of a vector's shape; `step`.
///
/// # Errors
/// `new`: an option is negative or not finite, or `beta2_decay` positive.
///
/// # Source
/// Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018; `torch.optim.Adafactor`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::{Adafactor, AdafactorConfig, Optimize};
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), (4, 3), "w", &Init::Const(2.))?;
/// let mut rule = Adafactor::new(&AdafactorConfig::default(), &store)?;
/// rule.step(&backward(&(w.tensor() * 7.)?.sum_all()?, &store)?)?;
/// // A hundredth of the parameter's size, whatever the gradient's.
/// assert!((w.value().to_vec2::<f64>()?[0][0] - 1.98).abs() < 1e-12);
/// let kept: usize = rule.state()?.iter().map(|(_, tensor)| tensor.elem_count()).sum();
/// assert_eq!(kept, 1 + 4 + 3);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Adafactor(Engine<AdafactorConfig>);

optimizer!(Adafactor, AdafactorConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    /// 1, or −1 to climb.
    sign: f64,
    /// ω, the weight of the new squares.
    weight: f64,
    /// min(η, 1/√t)
    rho: f64,
    eps: (Option<f64>, f64),
    d: f64,
    /// What is left of the parameter before the step.
    shrink: f64,
}

impl Constants {
    pub(crate) fn average(&self) -> Average {
        Average {
            keep: 1. - self.weight,
            add: self.weight,
        }
    }

    /// ε₁
    fn least_root(&self, dtype: DType) -> f64 {
        self.eps.0.unwrap_or(match dtype {
            DType::F64 => f64::EPSILON,
            _ => f32::EPSILON.into(),
        })
    }

    /// The least average square, of a type to compute in.
    pub(crate) fn floor<T: Real>(&self) -> T {
        T::of(self.least_root(T::DTYPE).powi(2))
    }

    /// What products of a matrix's averages are divided by.
    pub(crate) fn scale<T: Real>(&self, rows: &[T]) -> T {
        let mean = rows.iter().map(|x| x.wide()).sum::<f64>() / rows.len() as f64;
        T::of(mean.max(self.least_root(T::DTYPE)))
    }

    /// What becomes of a parameter of so many elements, from the sums of its squares and of its update's.
    pub(crate) fn change(&self, (parameter, update): (f64, f64), count: usize) -> Change {
        let root_mean = |squares: f64| (squares / count as f64).sqrt();
        let alpha = root_mean(parameter).max(self.eps.1) * self.rho;
        Change {
            shrink: self.shrink,
            rate: self.sign * alpha / (root_mean(update) / self.d).max(1.),
        }
    }
}

impl Rule for AdafactorConfig {
    type Constants = Constants;
    const NAME: &'static str = "Adafactor";
    const COUNTS_STEPS: bool = true;

    fn check(&self) -> Result<()> {
        let (eps1, eps2) = self.eps;
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("eps.0", eps1.unwrap_or(0.)),
                ("eps.1", eps2),
                ("weight_decay", self.weight_decay),
            ],
        )?;
        if !(self.d.is_finite() && self.d >= 1.) {
            return Err(Error::config(
                Self::NAME,
                "d",
                self.d,
                "a finite number, at least 1",
            ));
        }
        if !(self.beta2_decay.is_finite() && self.beta2_decay <= 0.) {
            let expected = "a finite number, at most 0";
            return Err(Error::config(
                Self::NAME,
                "beta2_decay",
                self.beta2_decay,
                expected,
            ));
        }
        Ok(())
    }

    scheduled!();

    fn state_names(&self, rank: usize) -> &'static [&'static str] {
        match rank {
            0 | 1 => &["variance"],
            _ => &["row_var", "col_var"],
        }
    }

    fn state_dims(index: usize, dims: &[usize]) -> Vec<usize> {
        let mut dims = dims.to_vec();
        if let [.., rows, columns] = &mut dims[..] {
            *(if index == 0 { columns } else { rows }) = 1;
        }
        dims
    }

    fn constants(&self, step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        let step = step as f64;
        Constants {
            sign: if self.maximize { -1. } else { 1. },
            weight: step.powf(self.beta2_decay),
            rho: self.lr.min(1. / step.sqrt()),
            eps: self.eps,
            d: self.d,
            shrink: 1. - self.lr * self.weight_decay,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let eps1 = constants.least_root(parameter.dtype());
        let squared = gradient.sqr()?;
        let keep = constants.average().keep;
        let estimate = match state {
            [variance] => {
                average(variance, &squared, keep)?;
                variance.clone()
            }
            [rows, columns] => {
                average(rows, &squared.mean_keepdim(D::Minus1)?, keep)?;
                average(columns, &squared.mean_keepdim(D::Minus2)?, keep)?;
                let scale = rows.mean_keepdim(D::Minus2)?.maximum(eps1)?;
                rows.broadcast_mul(columns)?.broadcast_div(&scale)?
            }
            _ => {
                return Err(candle_core::Error::Msg(
                    "Adafactor keeps one tensor or two".into(),
                ));
            }
        };
        let update = (gradient / estimate.maximum(eps1 * eps1)?.sqrt()?)?;
        let sizes = (squares(parameter)?, squares(&update)?);
        let Change { shrink, rate } = constants.change(sizes, parameter.elem_count());
        (parameter * shrink)? - (update * rate)?
    }
}

fn squares(tensor: &Tensor) -> candle_core::Result<f64> {
    // In double precision, since candle adds up millions of numbers one by one.
    cast(tensor, DType::F64)?.sqr()?.sum_all()?.to_scalar()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite_on;
    use sconce_testkit::golden::Bound;

    #[test]
    fn kernel_is_composite() {
        let shapes: [&[usize]; 8] = [
            &[],
            &[7],
            &[70_000],
            &[5, 1],
            &[1, 9],
            &[13, 70],
            &[40, 3, 5],
            &[2, 300, 230],
        ];
        for rule in [
            AdafactorConfig::default(),
            AdafactorConfig {
                eps: (Some(0.5), 2.),
                weight_decay: 0.1,
                maximize: true,
                ..AdafactorConfig::default()
            },
        ] {
            assert_kernel_is_composite_on(&rule, &shapes, [Bound::F64, Bound::F32]);
        }
    }
}
