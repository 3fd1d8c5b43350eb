//! Weights that make rare classes count as much as frequent ones.

use crate::Result;
use crate::metric::whole_numbers;
use candle_core::Tensor;
use sconce_core::Error;

/// w_c = n / (k·n_c) for each of k classes, of which n_c of n labels are: with these weights every class has the same share in a
/// loss.
///
/// # Shapes
/// labels `[samples]`, whole numbers below `classes`
///
/// # Errors
/// Another shape; labels that aren't whole numbers; a label out of range; a class without labels.
///
/// # Source
/// scikit-learn's `compute_class_weight("balanced")`
///
/// # Example
/// ```
/// use sconce_train::{balanced_class_weights, candle_core::{Device, Tensor}};
/// let labels = Tensor::new(&[0u32, 0, 0, 1], &Device::Cpu)?;
/// assert_eq!(balanced_class_weights(&labels, 2)?, [4. / 6., 2.]);
/// # Ok::<(), sconce_train::Error>(())
/// ```
pub fn balanced_class_weights(labels: &Tensor, classes: usize) -> Result<Vec<f64>> {
    const NAME: &str = "balanced_class_weights";
    if labels.rank() != 1 {
        return Err(Error::shape(NAME, "labels", "[samples]", labels.dims()).into());
    }
    let labels = whole_numbers(NAME, "labels", labels)?;
    let mut counts = vec![0usize; classes];
    for (i, &label) in labels.iter().enumerate() {
        let count = usize::try_from(label)
            .ok()
            .and_then(|label| counts.get_mut(label));
        let Some(count) = count else {
            let expected = format!("below {classes}, the number of classes");
            return Err(Error::config(NAME, "labels", format!("{label} at {i}"), expected).into());
        };
        *count += 1;
    }
    let weight = |(class, &count): (usize, &usize)| match count {
        0 => {
            let got = format!("without class {class}");
            Err(Error::config(NAME, "labels", got, "at least one label of each class").into())
        }
        _ => Ok(labels.len() as f64 / (classes * count) as f64),
    };
    counts.iter().enumerate().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn what_is_no_label_is_named() {
        let labels = |values: &[u32]| Tensor::new(values, &Device::Cpu).unwrap();
        for (labels, words) in [
            (
                labels(&[0, 2]),
                "labels is 2 at 1, expected below 2, the number of classes",
            ),
            (
                labels(&[1, 1]),
                "labels is without class 0, expected at least one label",
            ),
            (
                labels(&[0, 1]).reshape((2, 1)).unwrap(),
                "labels has shape [2, 1], expected [samples]",
            ),
            (
                labels(&[0, 1]).to_dtype(candle_core::DType::F64).unwrap(),
                "labels has dtype F64, expected one of whole numbers",
            ),
        ] {
            let error = balanced_class_weights(&labels, 2).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
