//! The page holds what it was given, asks for nothing from elsewhere, and takes no text for markup.

use super::*;
use crate::history::tests::{history, record, scores};
use crate::{End, plot};
use candle_core::Tensor;

fn run() -> History {
    let mut epochs: Vec<_> = [3., 1., 2., 0.5]
        .iter()
        .zip(1..)
        .map(|(&loss, epoch)| record(epoch, loss))
        .collect();
    for (record, accuracy) in epochs.iter_mut().zip([0.5, 0.75, 0.875, 0.625]) {
        let loss = record.train_loss + f64::from(u8::from(record.epoch == 4));
        record.validation = Some(scores(loss, &[("accuracy", accuracy)]));
        record.seconds = 20.;
    }
    history(epochs)
}

/// What a browser would show of a piece of the page.
fn text(html: &str) -> String {
    let mut pieces = html.split('<');
    let first = pieces.next().unwrap().to_string();
    pieces.fold(first, |text, piece| {
        text + piece.split_once('>').expect("a tag's end").1
    })
}

fn section<'a>(html: &'a str, heading: &str) -> &'a str {
    let (_, rest) = html.split_once(&format!("<h2>{heading}</h2>")).expect(heading);
    rest.split("</section>").next().unwrap()
}

#[test]
fn the_page_says_how_the_run_went() {
    let html = RunReport::new("A run").with_history(&run()).to_html().unwrap();
    let shown = text(section(&html, "Run"));
    for words in [
        "epochs4",
        "all epochs are done",
        "duration1 min 20 s",
        // By the loss on the validation set the second is better than the fourth, which is better by that of training.
        "best epoch by validation loss2: train loss 1.0000, validation loss 1.0000, validation accuracy 0.7500",
        "last epoch4: train loss 0.5000, validation loss 1.5000, validation accuracy 0.6250",
    ] {
        assert!(shown.contains(words), "{words} isn't in {shown}");
    }
    let metric = Watched::Metric {
        name: "accuracy",
        more_is_better: true,
    };
    let report = RunReport::new("A run").with_history(&run()).with_best_by(metric);
    assert!(text(&report.to_html().unwrap()).contains("best epoch by accuracy3: "));

    let mut bare = run();
    bare.end = End::Interrupted;
    for record in &mut bare.epochs {
        record.validation = None;
    }
    let html = RunReport::new("A run").with_history(&bare).to_html().unwrap();
    let shown = text(section(&html, "Run"));
    assert!(
        shown.contains("best epoch by training loss4: ") && shown.contains("interrupted"),
        "{shown}"
    );
    let error = report.with_history(&bare).to_html().unwrap_err().to_string();
    assert!(error.contains("accuracy"), "{error}");
}

#[test]
fn every_part_is_there_that_was_given_and_no_other() {
    let empty = RunReport::new("Nothing").to_html().unwrap();
    for heading in [
        "Run", "Scores", "Charts", "Samples", "Settings", "Model", "Epochs",
    ] {
        assert!(!empty.contains(&format!("<h2>{heading}")), "{heading}");
    }
    let environment = text(section(&empty, "Environment"));
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    assert!(environment.contains(&format!("build{build}")), "{environment}");
    assert!(environment.contains(env!("CARGO_PKG_VERSION")) && environment.contains("threads"));
    assert_eq!(empty.contains("class=\"warning\""), cfg!(debug_assertions));

    let picture = Tensor::new(&[[0f32, 1.]], &Device::Cpu).unwrap();
    let cfg = FitConfig {
        shuffle: None,
        ..FitConfig::new(7, 32)
    };
    let html = RunReport::new("All")
        .with_fit_config(&cfg)
        .with_setting("learning rate", 1e-5)
        .with_history(&run())
        .with_scores("test", &scores(0.25, &[("f1", 0.5)]))
        .with_chart(plot::losses(&run()).unwrap().with_title("Once more"))
        .with_samples([
            Sample::picture(&picture, 3, 3).unwrap(),
            Sample::text("bad film", "good", "bad"),
        ])
        .with_device(&Device::Cpu)
        .to_html()
        .unwrap();
    let settings = text(section(&html, "Settings"));
    for words in [
        "epochs7",
        "batch size32",
        "seed of the ordernone",
        "learning rate0.00001",
    ] {
        assert!(settings.contains(words), "{words} isn't in {settings}");
    }
    assert_eq!(
        text(section(&html, "Scores")).trim(),
        "test loss0.2500\ntest f10.5000"
    );
    // Losses, accuracy, and the further one.
    let charts = section(&html, "Charts");
    assert_eq!(charts.matches("<svg").count(), 3);
    assert!(charts.contains("Once more") && !charts.contains("#1F2328") && charts.contains("currentColor"));
    let samples = section(&html, "Samples");
    assert!(samples.contains(
        "<figure class=\"right\"><img alt=\"sample\" width=\"112\" src=\"data:image/png;base64,iVBOR"
    ));
    assert!(samples.contains("<figure class=\"wrong\"><p>bad film</p>"));
    assert!(text(samples).contains("✗ good is bad"));
    let epochs = text(section(&html, "Epochs"));
    assert!(
        epochs.contains("validation accuracy") && epochs.contains("0.8750"),
        "{epochs}"
    );
    assert!(text(section(&html, "Environment")).contains("devicecpu"));
}

#[test]
fn nothing_comes_from_elsewhere() {
    let html = RunReport::new("A run").with_history(&run()).to_html().unwrap();
    for reference in [
        "http:", "https:", "//", "<script", "<link", "@import", "url(", "xmlns",
    ] {
        assert!(!html.contains(reference), "{reference}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn texts_are_no_markup() {
    let evil = "<img src=x onerror=alert(1)>&amp;\"'";
    let mut run = run();
    run.epochs[0].turns.push((evil.into(), 1.));
    if let Some(scores) = &mut run.epochs[0].validation {
        scores.metrics.push((evil.into(), 0.5));
    }
    let picture = Tensor::new(&[[0f32, 1.]], &Device::Cpu).unwrap();
    let html = RunReport::new(evil)
        .with_setting(evil, evil)
        .with_history(&run)
        .with_scores(evil, &scores(1., &[(evil, 2.)]))
        .with_chart(plot::losses(&run).unwrap().with_title(evil))
        .with_samples([
            Sample::text(evil, evil, "other"),
            Sample::picture(&picture, 1, evil).unwrap(),
        ])
        .to_html()
        .unwrap();
    assert!(!html.contains("<img src=x"), "markup");
    // Title twice, setting twice, score twice, table's heads twice, best and last epoch, samples thrice and charts.
    assert!(
        html.matches("&lt;img src=x onerror=alert(1)&gt;&amp;amp;&quot;")
            .count()
            >= 12
    );
}

#[test]
fn a_run_without_a_finite_loss_has_a_page() {
    let nothing = history(vec![record(1, f64::NAN)]);
    let html = RunReport::new("Diverged")
        .with_history(&nothing)
        .to_html()
        .unwrap();
    assert!(!html.contains("<h2>Charts") && text(&html).contains("train loss NaN"));
    RunReport::new("Before the first epoch")
        .with_history(&History::default())
        .to_html()
        .unwrap();
}

#[test]
fn files_are_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    std::fs::write(&path, "old").unwrap();
    let report = RunReport::new("A run").with_history(&run());
    report.save(&path).unwrap();
    let html = std::fs::read_to_string(&path).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = report
        .save(folder.path().join("no/report.html"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("no/report.html"), "{error}");
}
