//! A step length that satisfies the strong Wolfe conditions.

use sconce_core::Result;

/// How much of the decrease that the slope promises must come true.
const C1: f64 = 1e-4;
/// How much of the slope may be left.
const C2: f64 = 0.9;

/// The loss at a step length along a direction.
#[derive(Clone)]
pub(super) struct Point<G> {
    pub(super) t: f64,
    pub(super) loss: f64,
    /// The gradient there.
    pub(super) gradient: G,
    /// Its product with the direction.
    pub(super) slope: f64,
}

/// What the search is told.
pub(super) struct Search {
    /// The first step length to try.
    pub(super) t: f64,
    /// The largest element of the direction.
    pub(super) size: f64,
    /// A bracket below this is small enough.
    pub(super) tolerance: f64,
    /// The most evaluations after the first.
    pub(super) most: usize,
}

/// Searches from `start`, at t = 0, and gives the best point with the number of evaluations. The order of tests is that of
/// PyTorch's `_strong_wolfe`.
pub(super) fn strong_wolfe<G: Clone>(
    start: &Point<G>,
    search: &Search,
    mut at: impl FnMut(f64) -> Result<Point<G>>,
) -> Result<(Point<G>, usize)> {
    let armijo_fails = |point: &Point<G>| point.loss > start.loss + C1 * point.t * start.slope;
    let flat = |point: &Point<G>| point.slope.abs() <= -C2 * start.slope;

    let mut previous = start.clone();
    let mut point = at(search.t)?;
    let mut evaluations = 1;
    let mut tries = 0;
    // The two ends of what holds a good step.
    let mut bracket = None;
    while tries < search.most {
        if armijo_fails(&point) || (tries > 1 && point.loss >= previous.loss) {
            bracket = Some([previous.clone(), point.clone()]);
            break;
        }
        if flat(&point) {
            return Ok((point, evaluations));
        }
        if point.slope >= 0. {
            bracket = Some([previous.clone(), point.clone()]);
            break;
        }
        let bounds = (point.t + 0.01 * (point.t - previous.t), point.t * 10.);
        let t = cubic_minimum(&previous, &point, bounds);
        previous = point;
        point = at(t)?;
        evaluations += 1;
        tries += 1;
    }
    let mut bracket = Bracket::new(bracket.unwrap_or_else(|| [start.clone(), point]));

    let mut stalled = false;
    while tries < search.most {
        let (low, high) = bracket.low_and_high();
        let (least, most) = (low.t.min(high.t), low.t.max(high.t));
        if (most - least) * search.size < search.tolerance {
            break;
        }
        let mut t = cubic_minimum(low, high, (least, most));
        // A trial at the edge of the bracket, twice in a row, makes no progress: go a tenth inwards.
        let edge = 0.1 * (most - least);
        let at_edge = (most - t).min(t - least) < edge;
        if at_edge && (stalled || t >= most || t <= least) {
            let above = (t - most).abs() < (t - least).abs();
            t = if above { most - edge } else { least + edge };
            stalled = false;
        } else {
            stalled = at_edge;
        }
        let point = at(t)?;
        evaluations += 1;
        tries += 1;
        let (low, high) = bracket.low_and_high();
        if armijo_fails(&point) || point.loss >= low.loss {
            bracket.replace_high(point);
        } else if flat(&point) {
            return Ok((point, evaluations));
        } else {
            let beyond = point.slope * (high.t - low.t) >= 0.;
            bracket.replace_low(point, beyond);
        }
    }
    Ok((bracket.into_low(), evaluations))
}

/// Two points between which a good step lies.
struct Bracket<G> {
    ends: [Point<G>; 2],
    /// Whether the second has the lower loss. Of equals the first counts as lower when an end is replaced, wherever it came
    /// from, as in PyTorch: near the minimum, equals are common.
    second_is_low: bool,
}

impl<G: Clone> Bracket<G> {
    fn new(ends: [Point<G>; 2]) -> Self {
        let mut bracket = Self {
            ends,
            second_is_low: false,
        };
        bracket.order();
        bracket
    }

    fn order(&mut self) {
        let [first, second] = &self.ends;
        // So that a NaN at either end makes the second the lower.
        let first_is_low = first.loss <= second.loss;
        self.second_is_low = !first_is_low;
    }

    fn low_and_high(&self) -> (&Point<G>, &Point<G>) {
        let [first, second] = &self.ends;
        if self.second_is_low {
            (second, first)
        } else {
            (first, second)
        }
    }

    fn replace_high(&mut self, point: Point<G>) {
        let [first, second] = &mut self.ends;
        *(if self.second_is_low { first } else { second }) = point;
        self.order();
    }

    /// Puts a lower point in the low one's place, which takes the high one's if the slope points `beyond` the new one.
    fn replace_low(&mut self, point: Point<G>, beyond: bool) {
        let [first, second] = &mut self.ends;
        let (low, high) = if self.second_is_low {
            (second, first)
        } else {
            (first, second)
        };
        if beyond {
            *high = low.clone();
        }
        *low = point;
    }

    fn into_low(self) -> Point<G> {
        let [first, second] = self.ends;
        if self.second_is_low { second } else { first }
    }
}

/// Where the cubic through two points with these slopes is least, within bounds; their middle where it has no minimum.
fn cubic_minimum<G>(a: &Point<G>, b: &Point<G>, (least, most): (f64, f64)) -> f64 {
    let d1 = a.slope + b.slope - 3. * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    let d2 = square.sqrt();
    if d2.is_nan() {
        return (least + most) / 2.;
    }
    let t = if a.t <= b.t {
        b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2. * d2))
    } else {
        a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2. * d2))
    };
    t.max(least).min(most)
}
