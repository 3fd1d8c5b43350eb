//! What a run can't do, refused before it begins.

use super::rule::Rule;
use super::step::Objective;
use super::{FitConfig, Trainer};
use crate::{Error, Result, Watched};

impl Trainer<'_> {
    /// An error if gradients are to be gathered or clipped that the optimiser doesn't show.
    pub(super) fn expect_plain_steps(&self, cfg: &FitConfig<'_>) -> Result<()> {
        let (field, got) = match (&self.descent.optimizer, cfg) {
            (Rule::Evaluates(_), FitConfig { accumulate: 2.., .. }) => {
                ("accumulate", cfg.accumulate.to_string())
            }
            (Rule::Evaluates(_), FitConfig { clip: Some(clip), .. }) => ("clip", format!("{clip:?}")),
            _ => return Ok(()),
        };
        let expected = "none of it, for an optimiser that evaluates the loss itself";
        Err(sconce_core::Error::config("FitConfig", field, got, expected).into())
    }

    /// An error if something watches validations and there are none.
    pub(super) fn expect_figures(&self, cfg: &FitConfig<'_>, validated: bool) -> Result<()> {
        let best = cfg.checkpoints.as_ref().and_then(|checkpoints| checkpoints.best);
        let mut watched = self
            .callbacks
            .iter()
            .filter_map(|callback| callback.watches())
            .chain(best);
        let unknown = |watched: &Watched| match watched {
            // What is of a part of the set, such as one class, is known when that has been seen.
            Watched::Metric { name, .. } => {
                !name.contains(" of ") && !self.metrics.iter().any(|metric| metric.name() == *name)
            }
            _ => false,
        };
        let missing = watched.find(|watched| (watched.is_validated() && !validated) || unknown(watched));
        match missing {
            Some(watched) => Err(Error::Watched {
                what: watched.to_string(),
            }),
            None => Ok(()),
        }
    }

    /// An error if two turns, metrics or generators go by one name, by which histories and checkpoints tell them apart.
    pub(super) fn expect_own_names(&self) -> Result<()> {
        let turns: Vec<&str> = self.turns.iter().map(|turn| turn.name).collect();
        let generators: Vec<String> = self.generators().into_iter().map(|(name, _)| name).collect();
        let generators: Vec<&str> = generators.iter().map(String::as_str).collect();
        let metrics: Vec<&str> = self.metrics.iter().map(|metric| metric.name()).collect();
        if let Some(name) = turns.iter().find(|name| name.contains('/')) {
            let expected = "a name without /, which parts the names in a checkpoint";
            return Err(sconce_core::Error::config("Trainer", "turn", name, expected).into());
        }
        if let Some(name) = turns.iter().find(|name| ["train", "validation"].contains(name)) {
            let expected = "a name that stands for nothing else in a history";
            return Err(sconce_core::Error::config("Trainer", "turn", name, expected).into());
        }
        for (field, names) in [("turn", turns), ("metric", metrics), ("generator", generators)] {
            let twice = names
                .iter()
                .enumerate()
                .find(|&(i, name)| names.iter().take(i).any(|other| other == name));
            if let Some((_, name)) = twice {
                let expected = "a name of its own for each";
                return Err(sconce_core::Error::config("Trainer", field, name, expected).into());
            }
        }
        Ok(())
    }

    /// An error if one way of training was given in the place of another, which would have no effect.
    pub(super) fn expect_one_objective(&self) -> Result<()> {
        match self.objectives.as_slice() {
            [] | [_] => Ok(()),
            all => {
                let expected = "one of them: a step of one's own can do what the others do";
                Err(sconce_core::Error::config("Trainer", "objective", all.join(" and "), expected).into())
            }
        }
    }

    /// An error if schedules were given beside a function that sets the rate before each step, whatever they made of it.
    pub(super) fn expect_one_schedule(&self) -> Result<()> {
        let (Some(_), Some(pace)) = (&self.schedule, self.paces.first()) else {
            return Ok(());
        };
        let got = format!("a function of one's own and {}", pace.name());
        let expected = "one of them: the function would set the rate again before each step";
        Err(sconce_core::Error::config("Trainer", "schedule", got, expected).into())
    }

    /// An error unless each sample has its weight, if any has.
    pub(super) fn expect_weights(&self, samples: usize) -> Result<()> {
        match &self.objective {
            Objective::Weighted(_, weights) if weights.len() != samples => {
                let expected = format!("one for each of the {samples} samples");
                let got = format!("{} numbers", weights.len());
                Err(sconce_core::Error::config("Trainer", "sample_weights", got, expected).into())
            }
            _ => Ok(()),
        }
    }
}
