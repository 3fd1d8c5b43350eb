//! Logarithms that keep their digits near 1, which candle lacks.
//!
//! Everything here is for detached tensors: what is differentiated is a [`Function`] with a slope of its own.

use candle_core::{DType, Result, Tensor};
use sconce_core::{Backward, Error, Function, Output, apply1};

/// ln(1 + x).
///
/// With w = 1 + x rounded, ln(w)·x/(w − 1): the two errors of rounding cancel. (Kahan; Goldberg, "What every computer scientist
/// should know about floating-point arithmetic", 1991.)
pub(crate) fn ln_1p(x: &Tensor) -> Result<Tensor> {
    let w = (x + 1.)?;
    let above = (&w - 1.)?;
    above.eq(0.)?.where_cond(x, &(w.log()? * (x / above)?)?)
}

/// Half precision is computed in single.
pub(crate) fn working(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F32 | DType::F64 => Ok(x.clone()),
        _ => x.to_dtype(DType::F32),
    }
}

/// eˣ − 1.
///
/// With w = eˣ rounded, (w − 1)·x/ln w, Kahan's other half; −1 where eˣ is lost beside it.
pub(crate) fn exp_m1(x: &Tensor) -> Result<Tensor> {
    let w = x.exp()?;
    let above = (&w - 1.)?;
    let corrected = (&above * (x / w.log()?)?)?;
    let whole = above.eq(-1.)?.where_cond(&above, &corrected)?;
    // Beyond the largest exponent w is infinite, and so is the answer.
    let whole = w.eq(f64::INFINITY)?.where_cond(&w, &whole)?;
    above.eq(0.)?.where_cond(x, &whole)
}

/// 1/(1 + e⁻ˣ): 1/(1 + e^−|x|), times e^−|x| for negative x.
pub(crate) fn sigmoid(x: &Tensor) -> Result<Tensor> {
    let small = x.abs()?.neg()?.exp()?;
    let above = x.ge(0.)?.where_cond(&small.ones_like()?, &small)?;
    above / (small + 1.)?
}

/// [`softplus`] of a detached tensor: max(x, 0) + ln(1 + e^−|x|).
pub(crate) fn softplus_of(x: &Tensor) -> Result<Tensor> {
    x.relu()? + ln_1p(&x.abs()?.neg()?.exp()?)?
}

/// ln(1 + eˣ), for large and small x too: the negative logarithm of sigmoid(−x).
pub(crate) fn softplus(x: &Tensor) -> Result<Tensor> {
    apply1(Softplus, &[x])
}

struct Softplus;

impl Function for Softplus {
    type Saved = Tensor;

    fn name(&self) -> &'static str {
        "softplus"
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Tensor)> {
        let [input] = inputs else {
            return Err(Error::config(self.name(), "inputs", inputs.len(), "one").into());
        };
        let value = softplus_of(&working(input)?)?;
        Ok((
            vec![Output::copy_of(&value.to_dtype(input.dtype())?)?],
            input.clone(),
        ))
    }

    fn backward(&self, ctx: &Backward<'_, Tensor>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let [Some(grad)] = grads else {
            return Ok(vec![None]);
        };
        let slope = sigmoid(&working(ctx.saved)?)?.to_dtype(grad.dtype())?;
        Ok(vec![Some((grad * slope)?)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use sconce_testkit::{Random, assert_gradients};

    #[test]
    fn logarithms_keep_their_digits() {
        let values: [f64; 11] = [-1., -0.75, -1e-9, -1e-300, 0., 1e-300, 1e-17, 1e-9, 0.3, 1., 1e9];
        let x = Tensor::new(&values, &Device::Cpu).unwrap();
        for (x, y) in values.iter().zip(ln_1p(&x).unwrap().to_vec1::<f64>().unwrap()) {
            let expected = x.ln_1p();
            assert!(
                y == expected || (y - expected).abs() <= 1e-15 * expected.abs(),
                "{x}: {y}, not {expected}"
            );
        }
    }

    #[test]
    fn exponentials_keep_their_digits() {
        let inf = f64::INFINITY;
        let values: [f64; 12] = [
            -inf, -800., -1., -1e-9, -1e-300, 0., 1e-300, 1e-17, 1e-9, 0.3, 700., inf,
        ];
        let x = Tensor::new(&values, &Device::Cpu).unwrap();
        for (x, y) in values.iter().zip(exp_m1(&x).unwrap().to_vec1::<f64>().unwrap()) {
            let expected = x.exp_m1();
            assert!(
                y == expected || (y - expected).abs() <= 1e-15 * expected.abs(),
                "{x}: {y}, not {expected}"
            );
        }
    }

    #[test]
    fn softplus_and_its_slope_from_end_to_end() {
        let inf = f64::INFINITY;
        // x, ln(1 + eˣ), sigmoid(x)
        let table = [
            (-inf, 0., 0.),
            (-1000., 0., 0.),
            (-40., 4.248_354_255_291_589e-18, 4.248_354_255_291_589e-18),
            (0., 2f64.ln(), 0.5),
            (3., 3.048_587_351_573_742, 0.952_574_126_822_433_1),
            (1000., 1000., 1.),
            (inf, inf, 1.),
        ];
        for (x, value, slope) in table {
            let x = Var::new(x, &Device::Cpu).unwrap();
            let y = softplus(&x).unwrap();
            let gradient = y
                .backward()
                .unwrap()
                .remove(&x)
                .unwrap()
                .to_scalar::<f64>()
                .unwrap();
            let y = y.to_scalar::<f64>().unwrap();
            let near = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-15 * b.abs();
            assert!(near(y, value) && near(gradient, slope), "{x:?}: {y}, {gradient}");
        }
        let nan = softplus(&Tensor::new(f64::NAN, &Device::Cpu).unwrap()).unwrap();
        assert!(nan.to_scalar::<f64>().unwrap().is_nan());
        let x = Random::new(1).normal((3, 5), DType::F64).unwrap();
        assert_gradients(&[("x", &x)], |t| softplus(&t[0]));
    }
}
