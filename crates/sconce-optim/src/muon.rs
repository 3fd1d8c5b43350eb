//! Muon.

use crate::engine::{Engine, NUMBERS, Rule, average, check_not_negative, optimizer, scheduled};
use candle_core::{DType, Tensor};
use sconce_core::{Error, Result, cast};

/// Options of [`Muon`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MuonConfig {
    /// Learning rate η.
    pub lr: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// How much of the running average of gradients is kept, from 0 to below 1.
    pub momentum: f64,
    /// Look ahead: average the gradient with the running average once more.
    pub nesterov: bool,
    /// The coefficients of x, x³ and x⁵ in the polynomial that drives singular values towards 1.
    pub ns_coefficients: (f64, f64, f64),
    /// The least norm that an update is divided by.
    pub eps: f64,
    /// How often the polynomial is applied, below 100.
    pub ns_steps: usize,
    /// How the learning rate depends on a matrix's shape.
    pub adjust_lr: MuonAdjust,
    /// Climb instead of descending; PyTorch's has no such option.
    pub maximize: bool,
}

/// What [`Muon`] multiplies its learning rate by, for a matrix of A rows and B columns; PyTorch's `adjust_lr_fn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MuonAdjust {
    /// √max(1, A/B)
    #[default]
    Original,
    /// 0.2·√max(A, B), so that steps are as large as AdamW's.
    MatchRmsAdamw,
    /// √(A/B)
    SpectralUnclamped,
}

impl MuonAdjust {
    fn ratio(self, rows: usize, columns: usize) -> f64 {
        let (a, b) = (rows as f64, columns as f64);
        match self {
            Self::Original => (a / b).max(1.).sqrt(),
            Self::MatchRmsAdamw => 0.2 * a.max(b).sqrt(),
            Self::SpectralUnclamped => (a / b).sqrt(),
        }
    }
}

impl Default for MuonConfig {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            weight_decay: 0.1,
            momentum: 0.95,
            nesterov: true,
            ns_coefficients: (3.4445, -4.775, 2.0315),
            eps: 1e-7,
            ns_steps: 5,
            adjust_lr: MuonAdjust::Original,
            maximize: false,
        }
    }
}

/// Muon: momentum whose singular values are all brought near 1, for the weight matrices of hidden layers.
///
/// B ← μB + (1 − μ)g, U = (1 − μ)g + μB with `nesterov`, else B; X = U/‖U‖, then `ns_steps` times
/// X ← aX + (b·XXᵀ + c·(XXᵀ)²)X; θ ← (1 − ηλ)θ − η·ratio·X.
///
/// The iteration is computed in the parameter's type, `f32` for half precision, where PyTorch's always is in `bf16`; the two
/// agree to the latter's two or three digits. Biases, norms and embeddings want another rule, which
/// [`Parameters::only`](sconce_core::Parameters::only) and [`except`](sconce_core::Parameters::except) give them to.
///
/// # Parameters
/// State, of the parameter's shape: `momentum_buffer` (B).
///
/// # Errors
/// `new`: an option is negative or not finite, `momentum` isn't below 1, or `ns_steps` not below 100; a parameter that is
/// trained isn't a matrix.
///
/// # Source
/// Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; `torch.optim.Muon`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, Parameters, backward, param};
/// use sconce_optim::{Adam, AdamConfig, Muon, MuonConfig, Optimize};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let weight = param(&store.builder(), (4, 3), "fc.weight", &Init::Const(1.))?;
/// let bias = param(&store.builder(), 4, "fc.bias", &Init::Const(0.))?;
/// let mut muon = Muon::new(&MuonConfig { lr: 0.02, ..MuonConfig::default() }, &store.only("*.weight")?)?;
/// let mut adam = Adam::new(&AdamConfig::adamw(), &store.except("*.weight")?)?;
/// let loss = weight.tensor().sum(1)?.add(&bias.tensor())?.sqr()?.mean_all()?;
/// let gradients = backward(&loss, &store)?;
/// muon.step(&gradients.only("*.weight")?)?;
/// adam.step(&gradients.except("*.weight")?)?;
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct Muon(Engine<MuonConfig>);

optimizer!(Muon, MuonConfig);

/// What a step depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    /// 1, or −1 to climb.
    pub(crate) sign: f64,
    pub(crate) options: MuonConfig,
}

impl Constants {
    /// What the update of such a matrix is multiplied by.
    pub(crate) fn rate(&self, rows: usize, columns: usize) -> f64 {
        self.options.lr * self.options.adjust_lr.ratio(rows, columns)
    }

    /// What is left of the parameter before the step.
    pub(crate) fn shrink(&self) -> f64 {
        1. - self.options.lr * self.options.weight_decay
    }
}

impl Rule for MuonConfig {
    type Constants = Constants;
    const NAME: &'static str = "Muon";
    const COUNTS_STEPS: bool = false;

    fn check(&self) -> Result<()> {
        check_not_negative(
            Self::NAME,
            &[
                ("lr", self.lr),
                ("weight_decay", self.weight_decay),
                ("eps", self.eps),
            ],
        )?;
        if !(0. ..1.).contains(&self.momentum) {
            let expected = "at least 0 and below 1";
            return Err(Error::config(Self::NAME, "momentum", self.momentum, expected));
        }
        let (a, b, c) = self.ns_coefficients;
        if ![a, b, c].iter().all(|x| x.is_finite()) {
            let given = format!("{:?}", self.ns_coefficients);
            return Err(Error::config(
                Self::NAME,
                "ns_coefficients",
                given,
                "finite numbers",
            ));
        }
        if self.ns_steps >= 100 {
            return Err(Error::config(Self::NAME, "ns_steps", self.ns_steps, "below 100"));
        }
        Ok(())
    }

    fn check_parameter(name: &str, dims: &[usize]) -> Result<()> {
        match dims {
            [_, _] => Ok(()),
            _ => {
                let layer = format!("{name} ({})", Self::NAME);
                let expected = "[rows, columns]: choose the matrices with Parameters::only";
                Err(Error::shape(layer, "parameter", expected, dims))
            }
        }
    }

    scheduled!(momentum);

    fn state_names(&self, _rank: usize) -> &'static [&'static str] {
        &["momentum_buffer"]
    }

    fn constants(&self, _step: u64, _numbers: &mut [f64; NUMBERS]) -> Constants {
        Constants {
            sign: if self.maximize { -1. } else { 1. },
            options: *self,
        }
    }

    fn composite(
        constants: &Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let [buffer] = state else {
            return Err(candle_core::Error::Msg("Muon keeps one tensor".into()));
        };
        let options = &constants.options;
        let gradient = (gradient * constants.sign)?;
        average(buffer, &gradient, options.momentum)?;
        let mut update = buffer.clone();
        if options.nesterov {
            average(&mut update, &gradient, options.momentum)?;
        }
        let (rows, columns) = parameter.dims2()?;
        let update = orthogonal(&update, options)?;
        (parameter * constants.shrink())? - (update * constants.rate(rows, columns))?
    }
}

/// The matrix with its singular values brought near 1.
fn orthogonal(matrix: &Tensor, options: &MuonConfig) -> candle_core::Result<Tensor> {
    let (rows, columns) = matrix.dims2()?;
    // The products are of the smaller side's size.
    let tall = rows > columns;
    let mut x = if tall {
        matrix.t()?.contiguous()?
    } else {
        matrix.clone()
    };
    let squares = cast(&x, DType::F64)?.sqr()?.sum_all()?;
    x = (x / squares.to_scalar::<f64>()?.sqrt().max(options.eps))?;
    let (a, b, c) = options.ns_coefficients;
    for _ in 0..options.ns_steps {
        let gram = x.matmul(&x.t()?)?;
        let mix = ((&gram * b)? + (gram.matmul(&gram)? * c)?)?;
        x = ((&x * a)? + mix.matmul(&x)?)?;
    }
    if tall { x.t()?.contiguous() } else { Ok(x) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::assert_kernel_is_composite_on;
    use sconce_testkit::golden::Bound;

    #[test]
    fn kernel_is_composite() {
        let shapes: [&[usize]; 7] = [
            &[1, 1],
            &[5, 1],
            &[1, 9],
            &[13, 70],
            &[60, 11],
            &[300, 230],
            &[140, 150],
        ];
        for rule in [
            MuonConfig::default(),
            MuonConfig {
                nesterov: false,
                adjust_lr: MuonAdjust::MatchRmsAdamw,
                maximize: true,
                ns_steps: 4,
                ..MuonConfig::default()
            },
        ] {
            assert_kernel_is_composite_on(&rule, &shapes, [Bound::F64, Bound::F32]);
        }
    }
}
