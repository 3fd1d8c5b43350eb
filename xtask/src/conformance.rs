//! `cargo xtask conformance DIR`: runs a folder of golden cases through sconce's public API.
//!
//! Each case is a configuration with the inputs, parameters, outputs and gradients that PyTorch computed for it. The family's
//! file builds the layer, loads the parameters by PyTorch's names, runs forward and backward, and hands back what it got;
//! everything that the case expects is compared, in f64 to 1e-10.

mod act;
mod attn;
mod average;
mod clip;
mod conv;
mod gnn;
mod hf;
mod losses;
mod metrics;
mod norm;
mod optim;
mod pool;
mod report;
mod resample;
mod rnn;
mod samplers;
mod schedule;
mod setting;
#[cfg(test)]
mod tests;
mod transformer;
mod transforms;
mod verdict;
mod vision;

use std::path::PathBuf;

use sconce_testkit::golden::{Case, Cases};

use crate::output;
use report::Report;
use setting::Setting;
use verdict::{Results, Stop, Verdict};

/// Options of `cargo xtask conformance`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with `<family>.json` and `<family>.safetensors`, or one whose subfolders have them
    dir: PathBuf,
    /// Run only the cases whose `<family> <number> <configuration>` contains this text
    #[arg(long)]
    filter: Option<String>,
    /// Write the results to this file too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Compute in f32 and compare to 1e-5 (beside what rounding the inputs alone does to the result)
    #[arg(long)]
    f32: bool,
}

/// Why the command ends with an error.
#[derive(Debug, thiserror::Error)]
enum ConformanceError {
    #[error("{} holds no cases: expected <family>.json beside <family>.safetensors", .0.display())]
    NoCases(PathBuf),
    #[error("no case matches --filter {0:?}")]
    NoMatch(String),
    #[error("{passed} of {total} cases pass, {failed} fail, {unsupported} are unsupported")]
    NotAll {
        passed: usize,
        failed: usize,
        unsupported: usize,
        total: usize,
    },
}

/// Runs one case of a family.
type Run = fn(&Setting<'_>) -> Result<Results, Stop>;

/// The families that have layers to run. Any other is unsupported as a whole.
const FAMILIES: &[(&str, Run)] = &[
    ("act", act::run),
    ("attn", attn::run),
    ("average", average::run),
    ("clip", clip::run),
    ("conv", conv::run),
    ("gnn", gnn::run),
    ("hf", hf::run),
    ("losses", losses::run),
    ("metrics", metrics::run),
    ("norm", norm::run),
    ("optim", optim::run),
    ("pool", pool::run),
    ("rnn", rnn::run),
    ("samplers", samplers::run),
    ("schedule", schedule::run),
    ("transformer", transformer::run),
    ("transforms", transforms::run),
    ("resample", resample::run),
    ("vision", vision::run),
];

pub(crate) fn run(args: Args) -> crate::Result<()> {
    let mut report = Report::default();
    if let Some(path) = &args.json {
        output::check_writable(path)?;
    }
    let sets = sets(&args.dir)?;
    if sets.is_empty() {
        return Err(ConformanceError::NoCases(args.dir).into());
    }
    for (folder, family) in sets {
        let cases = Cases::open(&folder, &family)?;
        let chosen = cases.iter().filter(|case| match &args.filter {
            Some(text) => format!("{family} {} {}", case.index(), case.config()).contains(text.as_str()),
            None => true,
        });
        let verdicts = chosen.map(|case| (case.index(), case.config(), verdict(&family, case, args.f32)));
        report.family(&family, verdicts);
    }
    if let Some(path) = &args.json {
        std::fs::write(path, report.json()?).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    match report.counts() {
        (0, ..) => Err(ConformanceError::NoMatch(args.filter.unwrap_or_default()).into()),
        (total, passed, _) if passed == total => Ok(()),
        (total, passed, unsupported) => {
            let failed = total - passed - unsupported;
            Err(ConformanceError::NotAll {
                passed,
                failed,
                unsupported,
                total,
            }
            .into())
        }
    }
}

/// Folder and family of every set in `dir` and below it, in a fixed order.
fn sets(dir: &std::path::Path) -> crate::Result<Vec<(PathBuf, String)>> {
    let mut sets: Vec<_> = Cases::families(dir)?
        .into_iter()
        .map(|family| (dir.to_owned(), family))
        .collect();
    let fail = |e| format!("{}: {e}", dir.display());
    let entries = std::fs::read_dir(dir)
        .map_err(fail)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    let mut folders: Vec<PathBuf> = entries
        .iter()
        .map(|e| e.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    for folder in folders {
        sets.extend(self::sets(&folder)?);
    }
    Ok(sets)
}

fn verdict(family: &str, case: Case<'_>, f32: bool) -> Verdict {
    match FAMILIES.iter().find(|(name, _)| *name == family) {
        Some((_, run)) if f32 => verdict::in_f32(*run, case),
        Some((_, run)) => verdict::in_f64(*run, case),
        None => Verdict::Unsupported(format!("{family} {}", case.kind()).trim_end().to_owned()),
    }
}
