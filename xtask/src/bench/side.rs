//! One side of a measurement: a process that is told how many steps to do.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::memory;

/// A running worker; it ends when this is dropped.
pub(super) struct Side {
    name: &'static str,
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    errors: File,
    /// What a step computes.
    pub(super) results: Vec<Summary>,
    /// The memory that it held before the first step.
    start_mb: Option<f64>,
}

/// Name, length and direction of one result.
#[derive(serde::Deserialize)]
pub(super) struct Summary(pub(super) String, pub(super) f64, pub(super) f64);

#[derive(serde::Deserialize)]
struct Ready {
    results: Vec<Summary>,
    #[serde(default)]
    start_mb: Option<f64>,
}

impl Side {
    /// Starts a worker and waits until it is ready.
    pub(super) fn start(name: &'static str, command: &mut Command, threads: u16) -> crate::Result<Self> {
        let errors = tempfile::tempfile()?;
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone()?)
            .spawn()
            .map_err(|e| {
                format!(
                    "{name}: cannot start {}: {e}",
                    command.get_program().to_string_lossy()
                )
            })?;
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().ok_or("no pipe to the worker")?);
        let mut side = Self {
            name,
            child,
            to,
            from,
            errors,
            results: Vec::new(),
            start_mb: None,
        };
        let line = side.read()?;
        let ready: Ready = serde_json::from_str(&line).map_err(|e| format!("{name}: {e} in {line:?}"))?;
        side.results = ready.results;
        side.start_mb = ready.start_mb;
        Ok(side)
    }

    /// The median time of so many steps, in milliseconds.
    pub(super) fn time(&mut self, steps: usize) -> crate::Result<f64> {
        let sent = self.to.as_mut().is_some_and(|to| writeln!(to, "{steps}").is_ok());
        let line = if sent {
            self.read()?
        } else {
            return Err(self.stopped());
        };
        Ok(line
            .parse()
            .map_err(|e| format!("{}: {e} in {line:?}", self.name))?)
    }

    /// The most memory that it has had so far.
    pub(super) fn peak_mb(&self) -> Option<f64> {
        memory::peak_mb(self.child.id())
    }

    /// The most memory that its steps have needed beyond what it held before.
    pub(super) fn extra_mb(&self) -> Option<f64> {
        Some(self.peak_mb()? - self.start_mb?)
    }

    fn read(&mut self) -> crate::Result<String> {
        let mut line = String::new();
        match self.from.read_line(&mut line) {
            Ok(n) if n > 0 => Ok(line.trim_end().to_owned()),
            _ => Err(self.stopped()),
        }
    }

    /// Why the worker stopped: the last line that it wrote about it.
    fn stopped(&mut self) -> crate::Error {
        let _ = self.child.kill();
        let status = self
            .child
            .wait()
            .map_or_else(|e| e.to_string(), |status| status.to_string());
        let mut text = String::new();
        let read = self
            .errors
            .rewind()
            .and_then(|()| self.errors.read_to_string(&mut text));
        let last = read
            .ok()
            .and_then(|_| text.lines().map(str::trim).rfind(|line| !line.is_empty()));
        format!("{} stopped: {}", self.name, last.unwrap_or(&status)).into()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // The end of its input tells it to go.
        self.to = None;
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn start(script: &str) -> crate::Result<Side> {
        Side::start("worker", Command::new("sh").args(["-c", script]), 2)
    }

    #[test]
    fn a_worker_is_asked_and_answers() {
        let script = r#"echo '{"results": [["loss", 2.5, -0.5]]}'; while read n; do echo "$n.5"; done"#;
        let mut side = start(script).unwrap();
        assert_eq!(
            (side.results[0].0.as_str(), side.results[0].1, side.results[0].2),
            ("loss", 2.5, -0.5)
        );
        assert_eq!(side.time(7).unwrap(), 7.5);
        assert_eq!(side.time(30).unwrap(), 30.5);
    }

    #[test]
    fn a_worker_that_stops_is_named_with_its_last_words() {
        let error = start("echo first >&2; echo 'error: no such row' >&2; exit 3")
            .err()
            .unwrap()
            .to_string();
        assert_eq!(error, "worker stopped: error: no such row");
        let mut side = start(r#"echo '{"results": []}'; read n; exit 3"#).unwrap();
        let error = side.time(1).unwrap_err().to_string();
        assert!(error.starts_with("worker stopped: exit status: 3"), "{error}");
    }
}
