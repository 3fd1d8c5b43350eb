//! An option with a value for each group of parameters.

use super::{require, require_rate};
use sconce_core::Result;

/// A number for all groups of parameters, or one for each, in the order of the groups.
///
/// # Example
/// ```
/// use sconce_optim::schedule::{OneCycleLr, PerGroup};
/// let (same, own) = (OneCycleLr::new(0.1, 100), OneCycleLr::new([0.1, 0.01], 100));
/// assert_eq!(same.max_lr, PerGroup::from(0.1));
/// assert_eq!(own.max_lr, PerGroup::from(vec![0.1, 0.01]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PerGroup(Vec<f64>);

impl From<f64> for PerGroup {
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

impl From<Vec<f64>> for PerGroup {
    fn from(values: Vec<f64>) -> Self {
        Self(values)
    }
}

impl<const N: usize> From<[f64; N]> for PerGroup {
    fn from(values: [f64; N]) -> Self {
        Self(values.to_vec())
    }
}

impl PerGroup {
    /// The value of a group, once the number of groups was checked.
    pub(super) fn of(&self, group: usize) -> f64 {
        let i = if self.0.len() == 1 { 0 } else { group };
        self.0.get(i).copied().unwrap_or(f64::NAN)
    }

    /// An error unless they are rates, one or one for each group.
    pub(super) fn check(&self, schedule: &'static str, field: &'static str, groups: usize) -> Result<()> {
        let expected = format!("one number, or one for each of the {groups} groups of parameters");
        let fits = self.0.len() == 1 || self.0.len() == groups;
        require(fits, schedule, field, format!("{:?}", self.0), &expected)?;
        self.0
            .iter()
            .try_for_each(|&value| require_rate(schedule, field, value))
    }
}
