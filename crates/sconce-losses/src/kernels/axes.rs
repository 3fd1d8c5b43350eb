//! Where the weights of an element stand, if their axes are some of the elements' own.

use super::factor::Factor;
use sconce_core::cpu::Real;
use std::ops::Range;

/// The axes of a tensor, seen with two others that broadcast to it; axes that all three walk alike are one.
#[derive(Debug)]
pub(crate) struct Axes {
    axes: Vec<Axis>,
}

#[derive(Debug)]
struct Axis {
    length: usize,
    /// From one element to the next in each of the two others; 0: it is the same for all.
    steps: [usize; 2],
}

impl Axes {
    /// `others` have the shapes that broadcast; `[]` is one element for all.
    pub(crate) fn new(shape: &[usize], others: [&[usize]; 2]) -> Self {
        let steps = others.map(|other| steps(shape, other));
        let mut axes: Vec<Axis> = Vec::new();
        for (i, &length) in shape.iter().enumerate() {
            let axis = Axis {
                length,
                steps: [steps[0][i], steps[1][i]],
            };
            match axes.last_mut() {
                _ if length == 1 => {}
                Some(outer) if (0..2).all(|k| outer.steps[k] == axis.steps[k] * length) => {
                    outer.length *= length;
                    outer.steps = axis.steps;
                }
                _ => axes.push(axis),
            }
        }
        if axes.is_empty() {
            axes.push(Axis {
                length: 1,
                steps: [0; 2],
            });
        }
        Self { axes }
    }

    /// Cuts a range of elements into stretches along the last axis, each with its weights.
    #[inline(always)]
    pub(super) fn stretches<'a, T: Real>(
        &self,
        range: Range<usize>,
        others: [&'a [T]; 2],
        mut f: impl FnMut(Range<usize>, [Factor<'a, T>; 2]),
    ) {
        let Some((last, outer)) = self.axes.split_last() else {
            return;
        };
        let mut next = range.start;
        while next < range.end {
            let (mut row, column) = (next / last.length, next % last.length);
            let count = (last.length - column).min(range.end - next);
            let mut starts = [column * last.steps[0], column * last.steps[1]];
            for axis in outer.iter().rev() {
                let place = row % axis.length;
                row /= axis.length;
                starts[0] += place * axis.steps[0];
                starts[1] += place * axis.steps[1];
            }
            let factor = |k: usize| {
                if last.steps[k] == 0 {
                    Factor::One(others[k][starts[k]])
                } else {
                    Factor::Each(&others[k][starts[k]..][..count])
                }
            };
            let factors = [factor(0), factor(1)];
            f(next - range.start..next - range.start + count, factors);
            next += count;
        }
    }
}

/// How far each axis of the shape moves in a tensor that broadcasts to it.
fn steps(shape: &[usize], other: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; shape.len()];
    let mut step = 1;
    for (slot, &length) in steps.iter_mut().rev().zip(other.iter().rev()) {
        if length != 1 {
            *slot = step;
        }
        step *= length;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_finds_its_weights() {
        for (shape, others) in [
            (vec![2, 3, 4], [vec![2, 3, 4], vec![]]),
            (vec![2, 3, 4], [vec![3, 1], vec![4]]),
            (vec![2, 3, 4], [vec![2, 1, 4], vec![1, 3, 1]]),
            (vec![5], [vec![1], vec![5]]),
            (vec![], [vec![], vec![]]),
            (vec![2, 1, 3], [vec![1, 1], vec![2, 1, 1]]),
        ] {
            let axes = Axes::new(&shape, [&others[0], &others[1]]);
            let count: usize = shape.iter().product();
            let values = others.clone().map(|other| {
                let count = other.iter().product::<usize>();
                (0..count).map(|i| i as f64).collect::<Vec<_>>()
            });
            let index = |other: &[usize], mut i: usize| {
                let mut place = vec![0; shape.len()];
                for (place, length) in place.iter_mut().zip(&shape).rev() {
                    *place = i % length;
                    i /= length;
                }
                let own = &place[shape.len() - other.len()..];
                own.iter()
                    .zip(other)
                    .fold(0, |at, (place, length)| at * length + place % length)
            };
            for start in 0..count {
                let mut seen = start;
                axes.stretches(start..count, [&values[0], &values[1]], |range, factors| {
                    for i in range.clone() {
                        for (factor, other) in factors.iter().zip(&others) {
                            let value = match factor {
                                Factor::One(one) => *one,
                                Factor::Each(each) => each[i - range.start],
                            };
                            assert_eq!(value, index(other, start + i) as f64, "{shape:?} {other:?}");
                        }
                        seen += 1;
                    }
                });
                assert_eq!(seen, count);
            }
        }
    }
}
