//! Matrices whose rows or columns are orthonormal.

/// The orthogonal factor of a row-major matrix of `rows` rows: orthonormal rows, or columns where there are fewer columns.
///
/// Modified Gram–Schmidt, twice, in f64; its triangular factor has a positive diagonal, which is the sign convention that
/// makes the factor uniformly distributed.
pub(super) fn factor(matrix: &[f64], rows: usize) -> Vec<f64> {
    let columns = matrix.len().checked_div(rows).unwrap_or(0);
    let at = |r: usize, c: usize| matrix.get(r * columns + c).copied().unwrap_or(0.);
    let by_rows = rows <= columns;
    let mut vectors: Vec<Vec<f64>> = if by_rows {
        (0..rows)
            .map(|r| (0..columns).map(|c| at(r, c)).collect())
            .collect()
    } else {
        (0..columns)
            .map(|c| (0..rows).map(|r| at(r, c)).collect())
            .collect()
    };
    for i in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(i);
        let Some(vector) = rest.first_mut() else { continue };
        for other in done.iter().chain(done.iter()) {
            let overlap = dot(vector, other);
            vector.iter_mut().zip(other).for_each(|(v, o)| *v -= overlap * o);
        }
        let norm = dot(vector, vector).sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
    }
    if by_rows {
        vectors.concat()
    } else {
        (0..rows)
            .flat_map(|r| vectors.iter().map(move |v| v.get(r).copied().unwrap_or(0.)))
            .collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
