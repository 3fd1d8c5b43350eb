//! The page: HTML whose every text is escaped, with its style and pictures in it.

use super::sample::{Input, Sample, base64};
use super::{RunReport, environment};
use crate::history::Figure;
use crate::plot::{Chart, single_charts};
use crate::{End, EpochRecord, History, Result, Watched};
use std::fmt::Write;

/// Nothing may come from anywhere else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
const STYLE: &str = include_str!("page.css");
/// Small pictures are enlarged to so many pixels.
const PICTURE: usize = 112;

pub(super) fn html(report: &RunReport) -> Result<String> {
    let title = escaped(&report.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    add(
        &mut page,
        format_args!("<p class=\"quiet\">Written {}</p>\n", environment::now()),
    );
    if cfg!(debug_assertions) {
        page += "<p class=\"warning\">This was a debug build, which may be ten times slower than a release build.</p>\n";
    }
    if let Some(history) = &report.history {
        section(&mut page, "Run", &table(&overview(history, report.best_by)?));
    }
    if !report.scores.is_empty() {
        section(&mut page, "Scores", &scores(&report.scores));
    }
    charts(&mut page, report)?;
    if !report.samples.is_empty() {
        let figures: String = report.samples.iter().map(figure).collect();
        section(
            &mut page,
            "Samples",
            &format!("<div class=\"samples\">\n{figures}</div>\n"),
        );
    }
    if !report.settings.is_empty() {
        section(&mut page, "Settings", &table(&report.settings));
    }
    if let Some(summary) = &report.summary {
        section(&mut page, "Model", &format!("<pre>{}</pre>\n", escaped(summary)));
    }
    section(
        &mut page,
        "Environment",
        &table(&environment::rows(report.device.as_deref())),
    );
    if let Some(history) = report
        .history
        .as_ref()
        .filter(|history| !history.epochs.is_empty())
    {
        let all = epochs(history);
        let folded = format!("<details>\n<summary>All figures</summary>\n{all}</details>\n");
        section(&mut page, "Epochs", &folded);
    }
    page += "</body>\n</html>\n";
    Ok(page)
}

fn section(page: &mut String, heading: &str, content: &str) {
    add(
        page,
        format_args!("<section>\n<h2>{heading}</h2>\n{content}</section>\n"),
    );
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Strings take all that is written.
    let _ = page.write_fmt(text);
}

fn charts(page: &mut String, report: &RunReport) -> Result<()> {
    let curves: Vec<Chart> = match &report.history {
        // A run without a finite loss has the rest of the page.
        Some(history) => single_charts(history).unwrap_or_default(),
        None => Vec::new(),
    };
    let mut all = String::new();
    for chart in curves.iter().chain(&report.charts) {
        all += &chart.to_html()?;
    }
    if !all.is_empty() {
        section(page, "Charts", &format!("<div class=\"charts\">\n{all}</div>\n"));
    }
    Ok(())
}

fn table(rows: &[(String, String)]) -> String {
    let row = |(name, value): &(String, String)| {
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n",
            escaped(name),
            escaped(value)
        )
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<table>\n{rows}</table>\n")
}

/// How the run went, in short.
fn overview(history: &History, best_by: Option<Watched>) -> Result<Vec<(String, String)>> {
    let end = match history.end {
        End::Completed => "all epochs are done",
        End::Stopped => "a callback wanted no more",
        End::Interrupted => "interrupted by a signal",
        End::TimeLimit => "its time was up",
    };
    let seconds: f64 = history.epochs.iter().map(|record| record.seconds).sum();
    let mut rows = vec![
        ("epochs".to_string(), history.epochs.len().to_string()),
        ("end".to_string(), end.to_string()),
        ("duration".to_string(), duration(seconds)),
    ];
    if let Some((record, watched)) = best(history, best_by)? {
        let figures = figures(record);
        rows.push((
            format!("best epoch by {watched}"),
            format!("{}: {figures}", record.epoch),
        ));
    }
    if let Some(record) = history.epochs.last() {
        rows.push((
            "last epoch".to_string(),
            format!("{}: {}", record.epoch, figures(record)),
        ));
    }
    Ok(rows)
}

/// The epoch with the best figure: of what was asked for, else the validation's loss, else that of training.
fn best(history: &History, best_by: Option<Watched>) -> Result<Option<(&EpochRecord, Watched)>> {
    let validated = history.epochs.iter().any(|record| record.validation.is_some());
    let watched = match best_by {
        Some(watched) => watched,
        None if validated => Watched::ValidationLoss,
        None => Watched::TrainLoss,
    };
    let figures = history
        .epochs
        .iter()
        .map(|record| (record, watched.figure(record)));
    let known: Vec<_> = figures
        .filter_map(|(record, figure)| Some((record, figure.ok()?)))
        .collect();
    if let (true, Some(record)) = (known.is_empty(), history.epochs.last()) {
        watched.figure(record)?;
    }
    let finite = known.into_iter().filter(|(_, figure)| figure.is_finite());
    // Of several, the first.
    Ok(finite
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(record, _)| (record, watched)))
}

/// The figures that say how good a model is.
fn figures(record: &EpochRecord) -> String {
    let of_interest = record
        .figures()
        .into_iter()
        .filter(|(figure, _)| !matches!(figure, Figure::LearningRate | Figure::Seconds));
    let named = of_interest.map(|(figure, value)| format!("{} {}", figure.title(), number(value)));
    named.collect::<Vec<_>>().join(", ")
}

fn scores(all: &[(String, f64)]) -> String {
    let rows = all.iter().map(|(name, value)| (name.clone(), number(*value)));
    table(&rows.collect::<Vec<_>>())
}

fn figure(sample: &Sample) -> String {
    let input = match &sample.input {
        Input::Text(text) => format!("<p>{}</p>", escaped(text)),
        Input::Picture { width, png } => {
            let times = (PICTURE / width).max(1);
            format!(
                "<img alt=\"sample\" width=\"{}\" src=\"data:image/png;base64,{}\">",
                width * times,
                base64(png)
            )
        }
    };
    let (predicted, actual) = (escaped(&sample.predicted), escaped(&sample.actual));
    let (class, caption) = if sample.predicted == sample.actual {
        ("right", format!("<b>✓</b> {predicted}"))
    } else {
        (
            "wrong",
            format!("<b>✗</b> {predicted} <span class=\"quiet\">is {actual}</span>"),
        )
    };
    format!("<figure class=\"{class}\">{input}<figcaption>{caption}</figcaption></figure>\n")
}

/// Every figure of every epoch.
fn epochs(history: &History) -> String {
    let columns = history.columns();
    let mut rows = String::from("<tr><th scope=\"col\">epoch</th>");
    for column in &columns {
        add(
            &mut rows,
            format_args!("<th scope=\"col\">{}</th>", escaped(&column.figure.title())),
        );
    }
    rows += "</tr>\n";
    for (i, record) in history.epochs.iter().enumerate() {
        add(&mut rows, format_args!("<tr><td>{}</td>", record.epoch));
        for column in &columns {
            let value = column.values.get(i).copied().flatten().map(number);
            add(&mut rows, format_args!("<td>{}</td>", value.unwrap_or_default()));
        }
        rows += "</tr>\n";
    }
    format!("<div class=\"wide\"><table class=\"figures\">\n{rows}</table></div>\n")
}

/// Four decimals, or the order of magnitude of what is far from 1.
fn number(value: f64) -> String {
    match value.abs() {
        0. => "0".to_string(),
        magnitude if (0.01..1e6).contains(&magnitude) => format!("{value:.4}"),
        magnitude if magnitude.is_finite() => format!("{value:.3e}"),
        _ => format!("{value}"),
    }
}

fn duration(seconds: f64) -> String {
    if seconds < 60. {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match hours {
        0 => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min {seconds} s"),
    }
}

/// A text that HTML takes for nothing but a text.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(letter),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        let numbers = [0., 0.5, -12.25, 1e-5, 2.5e7, f64::NAN, f64::INFINITY].map(number);
        assert_eq!(
            numbers,
            ["0", "0.5000", "-12.2500", "1.000e-5", "2.500e7", "NaN", "inf"]
        );
        let times = [0., 59.94, 60., 3599.4, 3725.].map(duration);
        assert_eq!(
            times,
            ["0.0 s", "59.9 s", "1 min 0 s", "59 min 59 s", "1 h 2 min 5 s"]
        );
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escaped("a<b>&\"'\n\u{0}"), "a&lt;b&gt;&amp;&quot;&#39;\n\u{fffd}");
    }
}
