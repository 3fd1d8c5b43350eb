//! The functions in twice the precision of `f64`: pairs of which the second is what rounding the first lost.

#[derive(Debug, Clone, Copy)]
pub(super) struct Wide(pub(super) f64, pub(super) f64);

const LN_2: Wide = Wide(std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17);
/// 2/√π.
const FRAC_2_SQRT_PI: Wide = Wide(std::f64::consts::FRAC_2_SQRT_PI, 1.533_545_961_316_588e-17);
const ONE: Wide = Wide(1., 0.);

impl Wide {
    fn of(a: f64) -> Self {
        Self(a, 0.)
    }
    fn normalised(a: f64, b: f64) -> Self {
        let sum = a + b;
        Self(sum, b - (sum - a))
    }
    fn plus(self, other: Self) -> Self {
        let sum = self.0 + other.0;
        let part = sum - self.0;
        let lost = (self.0 - (sum - part)) + (other.0 - part);
        Self::normalised(sum, lost + self.1 + other.1)
    }
    fn minus(self, other: Self) -> Self {
        self.plus(Self(-other.0, -other.1))
    }
    fn times(self, other: Self) -> Self {
        let product = self.0 * other.0;
        let lost = self.0.mul_add(other.0, -product);
        Self::normalised(product, lost + self.0 * other.1 + self.1 * other.0)
    }
    fn over(self, other: Self) -> Self {
        let first = self.0 / other.0;
        let rest = self.minus(other.times(Self::of(first)));
        let second = rest.0 / other.0;
        let rest = rest.minus(other.times(Self::of(second)));
        Self::normalised(first, second).plus(Self::of(rest.0 / other.0))
    }
    /// By a power of two.
    fn scaled(self, n: i32) -> Self {
        let half = n / 2;
        let power = |n: i32| 2f64.powi(n);
        Self(
            self.0 * power(half) * power(n - half),
            self.1 * power(half) * power(n - half),
        )
    }
}

/// n and eʳ − 1 with x = n·ln 2 + r.
fn reduced(x: Wide) -> (i32, Wide) {
    let n = (x.0 / LN_2.0).round();
    let r = x.minus(LN_2.times(Wide::of(n))).scaled(-8);
    let (mut term, mut sum) = (r, r);
    for i in 2..14 {
        term = term.times(r).over(Wide::of(f64::from(i)));
        sum = sum.plus(term);
    }
    for _ in 0..8 {
        sum = sum.scaled(1).plus(sum.times(sum));
    }
    (n as i32, sum)
}

fn wide_exp(x: Wide) -> Wide {
    if x.0.is_nan() || x.0 > 800. || x.0 < -800. {
        return Wide::of(x.0.exp());
    }
    let (n, sum) = reduced(x);
    finite(sum.plus(ONE).scaled(n))
}

/// An overflow without the NaN that its second part became.
fn finite(x: Wide) -> Wide {
    if x.0.is_infinite() { Wide::of(x.0) } else { x }
}

pub(super) fn exp(x: f64) -> Wide {
    wide_exp(Wide::of(x))
}

fn wide_exp_m1(x: Wide) -> Wide {
    if x.0.is_nan() || x.0.abs() > 800. {
        return Wide::of(x.0.exp_m1());
    }
    if x.0.abs() < 1e-30 {
        return x;
    }
    let (n, sum) = reduced(x);
    let e = finite(sum.plus(ONE).scaled(n));
    if n == 0 {
        sum
    } else if e.0.is_infinite() {
        e
    } else {
        e.minus(ONE)
    }
}

pub(super) fn exp_m1(x: f64) -> Wide {
    wide_exp_m1(Wide::of(x))
}

/// ln(x) from an estimate y, by y + (x·e^−y − 1) and once more.
fn wide_ln(x: Wide) -> Wide {
    if !(x.0 > 0. && x.0.is_finite()) {
        return Wide::of(x.0.ln());
    }
    let exponent = x.0.log2().floor() as i32;
    let m = x.scaled(-exponent);
    let mut y = Wide::of(m.0.ln());
    for _ in 0..2 {
        // ln(1 + d) = d − d²/2 for the tiny d that is left.
        let d = m.times(wide_exp(Wide(-y.0, -y.1))).minus(ONE);
        y = y.plus(d.minus(d.times(d).scaled(-1)));
    }
    y.plus(LN_2.times(Wide::of(f64::from(exponent))))
}

pub(super) fn ln(x: f64) -> Wide {
    // Near 1 the multiple of ln 2 would cancel.
    if (x - 1.).abs() < 0.5 {
        ln_1p(x - 1.)
    } else {
        wide_ln(Wide::of(x))
    }
}

fn wide_ln_1p(x: Wide) -> Wide {
    if !(x.0 > -1. && x.0.is_finite()) {
        return Wide::of(x.0.ln_1p());
    }
    if x.0.abs() < 1e-30 {
        return x;
    }
    if x.0.abs() > 0.5 {
        return wide_ln(x.plus(ONE));
    }
    let mut y = Wide::of(x.0.ln_1p());
    for _ in 0..2 {
        // (1 + x)·e^−y − 1 = e^−y − 1 + x·e^−y, where nothing cancels but what should.
        let e = wide_exp_m1(Wide(-y.0, -y.1));
        let d = e.plus(x.times(e.plus(ONE)));
        y = y.plus(d.minus(d.times(d).scaled(-1)));
    }
    y
}

pub(super) fn ln_1p(x: f64) -> Wide {
    wide_ln_1p(Wide::of(x))
}

pub(super) fn tanh(x: f64) -> Wide {
    if x.is_nan() || x.abs() > 40. || x.abs() < 1e-20 {
        return Wide::of(x.tanh());
    }
    let e = exp_m1(2. * x);
    e.over(e.plus(Wide::of(2.)))
}

pub(super) fn sigmoid(x: f64) -> Wide {
    if x.is_nan() || x > 100. {
        return Wide::of(1. / (1. + (-x).exp()));
    }
    if x < -50. {
        // e²ˣ no longer shows, and e⁻ˣ would overflow at the end.
        return exp(x);
    }
    ONE.over(ONE.plus(exp(-x)))
}

/// e^−x²·2/√π·Σ 2ⁿ·x²ⁿ⁺¹/(2n+1)!!, whose terms are all positive.
pub(super) fn erf(x: f64) -> Wide {
    if x.is_nan() || x.abs() > 6.5 {
        return Wide::of(if x.is_nan() { x } else { x.signum() });
    }
    if x.abs() < 1e-20 {
        // The double part would be subnormal for the smallest ones.
        return Wide::of(x).times(FRAC_2_SQRT_PI);
    }
    let square = Wide::of(x).times(Wide::of(x));
    let (mut term, mut sum) = (Wide::of(x), Wide::of(x));
    for n in 1..400 {
        term = term.times(square).scaled(1).over(Wide::of(f64::from(2 * n + 1)));
        sum = sum.plus(term);
    }
    sum.times(wide_exp(Wide(-square.0, -square.1)))
        .times(FRAC_2_SQRT_PI)
}

pub(super) fn softplus(x: f64) -> Wide {
    if x.is_nan() || x.abs() > 740. {
        return Wide::of(if x < 0. { x.exp() } else { x });
    }
    Wide::of(x.max(0.)).plus(wide_ln_1p(exp(-x.abs())))
}
