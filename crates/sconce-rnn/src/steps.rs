//! In which order the rows of packed sequences are walked through.

use std::sync::Arc;

/// The time steps of a batch whose rows lie packed: those of step 0, those of step 1, and so on, each step's rows being the
/// first of the batch. A batch of equal lengths is the case where all steps have as many.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    sizes: Arc<[usize]>,
    reverse: bool,
}

/// One step as a cell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The first of its rows among the packed ones.
    pub(crate) start: usize,
    /// How many rows it has.
    pub(crate) rows: usize,
    /// Where the step computed before it starts, and how many of this step's rows have their state there. The state of the
    /// others is the initial one.
    pub(crate) before: (usize, usize),
}

impl Steps {
    /// Steps of these sizes, from the last to the first if `reverse`. The sizes don't grow.
    pub(crate) fn new(sizes: Arc<[usize]>, reverse: bool) -> Self {
        Self { sizes, reverse }
    }

    /// Sequences in the batch.
    pub(crate) fn batch(&self) -> usize {
        self.sizes.first().copied().unwrap_or(0)
    }

    /// Rows of all steps together.
    pub(crate) fn total(&self) -> usize {
        self.sizes.iter().sum()
    }

    /// The steps in the order in which they are computed.
    pub(crate) fn in_order(&self) -> Vec<Step> {
        let mut start = 0;
        let mut steps: Vec<(usize, usize)> = self
            .sizes
            .iter()
            .map(|&rows| {
                start += rows;
                (start - rows, rows)
            })
            .collect();
        if self.reverse {
            steps.reverse();
        }
        let mut previous = (0, 0);
        let order = steps.into_iter().map(|(start, rows)| {
            let before = (previous.0, previous.1.min(rows));
            previous = (start, rows);
            Step { start, rows, before }
        });
        order.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_find_their_state_in_the_step_before() {
        let step = |start, rows, before| Step { start, rows, before };
        let sizes: Arc<[usize]> = vec![3, 2, 1].into();
        assert_eq!(
            Steps::new(sizes.clone(), false).in_order(),
            [step(0, 3, (0, 0)), step(3, 2, (0, 2)), step(5, 1, (3, 1))]
        );
        assert_eq!(
            Steps::new(sizes, true).in_order(),
            [step(5, 1, (0, 0)), step(3, 2, (5, 1)), step(0, 3, (3, 2))]
        );
    }
}
