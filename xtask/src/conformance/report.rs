//! What the command prints and writes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::verdict::Verdict;

#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct Report {
    families: Vec<Family>,
}

#[derive(Serialize)]
struct Family {
    family: String,
    cases: usize,
    pass: usize,
    fail: Vec<Entry>,
    unsupported: Vec<Entry>,
}

/// A case that doesn't pass.
#[derive(Serialize)]
struct Entry {
    case: usize,
    config: Value,
    /// One line a tensor that is wrong, or the option that is missing.
    reasons: Vec<String>,
}

impl Report {
    /// Runs a family's cases and prints its lines.
    pub(super) fn family<'a>(
        &mut self,
        name: &str,
        verdicts: impl Iterator<Item = (usize, &'a Value, Verdict)>,
    ) {
        let (fail, unsupported) = (Vec::new(), Vec::new());
        let mut family = Family {
            family: name.to_owned(),
            cases: 0,
            pass: 0,
            fail,
            unsupported,
        };
        for (case, config, verdict) in verdicts {
            family.cases += 1;
            let entry = |reasons| Entry {
                case,
                config: config.clone(),
                reasons,
            };
            match verdict {
                Verdict::Pass => family.pass += 1,
                Verdict::Fail(reasons) => family.fail.push(entry(reasons)),
                Verdict::Unsupported(what) => family.unsupported.push(entry(vec![what])),
            }
        }
        if family.cases > 0 {
            print!("{}", family.text());
            self.families.push(family);
        }
    }

    /// How many cases there are, pass, and are unsupported.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        self.families
            .iter()
            .fold((0, 0, 0), |(cases, pass, unsupported), family| {
                (
                    cases + family.cases,
                    pass + family.pass,
                    unsupported + family.unsupported.len(),
                )
            })
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl Family {
    fn text(&self) -> String {
        let mut lines = vec![format!("{}: {} of {} pass", self.family, self.pass, self.cases)];
        for entry in &self.fail {
            let reasons = entry.reasons.join("; ");
            lines.push(format!(
                "  {} {} fails {}: {reasons}",
                self.family, entry.case, entry.config
            ));
        }
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for entry in &self.unsupported {
            for reason in &entry.reasons {
                by_reason.entry(reason).or_default().push(entry.case.to_string());
            }
        }
        for (reason, cases) in by_reason {
            let (count, cases) = (cases.len(), cases.join(" "));
            lines.push(format!(
                "  {} unsupported, {count}: {reason} (cases {cases})",
                self.family
            ));
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_verdict_has_its_line() {
        let configs = [
            json!({"kind": "a"}),
            json!({"kind": "b"}),
            json!({"kind": "c"}),
            json!({"kind": "c", "k": 1}),
        ];
        let verdicts = [
            Verdict::Pass,
            Verdict::Fail(vec!["out.0: error 1".to_owned(), "grad.in.x: error 2".to_owned()]),
            Verdict::Unsupported("c".to_owned()),
            Verdict::Unsupported("c".to_owned()),
        ];
        let mut report = Report::default();
        report.family(
            "conv",
            configs
                .iter()
                .zip(verdicts)
                .enumerate()
                .map(|(i, (config, v))| (i, config, v)),
        );
        report.family("pool", std::iter::empty());
        assert_eq!(report.counts(), (4, 1, 2));
        let text = report.families[0].text();
        let expected = "conv: 1 of 4 pass\n  \
             conv 1 fails {\"kind\":\"b\"}: out.0: error 1; grad.in.x: error 2\n  \
             conv unsupported, 2: c (cases 2 3)\n";
        assert_eq!(text, expected);
        let json: Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(json[0]["unsupported"][1]["case"], 3);
        assert_eq!(json.as_array().map(Vec::len), Some(1));
    }
}
