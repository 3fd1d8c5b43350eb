use std::collections::HashMap;

use sconce::core::candle_core::{Device, Tensor};

use super::*;

type Check = crate::Result<()>;

/// y = x² of three values, as PyTorch would store it, with one option and one more input.
fn write_square(folder: &std::path::Path) -> Check {
    let device = &Device::Cpu;
    std::fs::write(
        folder.join("toy.json"),
        r#"[{"kind": "square", "power": 2, "none": null}]"#,
    )?;
    let tensors = HashMap::from([
        ("0/in.x".to_owned(), Tensor::new(&[1f64, -2., 1. / 3.], device)?),
        ("0/in.ids".to_owned(), Tensor::new(&[0i64], device)?),
        ("0/out.0".to_owned(), Tensor::new(&[1f64, 4., 1. / 9.], device)?),
        ("0/cot.0".to_owned(), Tensor::new(&[1f64, 1., 3.], device)?),
        ("0/grad.in.x".to_owned(), Tensor::new(&[2f64, -4., 2.], device)?),
    ]);
    sconce::core::candle_core::safetensors::save(&tensors, folder.join("toy.safetensors"))?;
    Ok(())
}

fn square(setting: &Setting<'_>) -> Result<Results, Stop> {
    setting.ignore(&["none"]);
    let (x, _) = (setting.variable("x")?, setting.tensor("in.ids")?);
    let y = if setting.size("power")? == 2 {
        x.sqr()?
    } else {
        return Err(Stop::kind(setting));
    };
    Results::of(setting, &[y], &[("x", &x)], &setting.store())
}

fn doubled(setting: &Setting<'_>) -> Result<Results, Stop> {
    let (x, _, _) = (
        setting.variable("x")?,
        setting.tensor("in.ids")?,
        setting.size("power")?,
    );
    setting.ignore(&["none"]);
    Results::of(setting, &[(x.sqr()? * 2.0)?], &[("x", &x)], &setting.store())
}

fn without_gradient(setting: &Setting<'_>) -> Result<Results, Stop> {
    let (x, _, _) = (
        setting.variable("x")?,
        setting.tensor("in.ids")?,
        setting.size("power")?,
    );
    setting.ignore(&["none"]);
    Results::of(setting, &[x.sqr()?], &[], &setting.store())
}

fn reads_no_option(setting: &Setting<'_>) -> Result<Results, Stop> {
    setting.ignore(&["none"]);
    let (x, _) = (setting.variable("x")?, setting.tensor("in.ids")?);
    Results::of(setting, &[x.sqr()?], &[("x", &x)], &setting.store())
}

fn reads_no_ids(setting: &Setting<'_>) -> Result<Results, Stop> {
    let (x, _) = (setting.variable("x")?, setting.size("power")?);
    setting.ignore(&["none"]);
    Results::of(setting, &[x.sqr()?], &[("x", &x)], &setting.store())
}

fn panics(setting: &Setting<'_>) -> Result<Results, Stop> {
    panic!("no {}", setting.kind())
}

#[test]
fn a_case_passes_fails_or_is_unsupported() -> Check {
    let folder = tempfile::tempdir()?;
    write_square(folder.path())?;
    let cases = Cases::open(folder.path(), "toy")?;
    let case = cases.iter().next().ok_or("one case")?;
    let table: &[(Run, &str)] = &[
        (square, "pass"),
        (doubled, "fail: out.0: error 4.12e0 with ‖expected‖ = 4.12e0"),
        (without_gradient, "fail: grad.in.x: sconce gives none"),
        (reads_no_option, "unsupported: square with power 2"),
        (reads_no_ids, "unsupported: square with input ids"),
        (panics, "fail: panicked: no square"),
    ];
    for (run, start) in table {
        for verdict in [verdict::in_f64(*run, case), verdict::in_f32(*run, case)] {
            let text = match verdict {
                Verdict::Pass => "pass".to_owned(),
                Verdict::Fail(reasons) => {
                    let last = if *start == table[1].1 {
                        reasons.last()
                    } else {
                        reasons.first()
                    };
                    format!("fail: {}", last.cloned().unwrap_or_default())
                }
                Verdict::Unsupported(what) => format!("unsupported: {what}"),
            };
            assert!(text.starts_with(start), "{text}\ninstead of {start}");
        }
    }
    Ok(())
}

#[test]
fn sets_are_found_in_subfolders() -> Check {
    let folder = tempfile::tempdir()?;
    let inner = folder.path().join("a/golden");
    std::fs::create_dir_all(&inner)?;
    assert!(sets(folder.path())?.is_empty());
    write_square(&inner)?;
    assert_eq!(sets(folder.path())?, [(inner, "toy".to_owned())]);
    Ok(())
}

#[test]
fn a_family_without_layers_is_unsupported() -> Check {
    let folder = tempfile::tempdir()?;
    write_square(folder.path())?;
    let json = folder.path().join("report.json");
    let args = Args {
        dir: folder.path().to_owned(),
        filter: None,
        json: Some(json.clone()),
        f32: false,
    };
    let error = run(args).err().ok_or("nothing passes")?;
    assert_eq!(error.to_string(), "0 of 1 cases pass, 0 fail, 1 are unsupported");
    assert!(std::fs::read_to_string(json)?.contains("\"toy square\""));
    let args = Args {
        dir: folder.path().to_owned(),
        filter: Some("cube".to_owned()),
        json: None,
        f32: false,
    };
    assert_eq!(
        run(args).err().ok_or("nothing matches")?.to_string(),
        "no case matches --filter \"cube\""
    );
    Ok(())
}
