//! What comes of a case: it passes, it fails, or it can't be expressed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sconce::core::candle_core::{self, DType, Tensor, Var};
use sconce::core::{ParamStore, backward};
use sconce_testkit::golden::{Bound, Case, GoldenError, compare};

use super::Run;
use super::setting::{Precision, Setting};

/// What became of a case.
pub(super) enum Verdict {
    Pass,
    /// Each entry says which tensor is wrong, and in what.
    Fail(Vec<String>),
    /// The kind or option that sconce lacks.
    Unsupported(String),
}

/// Why a runner gave no results.
pub(super) enum Stop {
    Unsupported(String),
    Failed(String),
}

impl Stop {
    /// The case's kind has no layer.
    pub(super) fn kind(setting: &Setting<'_>) -> Self {
        Self::Unsupported(setting.kind().to_owned())
    }
}

impl From<candle_core::Error> for Stop {
    fn from(error: candle_core::Error) -> Self {
        sconce::core::Error::from(error).into()
    }
}

impl From<sconce::core::Error> for Stop {
    fn from(error: sconce::core::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<GoldenError> for Stop {
    fn from(error: GoldenError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The tensors that a runner computed, by the names that they have in the case.
#[derive(Default)]
pub(super) struct Results {
    tensors: Vec<(String, Tensor)>,
}

impl Results {
    pub(super) fn add(&mut self, name: impl Into<String>, tensor: &Tensor) {
        self.tensors.push((name.into(), tensor.detach()));
    }

    /// Outputs, and the gradients of Σ_k ⟨out.k, cot.k⟩ by the variables among the inputs and by the store's parameters.
    /// Buffers are taken as they stand after the run.
    pub(super) fn of(
        setting: &Setting<'_>,
        outputs: &[Tensor],
        inputs: &[(&str, &Var)],
        store: &ParamStore,
    ) -> Result<Self, Stop> {
        use sconce::core::Parameters;
        let mut results = Self::default();
        let mut loss: Option<Tensor> = None;
        for (k, out) in outputs.iter().enumerate() {
            results.add(format!("out.{k}"), out);
            let cot = setting.tensor(&format!("cot.{k}"))?;
            if cot.dims() != out.dims() {
                // The comparison of the output says what is wrong.
                return Ok(results);
            }
            let term = (out * cot)?.sum_all()?;
            loss = Some(match loss {
                Some(sum) => (sum + term)?,
                None => term,
            });
        }
        let loss = loss.ok_or_else(|| Stop::Failed("no output".to_owned()))?;
        let gradients = backward(&loss, store)?;
        for (name, variable) in inputs {
            if let Some(gradient) = gradients.of(variable) {
                results.add(format!("grad.in.{name}"), gradient);
            }
        }
        for (name, gradient) in gradients.iter() {
            results.add(format!("grad.param.{name}"), gradient);
        }
        for (name, tensor) in store.named_tensors() {
            results.add(format!("param.{name}"), &tensor);
        }
        Ok(results)
    }

    fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, tensor)| tensor)
    }
}

/// Runs a case in f64 and compares everything that it expects.
pub(super) fn in_f64(run: Run, case: Case<'_>) -> Verdict {
    match results(run, case, Precision::F64) {
        Err(verdict) => verdict,
        Ok(results) => compare_all(case, &results, |_, _| Ok(Bound::F64)),
    }
}

/// A trajectory's own bound: what is left of steps that do the reference's operations in its order is rounding. Where the
/// case says how far a last digit of the start carries, a hundred times that is allowed, step by step.
fn compare_trajectory(case: Case<'_>, actual: &Tensor, expected: &Tensor) -> Result<(), Stop> {
    let steps = expected.dim(0)?;
    let sensitivity = match case.get(SENSITIVITY)? {
        Some(sensitivity) => sensitivity.to_vec1::<f64>()?,
        None => vec![0.; steps],
    };
    let mut bound = Bound {
        rtol: 1e-11,
        atol: 0.,
    };
    for (step, carried) in (0..steps).zip(sensitivity) {
        bound.atol = bound.atol.max(100. * carried);
        let name = format!("{TRAJECTORY} at step {}", step + 1);
        compare(&name, &actual.get(step)?, &expected.get(step)?, bound)
            .map_err(|e| Stop::Failed(e.to_string()))?;
    }
    Ok(())
}

/// Whether the trajectory comes from the project's own generator, which names the objective. Others may evaluate it in another
/// order, and are held to the bound of all results.
fn is_own(case: Case<'_>) -> bool {
    case.config().get("objective").is_some()
}

const TRAJECTORY: &str = "trajectory";
const SENSITIVITY: &str = "sensitivity";

/// Runs a case in f32 and compares with the bound of f32, widened by what f32 can't do better.
///
/// The case is also computed in f64 from its own inputs and from inputs rounded to f32. By how much these two differ is how
/// the tensor is conditioned: 16 times that is allowed beside 1e-5. A gradient is a sum of terms that may cancel (a layer
/// norm over two values); its rounding is relative to the terms, so 1e-6 of the case's largest gradient or weight of the
/// loss is allowed as well.
pub(super) fn in_f32(run: Run, case: Case<'_>) -> Verdict {
    let run_as = |precision| results(run, case, precision);
    let (exact, rounded, single) = match (
        run_as(Precision::F64),
        run_as(Precision::Rounded),
        run_as(Precision::F32),
    ) {
        (Ok(exact), Ok(rounded), Ok(single)) => (exact, rounded, single),
        (Err(verdict), ..) | (_, Err(verdict), _) | (.., Err(verdict)) => return verdict,
    };
    compare_all(case, &single, |name, expected| {
        let mut bound = Bound::F32;
        if let (Some(exact), Some(rounded)) = (exact.get(name), rounded.get(name))
            && exact.dtype().is_float()
        {
            bound.atol += 16.0 * norm(&(exact - rounded)?)?;
        }
        if name.starts_with("grad.") {
            let mut largest = norm(expected)?;
            for (_, tensor) in case.tensors("grad.")?.into_iter().chain(case.tensors("cot.")?) {
                largest = largest.max(norm(&tensor)?);
            }
            bound.atol += 1e-6 * largest;
        }
        Ok(bound)
    })
}

/// The norm over the finite values.
fn norm(x: &Tensor) -> Result<f64, candle_core::Error> {
    let values = x.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    Ok(values
        .iter()
        .filter(|x| x.is_finite())
        .map(|x| x * x)
        .sum::<f64>()
        .sqrt())
}

fn results(run: Run, case: Case<'_>, precision: Precision) -> Result<Results, Verdict> {
    let setting = Setting::new(case, precision);
    let ran = catch_unwind(AssertUnwindSafe(|| run(&setting)));
    match ran {
        Ok(Ok(results)) => match setting.unread() {
            Some(what) => Err(Verdict::Unsupported(format!("{} with {what}", case.kind()))),
            None => Ok(results),
        },
        Ok(Err(Stop::Unsupported(what))) => Err(Verdict::Unsupported(what)),
        Ok(Err(Stop::Failed(what))) => Err(Verdict::Fail(vec![first_line(&what)])),
        Err(panic) => Err(Verdict::Fail(vec![format!(
            "panicked: {}",
            panic_message(panic.as_ref())
        )])),
    }
}

/// candle's errors may carry a backtrace below their message.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    first_line(
        text.or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or_default(),
    )
}

/// Compares outputs, gradients, and the state after the run: every expected tensor that isn't an input.
fn compare_all(
    case: Case<'_>,
    results: &Results,
    bound: impl Fn(&str, &Tensor) -> Result<Bound, Stop>,
) -> Verdict {
    let given = |name: &str| {
        ["in.", "cot.", "before."]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    // The optimiser's cases have no prefixes.
    let is_start = |name: &str| ["A", "b", "w0", "c0", "v0", SENSITIVITY].contains(&name);
    let mut failures = Vec::new();
    for name in case.names("").filter(|name| !given(name) && !is_start(name)) {
        let result = case.tensor(name).map_err(Stop::from).and_then(|expected| {
            let actual = results
                .get(name)
                .ok_or_else(|| Stop::Failed(format!("{name}: sconce gives none")))?;
            if name == TRAJECTORY
                && is_own(case)
                && expected.dims() == actual.dims()
                && actual.dtype() == DType::F64
            {
                return compare_trajectory(case, actual, &expected);
            }
            compare(name, actual, &expected, bound(name, &expected)?).map_err(|e| Stop::Failed(e.to_string()))
        });
        if let Err(Stop::Failed(message) | Stop::Unsupported(message)) = result {
            failures.push(message);
        }
    }
    if failures.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Fail(failures)
    }
}
