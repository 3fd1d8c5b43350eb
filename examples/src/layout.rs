//! Places in the plane for the nodes of a graph, so that it can be drawn.

use crate::Draws;
use std::collections::VecDeque;

const ROUNDS: usize = 300;

/// Beginnings, of which the best end is taken.
const BEGINNINGS: u64 = 8;

/// Places at which nodes are about as far apart as the number of steps between them: stress majorisation from random places.
///
/// Nodes that no path joins are put as far apart as if it took one step more than there are nodes.
///
/// Source: Gansner, Koren and North, "Graph drawing by stress majorization", 2004.
pub fn spread(nodes: usize, joined: &[(usize, usize)], seed: u64) -> Vec<(f64, f64)> {
    let steps: Vec<Vec<f64>> = (0..nodes).map(|from| steps(nodes, joined, from)).collect();
    let ends = (0..BEGINNINGS).map(|i| settle(&steps, &Draws::new(seed.wrapping_add(i), "places")));
    let best = ends.min_by(|a, b| stress(&steps, a).total_cmp(&stress(&steps, b)));
    best.unwrap_or_default()
}

fn settle(steps: &[Vec<f64>], draws: &Draws) -> Vec<(f64, f64)> {
    let mut places: Vec<(f64, f64)> = steps.iter().map(|_| (draws.normal(), draws.normal())).collect();
    for _ in 0..ROUNDS {
        let moved = steps.iter().zip(&places).enumerate().map(|(i, (steps, &at))| {
            let (mut x, mut y, mut sum) = (0., 0., 0.);
            let others = steps.iter().zip(&places).enumerate().filter(|(j, _)| *j != i);
            for (_, (&wanted, &other)) in others {
                let (dx, dy) = (at.0 - other.0, at.1 - other.1);
                let (length, weight) = (dx.hypot(dy).max(1e-9), 1. / (wanted * wanted));
                x += weight * (other.0 + wanted * dx / length);
                y += weight * (other.1 + wanted * dy / length);
                sum += weight;
            }
            if sum > 0. { (x / sum, y / sum) } else { at }
        });
        places = moved.collect();
    }
    places
}

/// How far the places are from what is wanted.
fn stress(steps: &[Vec<f64>], places: &[(f64, f64)]) -> f64 {
    let of = |(steps, at): (&Vec<f64>, &(f64, f64))| -> f64 {
        let pairs = steps.iter().zip(places).filter(|(wanted, _)| **wanted > 0.);
        let each = pairs.map(|(wanted, other)| (at.0 - other.0).hypot(at.1 - other.1) / wanted - 1.);
        each.map(|off| off * off).sum()
    };
    steps.iter().zip(places).map(of).sum()
}

/// How many steps each node is away from one.
fn steps(nodes: usize, joined: &[(usize, usize)], from: usize) -> Vec<f64> {
    let mut steps = vec![nodes as f64 + 1.; nodes];
    let mut next = VecDeque::from([(from, 0.)]);
    while let Some((node, count)) = next.pop_front() {
        match steps.get_mut(node) {
            Some(known) if count < *known => *known = count,
            _ => continue,
        }
        for &(a, b) in joined {
            let ends = [(a, b), (b, a)].into_iter().filter(|&(end, _)| end == node);
            next.extend(ends.map(|(_, other)| (other, count + 1.)));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_near() {
        // A square with a tail, and a node by itself.
        let joined = [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4)];
        assert_eq!(steps(6, &joined, 4), [2., 3., 2., 1., 0., 7.]);
        let places = spread(6, &joined, 1);
        let apart = |a: usize, b: usize| (places[a].0 - places[b].0).hypot(places[a].1 - places[b].1);
        for (a, b) in joined {
            assert!((0.5..1.5).contains(&apart(a, b)), "{a} {b}: {}", apart(a, b));
        }
        assert!(apart(1, 4) > 2. && apart(5, 0) > 4., "{places:?}");
        assert_eq!(spread(0, &[], 0), []);
        assert_eq!(spread(1, &[(0, 0), (0, 7)], 0).len(), 1);
    }
}
