//! What a check has to say, in the form that editors jump to.

use std::fmt;

use crate::output;

/// One thing that must change.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    /// From the workspace's root, with `/`.
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) message: String,
}

impl Finding {
    pub(super) fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Prints all findings; an error if there is any.
pub(super) fn report(findings: Vec<Finding>) -> crate::Result<()> {
    for finding in &findings {
        output::line(&finding.to_string());
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err("1 finding".into()),
        n => Err(format!("{n} findings").into()),
    }
}
