//! What is in the pictures: curves where their values are, texts as they were given, and errors where there is nothing.

use super::canvas::COLOURS;
use super::*;
use crate::history::tests::{history, record, scores};
use crate::{Accumulator, History};
use candle_core::{Device, Tensor};

/// Each `polyline` of a stroke in this colour and width, as points.
fn lines(svg: &str, colour: RGBColor, width: &str) -> Vec<Vec<(f64, f64)>> {
    let RGBColor(r, g, b) = colour;
    let wanted = format!("stroke=\"#{r:02X}{g:02X}{b:02X}\" stroke-width=\"{width}\"");
    let tags = svg
        .lines()
        .filter(|line| line.starts_with("<polyline") && line.contains(&wanted));
    tags.map(|tag| {
        let points = tag
            .split("points=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let points = points.unwrap().split_whitespace();
        let number = |text: &str| text.parse::<f64>().unwrap();
        points
            .map(|point| {
                point
                    .split_once(',')
                    .map(|(x, y)| (number(x), number(y)))
                    .unwrap()
            })
            .collect()
    })
    .collect()
}

/// Where the text stands that is nothing but this.
fn place(svg: &str, text: &str) -> (f64, f64) {
    let (before, _) = svg.split_once(&format!(">\n{text}\n</text>")).expect(text);
    let tag = before.rsplit("<text ").next().unwrap();
    let of = |name: &str| {
        let value = tag.split(&format!("{name}=\"")).nth(1).unwrap();
        value.split('"').next().unwrap().parse().unwrap()
    };
    (of("x"), of("y"))
}

fn validated(losses: &[f64]) -> History {
    let epochs = losses.iter().enumerate().map(|(i, &loss)| {
        let mut record = record(i + 1, loss);
        record.validation = Some(scores(2. * loss, &[("accuracy", 1. - loss / 100.)]));
        record
    });
    history(epochs.collect())
}

#[test]
fn curves_of_ones_own_go_through_their_points() {
    let jagged = Curve::new(
        "jagged",
        [(10.5, 1.), (11., 3.), (f64::NAN, 2.), (11.5, 2.), (12., 1.)],
    );
    let svg = |curves: &[Curve]| plot_of(curves).unwrap().to_svg().unwrap();
    let drawn = svg(std::slice::from_ref(&jagged));
    // The sample in the legend, then the two pieces around the gap.
    let pieces = lines(&drawn, COLOURS[0], "8");
    assert_eq!(pieces.len(), 3);
    assert_eq!(pieces[2][1].0, place(&drawn, "12.0").0);
    assert_eq!(pieces[1][1].1, place(&drawn, "3.0").1);
    for words in ["title", "hour", "speed", "jagged"] {
        place(&drawn, words);
    }
    // Of whole numbers, none in between is named.
    let counted = svg(&[Curve::numbered("counted", [30., 10.])]);
    assert_eq!(lines(&counted, COLOURS[0], "8")[1][1].0, place(&counted, "2").0);
    assert!(drawn.contains(">\n11.5\n<") && !counted.contains(">\n1.5\n<"));
    for nothing in [
        vec![],
        vec![Curve::new("none", [(f64::NAN, 1.), (1., f64::INFINITY)])],
    ] {
        let error = plot_of(&nothing).unwrap_err().to_string();
        assert!(
            error.contains("title") && error.contains("nothing to draw"),
            "{error}"
        );
    }
}

fn plot_of(curves: &[Curve]) -> Result<Chart> {
    super::curves("title", ("hour", "speed"), curves)
}

#[test]
fn curves_go_through_their_values() {
    let svg = losses(&validated(&[40., 20., 30.])).unwrap().to_svg().unwrap();
    let training = lines(&svg, COLOURS[0], "8");
    // The sample in the legend, then the curve.
    let [_, curve] = training.as_slice() else {
        panic!("{training:?}")
    };
    for (point, (epoch, value)) in curve.iter().zip([("1", "40"), ("2", "20"), ("3", "30")]) {
        assert_eq!(
            *point,
            (place(&svg, epoch).0, place(&svg, value).1),
            "epoch {epoch}"
        );
    }
    assert!(
        curve[0].1 < curve[2].1 && curve[2].1 < curve[1].1,
        "more is higher"
    );
    let validation = &lines(&svg, COLOURS[1], "8")[1];
    assert!((validation[1].1 - curve[0].1).abs() <= 1., "twice 20 is 40");
    for words in ["Loss", "epoch", "mean loss of a sample", "training", "validation"] {
        place(&svg, words);
    }
}

#[test]
fn values_that_are_not_finite_are_gaps_and_epochs_without_validation_are_none() {
    let mut run = validated(&[4., f64::NAN, 3., 2.]);
    run.epochs[1].validation = None;
    let svg = losses(&run).unwrap().to_svg().unwrap();
    let training = lines(&svg, COLOURS[0], "8");
    assert_eq!(training.iter().skip(1).map(Vec::len).collect::<Vec<_>>(), [2]);
    // A circle for each value, also for that which stands alone, and one in the legend.
    assert_eq!(svg.matches("<circle").count(), 4);
    let validation = lines(&svg, COLOURS[1], "8");
    assert_eq!(validation.iter().skip(1).map(Vec::len).collect::<Vec<_>>(), [3]);
}

#[test]
fn wide_losses_have_a_logarithmic_axis() {
    let svg = losses(&history(vec![record(1, 100.), record(2, 0.01)])).unwrap();
    let svg = svg.to_svg().unwrap();
    place(&svg, "mean loss of a sample, log scale");
    let steps: Vec<f64> = ["0.01", "0.1", "1", "10", "100"]
        .windows(2)
        .filter(|pair| !pair.contains(&"1"))
        .map(|pair| place(&svg, pair[0]).1 - place(&svg, pair[1]).1)
        .collect();
    assert!(
        steps.iter().all(|step| (step - steps[0]).abs() <= 1.),
        "{steps:?}"
    );
    let narrow = losses(&history(vec![record(1, 1.), record(2, 0.011)])).unwrap();
    assert!(!narrow.to_svg().unwrap().contains("log scale"));
    let zero = losses(&history(vec![record(1, 1.), record(2, 0.)])).unwrap();
    assert!(!zero.to_svg().unwrap().contains("log scale"));
}

#[test]
fn a_run_has_a_panel_for_each_metric_and_for_a_rate_that_changes() {
    let mut run = validated(&[4., 2.]);
    run.epochs[0].train_metrics = vec![("accuracy".into(), 0.25), ("f1 of class 3".into(), 1.)];
    run.epochs[1].train_metrics = vec![("bleu".into(), f64::NAN)];
    let chart = learning_curves(&run).unwrap();
    assert_eq!((chart.width, chart.height), (800, 1000));
    let svg = chart.to_svg().unwrap();
    assert!(!svg.contains("bleu") && !svg.contains("class 3") && !svg.contains("Learning rate"));
    run.epochs[1].learning_rate = 0.05;
    let chart = learning_curves(&run).unwrap();
    assert_eq!(chart.height, 1500);
    place(&chart.to_svg().unwrap(), "Learning rate");
    // Asked for by name, a class's figure is drawn.
    place(
        &metric(&run, "f1 of class 3").unwrap().to_svg().unwrap(),
        "training",
    );
    for (name, problem) in [("none", "no metric of this name"), ("bleu", "no value is finite")] {
        let error = metric(&run, name).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(problem), "{error}");
    }
}

fn confusion(pairs: &[(u32, u32)], classes: usize) -> ConfusionMatrix {
    let mut matrix = ConfusionMatrix::default();
    let (actual, predicted): (Vec<u32>, Vec<u32>) = pairs.iter().copied().unzip();
    let outputs = predicted
        .iter()
        .flat_map(|&p| (0..classes).map(move |c| f32::from(u8::from(c == p as usize))));
    let outputs = Tensor::from_vec(outputs.collect(), (pairs.len(), classes), &Device::Cpu).unwrap();
    matrix
        .update(&outputs, &Tensor::new(actual, &Device::Cpu).unwrap())
        .unwrap();
    matrix
}

#[test]
fn cells_are_as_dark_as_their_share_and_hold_their_count() {
    let matrix = confusion(&[(0, 0), (0, 1), (0, 1), (0, 1), (1, 1)], 2);
    let names = ["<a&b>", "\"c\""];
    let svg = confusion_matrix(&matrix, &names).unwrap().to_svg().unwrap();
    let (at, other) = (place(&svg, "&lt;a&amp;b&gt;"), place(&svg, "&quot;c&quot;"));
    assert!(at.1 < other.1, "the first class is the upper row");
    place(&svg, "Confusion matrix: 5 samples, accuracy 0.4000");
    // Only the cells are so large.
    let cells = svg.lines().filter(|line| {
        let width = line
            .split("width=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        line.starts_with("<rect x") && width.is_some_and(|width| width.parse::<f64>().unwrap() > 400.)
    });
    let opacity = |line: &str| {
        let rest = line.split(" opacity=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().parse::<f64>().unwrap()
    };
    let opacities: Vec<f64> = cells.map(opacity).collect();
    let expected = [0.04 + 0.96 * 0.25, 0.04 + 0.96 * 0.75, 1.];
    assert_eq!(opacities.len(), 3);
    for (found, expected) in opacities.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{opacities:?}");
    }
    place(&svg, "3");
}

#[test]
fn large_matrices_leave_out_what_does_not_fit() {
    let pairs: Vec<(u32, u32)> = (0..200).map(|class| (class, class)).collect();
    let chart = confusion_matrix(&confusion(&pairs, 200), &[] as &[&str]).unwrap();
    let texts = chart.to_svg().unwrap().matches("<text").count();
    assert!(texts < 90, "{texts}");
    chart.to_png().unwrap();
}

#[test]
fn svg_is_well_formed_whatever_the_names_are() {
    let mut run = validated(&[1., 2.]);
    let name = "<script>&'\"\u{7}\u{ffff}]]>";
    run.epochs[0].turns = vec![(name.into(), 0.5)];
    let svg = losses(&run).unwrap().with_title(name).to_svg().unwrap();
    assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;&amp;&apos;&quot;"));
    assert!(
        svg.chars()
            .all(|c| c == '\n' || !c.is_control() && c != '\u{ffff}')
    );
    for piece in svg.split('&').skip(1) {
        let entity = piece.split(';').next().unwrap();
        assert!(["lt", "gt", "amp", "apos", "quot"].contains(&entity), "{entity}");
    }
    let opened = svg.matches('<').count() - 2 * svg.matches("</").count() - svg.matches("/>").count();
    assert_eq!(opened, 0);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
}

#[test]
fn png_has_the_size_and_the_colours_asked_for() {
    let chart = losses(&validated(&[4., 2., 3.])).unwrap();
    for (chart, size) in [
        (chart.clone(), (800, 500)),
        (chart.with_size(1000, 400), (1000, 400)),
    ] {
        let picture = image::load_from_memory(&chart.to_png().unwrap())
            .unwrap()
            .to_rgb8();
        assert_eq!(picture.dimensions(), size);
        let share = |colour: RGBColor| {
            let RGBColor(r, g, b) = colour;
            picture.pixels().filter(|pixel| pixel.0 == [r, g, b]).count()
        };
        assert!(share(COLOURS[0]) > 200 && share(COLOURS[1]) > 200);
        assert!(share(WHITE) > picture.pixels().len() * 3 / 4);
    }
}

#[test]
fn a_search_points_at_what_it_suggests() {
    let smoothed = vec![5., 5., 4.5, 2., 1.9, 6.];
    let search = RateSearch {
        rates: (0..6).map(|i| 10f64.powi(i - 6)).collect(),
        losses: smoothed.iter().map(|loss| loss * 1.5).collect(),
        smoothed,
    };
    let svg = rate_search(&search).unwrap().to_svg().unwrap();
    let (x, _) = place(&svg, "0.0001");
    let mark = lines(&svg, canvas::INK, "4");
    assert!(
        mark.iter()
            .any(|line| line.len() == 2 && line[0].0 == x && line[1].0 == x)
    );
    place(&svg, "steepest at 1.0e-4");
    let none = RateSearch {
        losses: vec![],
        smoothed: vec![],
        rates: vec![],
    };
    assert!(rate_search(&none).is_err());
}

#[test]
fn what_cannot_be_drawn_is_an_error_that_says_so() {
    let nothing = losses(&history(vec![record(1, f64::NAN)]))
        .unwrap_err()
        .to_string();
    assert_eq!(nothing, "Loss: there is nothing to draw: no value is finite");
    assert!(learning_curves(&History::default()).is_err());
    let chart = losses(&validated(&[1.])).unwrap();
    for (width, height, field) in [(299, 500, "width"), (800, 299, "height"), (10_001, 500, "width")] {
        let small = chart.clone().with_size(width, height);
        let error = small.to_png().unwrap_err().to_string();
        assert!(error.contains(field) && error.contains("300 to 10000"), "{error}");
        assert!(small.to_svg().is_err());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let error = chart.save(path("chart.jpg")).unwrap_err().to_string();
    assert!(
        error.contains("chart.jpg") && error.contains("\"jpg\", expected .png or .svg"),
        "{error}"
    );
    assert!(!path("chart.jpg").exists());
    assert!(
        chart
            .save(path("no/chart.png"))
            .unwrap_err()
            .to_string()
            .contains("no/chart.png")
    );
    chart.save(path("chart.PNG")).unwrap();
    assert!(std::fs::read(path("chart.PNG")).unwrap().starts_with(b"\x89PNG"));

    let empty = confusion_matrix(&ConfusionMatrix::default(), &["a"])
        .unwrap_err()
        .to_string();
    assert!(empty.contains("no sample"), "{empty}");
    let names = confusion_matrix(&confusion(&[(0, 0)], 3), &["a", "b"])
        .unwrap_err()
        .to_string();
    assert!(
        names.contains('2') && names.contains("3 as the matrix has classes"),
        "{names}"
    );
}
