//! Processes that end at any moment, of themselves or killed.

use super::*;

const CHILD: &str = "SCONCE_TEST_RESUME_CHILD";
const RULE: &str = "SCONCE_TEST_RESUME_RULE";
const STAGE: &str = "SCONCE_TEST_RESUME_STAGE";

/// What a child process does: the run, until it is done or killed.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    if std::env::var(STAGE).is_ok() {
        watch_stages(|stage| {
            let (wanted, count) = std::env::var(STAGE)
                .ok()
                .and_then(|text| {
                    let (stage, count) = text.split_once(':')?;
                    Some((stage.to_string(), count.parse::<u64>().ok()?))
                })
                .unwrap();
            static SEEN: AtomicU64 = AtomicU64::new(0);
            if format!("{stage:?}") == wanted && SEEN.fetch_add(1, Ordering::SeqCst) == count {
                std::process::abort();
            }
        });
    }
    run(
        &std::env::var(RULE).unwrap(),
        Some(resuming(Path::new(&folder))),
        None,
        Duration::from_millis(3),
    )
    .unwrap();
}

fn spawn(rule: &str, folder: &Path, stage: Option<(Stage, u64)>) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "killed::child", "--nocapture"])
        .env(CHILD, folder)
        .env(RULE, rule)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some((stage, count)) = stage {
        command.env(STAGE, format!("{stage:?}:{count}"));
    }
    command.spawn().unwrap()
}

fn check_resumes(rule: &str, folder: &Path, whole: &Left, what: &str) {
    let resumed = run(rule, Some(resuming(folder)), None, Duration::ZERO).unwrap();
    assert_eq!(&resumed, whole, "{what}");
}

#[test]
fn killed_at_random_moments_it_ends_with_the_same_bits() {
    let place = tempfile::tempdir().unwrap();
    let draws = Generator::new(17);
    let mut killed = 0;
    for (i, rule) in rules().cycle().take(20).enumerate() {
        let whole = run(rule, None, None, Duration::ZERO).unwrap();
        let folder = place.path().join(i.to_string());
        let mut child = spawn(rule, &folder, None);
        let mut wait = [0f64; 1];
        draws.fill_uniform(&mut wait, 0., 120.);
        std::thread::sleep(Duration::from_micros((wait[0] * 1000.) as u64));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let what = format!("{rule}, killed after {} ms", wait[0]);
        check_resumes(rule, &folder, &whole, &what);
    }
    assert!(killed > 0, "all were done before they were killed");
}

/// The writes are those of a checkpoint and of the times beside it in turn.
#[test]
fn at_every_stage_of_a_write_there_is_a_whole_checkpoint() {
    let rule = "adamw";
    let whole = run(rule, None, None, Duration::ZERO).unwrap();
    let place = tempfile::tempdir().unwrap();
    for stage in [Stage::Created, Stage::Written, Stage::Synced, Stage::Renamed] {
        for count in [0, 1, 2, 10, 11, 12, 13, 24] {
            let folder = place.path().join(format!("{stage:?}-{count}"));
            let status = spawn(rule, &folder, Some((stage, count))).wait().unwrap();
            assert!(!status.success(), "{stage:?} {count}");
            let what = format!("ended at {stage:?} of write {count}");
            check_resumes(rule, &folder, &whole, &what);
        }
    }
}
