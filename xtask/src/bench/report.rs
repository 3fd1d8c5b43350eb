//! What was measured, as a table, as JSON and as closing figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::busy;
use crate::output::{self, Align};

/// The result of one entry; what a system doesn't tell, or an entry doesn't have, is left out.
#[derive(Serialize)]
pub(super) struct Measured {
    pub(super) name: String,
    #[serde(skip)]
    pub(super) row: &'static str,
    /// Our time over PyTorch's: the median of the rounds' ratios, with the least and the greatest of them.
    pub(super) ratio: f64,
    pub(super) ratio_low: f64,
    pub(super) ratio_high: f64,
    pub(super) ours_ms: f64,
    pub(super) peer_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ours_system_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ours_gflops: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peer_gflops: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ours_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peer_mb: Option<f64>,
    /// The part of it that steps needed beyond what was held before them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ours_extra_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peer_extra_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ours_system_mb: Option<f64>,
    /// The share of all processors that others used just before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) busy: Option<f64>,
}

impl Measured {
    /// What is said as soon as an entry is done.
    pub(super) fn line(&self) -> String {
        let Self {
            name,
            ratio,
            ours_ms,
            peer_ms,
            ..
        } = self;
        format!(
            "{name}: {} ms, PyTorch {} ms, ratio {ratio:.3}",
            time(*ours_ms),
            time(*peer_ms)
        )
    }
}

pub(super) fn table(measured: &[Measured]) -> String {
    let head = [
        "entry",
        "ours ms",
        "PyTorch ms",
        "ratio",
        "range",
        "system alloc. ms",
        "ratio",
        "ours GFLOP/s",
        "PyTorch GFLOP/s",
        "ours MB",
        "PyTorch MB",
        "ours extra MB",
        "PyTorch extra MB",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for one in measured {
        let maybe = |value: Option<f64>, text: fn(f64) -> String| value.map_or_else(|| "–".to_owned(), text);
        rows.push(vec![
            one.name.clone(),
            time(one.ours_ms),
            time(one.peer_ms),
            format!("{:.3}", one.ratio),
            format!("{:.2}–{:.2}", one.ratio_low, one.ratio_high),
            maybe(one.ours_system_ms, time),
            maybe(one.system_ratio, |ratio| format!("{ratio:.3}")),
            maybe(one.ours_gflops, |rate| format!("{rate:.0}")),
            maybe(one.peer_gflops, |rate| format!("{rate:.0}")),
            maybe(one.ours_mb, |mb| format!("{mb:.1}")),
            maybe(one.peer_mb, |mb| format!("{mb:.1}")),
            maybe(one.ours_extra_mb, |mb| format!("{mb:.1}")),
            maybe(one.peer_extra_mb, |mb| format!("{mb:.1}")),
        ]);
    }
    let mut columns = [Align::Right; 13];
    columns[0] = Align::Left;
    output::table(&columns, &rows)
}

/// Memory below which a ratio is that of the allocators and not of the work.
const TELLING_MB: f64 = 64.;

/// Closing lines `name: value`: the ratio of each row, over several shapes their geometric mean, and that of the extra memory
/// where there is much.
pub(super) fn figures(measured: &[Measured]) -> String {
    let mut rows: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for one in measured {
        rows.entry(one.row).or_default().push(one.ratio);
    }
    let figure = |(row, ratios): (&str, Vec<f64>)| {
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        let what = if ratios.len() > 1 {
            "geometric mean ratio"
        } else {
            "ratio"
        };
        format!("{row} {what}: {mean:.3}\n")
    };
    let extra = |one: &Measured| {
        let (ours, peer) = (one.ours_extra_mb?, one.peer_extra_mb?);
        let line = format!("{} extra memory ratio: {:.3}\n", one.name, ours / peer);
        (peer > TELLING_MB).then_some(line)
    };
    let ratios: String = rows.into_iter().map(figure).collect();
    ratios + &measured.iter().filter_map(extra).collect::<String>()
}

/// What to say if the machine was busy with other things.
pub(super) fn warning(measured: &[Measured]) -> Option<String> {
    let most = measured.iter().filter_map(|one| one.busy).fold(0., f64::max);
    let text = || {
        format!(
            "These times say little: other processes used up to {:.0} % of the processors. Measure again on an idle machine.",
            most * 100.
        )
    };
    (most > busy::TOO_MUCH).then(text)
}

/// Three digits, whatever the size.
fn time(ms: f64) -> String {
    match ms {
        ms if ms < 1. => format!("{ms:.4}"),
        ms if ms < 100. => format!("{ms:.2}"),
        ms => format!("{ms:.0}"),
    }
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(row: &'static str, name: &str, ratio: f64) -> Measured {
        Measured {
            name: name.to_owned(),
            row,
            ratio,
            ratio_low: ratio,
            ratio_high: ratio,
            ours_ms: 0.125,
            peer_ms: 0.125 / ratio,
            ours_system_ms: None,
            system_ratio: None,
            ours_gflops: Some(150.),
            peer_gflops: Some(120.),
            ours_mb: Some(20.),
            peer_mb: None,
            ours_extra_mb: None,
            peer_extra_mb: None,
            ours_system_mb: None,
            busy: None,
        }
    }

    #[test]
    fn json_has_what_was_measured_and_no_more() {
        let json = serde_json::to_value(measured("lenet", "lenet", 0.5)).unwrap();
        assert_eq!(
            (&json["name"], &json["ratio"], &json["ours_mb"]),
            (&"lenet".into(), &0.5.into(), &20.0.into())
        );
        assert!(json.get("peer_mb").is_none() && json.get("row").is_none());
    }

    #[test]
    fn figures_end_the_output() {
        let all = [
            measured("products", "products/a", 0.5),
            measured("lenet", "lenet", 0.4),
            measured("products", "products/b", 2.),
        ];
        assert_eq!(
            figures(&all),
            "lenet ratio: 0.400\nproducts geometric mean ratio: 1.000\n"
        );
        let hungry = Measured {
            ours_extra_mb: Some(50.),
            peer_extra_mb: Some(200.),
            ..measured("loss", "loss", 0.5)
        };
        assert_eq!(
            figures(&[hungry]),
            "loss ratio: 0.500\nloss extra memory ratio: 0.250\n"
        );
        let table = table(&all);
        let lenet: Vec<&str> = table.lines().nth(2).unwrap().split_whitespace().collect();
        assert_eq!(lenet.get(..4), Some(&["lenet", "0.1250", "0.3125", "0.400"][..]));
    }

    #[test]
    fn a_busy_machine_is_told() {
        let on = |busy| {
            [Measured {
                busy,
                ..measured("lenet", "lenet", 0.4)
            }]
        };
        assert_eq!(warning(&on(None)), None);
        assert_eq!(warning(&on(Some(0.05))), None);
        assert!(warning(&on(Some(0.97))).unwrap().contains("97 %"));
    }

    #[test]
    fn a_median_stands_in_the_middle() {
        assert_eq!(median(&[3., 1., 2.]), 2.);
    }
}
