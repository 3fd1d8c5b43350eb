//! The two element types' formats and polynomials. Coefficients ascend.

/// What the algorithms need to know about an element type.
pub(super) trait Constants {
    /// Bits of the mantissa that are stored.
    const MANTISSA: u32;
    /// The bits of 1.
    const ONE_BITS: u64;
    /// The bits of 2^MANTISSA.
    const MAGIC_BITS: u64;
    /// 2^MANTISSA plus the exponent's bias.
    const MAGIC_AND_BIAS: f64;
    /// The smallest normal number, and a power of two (with its exponent) that makes any subnormal one normal.
    const MIN_NORMAL: f64;
    const LIFT: (f64, f64);
    /// Below this, f(x) = x to the last place for every f with f(x) = x + O(x²).
    const TINY: f64;
    /// ln 2 in two parts; multiples of the first up to the exponent's range are exact.
    const LN_2: (f64, f64);
    /// Where eˣ has long become 0, and where it has become infinite.
    const EXP_RANGE: (f64, f64);
    /// (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2.
    const EXP: &'static [f64];
    /// (2·artanh(s)/s − 2) / s², in s², for |s| ≤ 3 − 2√2.
    const LN: &'static [f64];
    /// Where tanh has become 1.
    const TANH_MAX: f64;
    /// Up to here erf comes from `ERF_NEAR`.
    const ERF_SPLIT: f64;
    /// Where erf has become 1.
    const ERF_MAX: f64;
    /// erf(x)/x − 1, in x², for x ≤ ERF_SPLIT.
    const ERF_NEAR: &'static [f64];
    /// ln(1 − erf(1 + u)) for 1 + u from ERF_SPLIT to ERF_MAX, fitted to the absolute error of erf.
    const ERF_FAR: &'static [f64];
}

impl Constants for f32 {
    const MANTISSA: u32 = 23;
    const ONE_BITS: u64 = 0x3f80_0000;
    const MAGIC_BITS: u64 = 0x4b00_0000;
    const MAGIC_AND_BIAS: f64 = 8_388_608. + 127.;
    const MIN_NORMAL: f64 = f32::MIN_POSITIVE as f64;
    const LIFT: (f64, f64) = (33_554_432., 25.);
    const TINY: f64 = 2.0e-8;
    const LN_2: (f64, f64) = (0.693359375, -2.121_944_400_546_905_8e-4);
    const EXP_RANGE: (f64, f64) = (-105., 89.);
    const EXP: &'static [f64] = &[0.5, 0.16666518, 0.0416662, 0.008369025, 0.0013950728];
    const LN: &'static [f64] = &[0.6666678, 0.3997708, 0.29885188];
    const TANH_MAX: f64 = 10.;
    const ERF_SPLIT: f64 = 0.875;
    const ERF_MAX: f64 = 4.;
    const ERF_NEAR: &'static [f64] = &[
        0.12837917,
        -0.37612635,
        0.11283715,
        -0.02686051,
        0.0052038594,
        -0.00081756408,
        8.5131098e-5,
    ];
    const ERF_FAR: &'static [f64] = &[
        -1.8496056,
        -2.6389675,
        -0.8431074,
        -0.04156105,
        0.010039365,
        -0.0020026255,
        0.00028392344,
        -2.045136e-5,
    ];
}

impl Constants for f64 {
    const MANTISSA: u32 = 52;
    const ONE_BITS: u64 = 0x3ff0_0000_0000_0000;
    const MAGIC_BITS: u64 = 0x4330_0000_0000_0000;
    const MAGIC_AND_BIAS: f64 = 4_503_599_627_370_496. + 1023.;
    const MIN_NORMAL: f64 = f64::MIN_POSITIVE;
    const LIFT: (f64, f64) = (18_014_398_509_481_984., 54.);
    const TINY: f64 = 5e-17;
    const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
    const EXP_RANGE: (f64, f64) = (-746., 710.);
    const EXP: &'static [f64] = &[
        0.5,
        0.16666666666666685,
        0.04166666666666673,
        0.008333333333316484,
        0.0013888888888858079,
        0.00019841269897699542,
        2.48015873743787e-05,
        2.7557233587488563e-06,
        2.7557232857375915e-07,
        2.5112469148377895e-08,
        2.0927089545692985e-09,
    ];
    const LN: &'static [f64] = &[
        0.666666666666674,
        0.39999999999377966,
        0.28571428751305034,
        0.22222197587214643,
        0.1818361899201984,
        0.15312569837973034,
        0.14811540182338068,
    ];
    const TANH_MAX: f64 = 22.;
    const ERF_SPLIT: f64 = 0.9375;
    const ERF_MAX: f64 = 6.;
    const ERF_NEAR: &'static [f64] = &[
        0.1283791670955126,
        -0.3761263890318375,
        0.11283791670954857,
        -0.026866170645072893,
        0.005223977624780838,
        -0.0008548326978740622,
        0.000120553310368449,
        -1.4925593505645053e-05,
        1.646097279815068e-06,
        -1.6350025034086767e-07,
        1.4657878650325638e-08,
        -1.1365661644367267e-09,
        5.945254923277616e-11,
    ];
    const ERF_FAR: &'static [f64] = &[
        -1.8496055099332482,
        -2.638967514234791,
        -0.8431072563584728,
        -0.04156109804681864,
        0.010033825433615211,
        -0.001977902972093001,
        0.00023732424243339602,
        2.6272669086454083e-05,
        -2.714824430689155e-05,
        9.592453449573304e-06,
        -2.0414283260995087e-06,
        1.2766630251632448e-07,
        1.0693405571175903e-07,
        -5.6322407489494994e-08,
        1.633447539676974e-08,
        -3.1975600020464108e-09,
        4.204166100530862e-10,
        -3.369352104346163e-11,
        1.24496693775094e-12,
    ];
}
