//! Patterns that choose parameters by name.

use crate::{Error, Result};

/// A pattern of parameter names, as in `"encoder.*.bias"` or `"*{bias,norm*}"`: `*` matches anything, dots too, `?` one
/// character, `[ab]` one of these, `{x,y}` either.
///
/// # Errors
/// `new`: the pattern is malformed.
///
/// # Example
/// ```
/// use sconce_core::NameGlob;
/// let glob = NameGlob::new("*.bias")?;
/// assert!(glob.matches("encoder.fc.bias") && !glob.matches("encoder.fc.weight"));
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NameGlob {
    text: String,
    matcher: globset::GlobMatcher,
}

impl NameGlob {
    /// A pattern from its text.
    ///
    /// # Errors
    /// See [`NameGlob`].
    pub fn new(text: &str) -> Result<Self> {
        let matcher = globset::Glob::new(text).map_err(|error| Error::Glob {
            glob: text.to_string(),
            problem: format!("is not a glob: {}", error.kind()),
        })?;
        Ok(Self {
            text: text.to_string(),
            matcher: matcher.compile_matcher(),
        })
    }

    /// Whether a name fits.
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// The error of one who found that it matches none of these, such as "parameter".
    pub fn matches_no(&self, what: &str) -> Error {
        Error::Glob {
            glob: self.text.clone(),
            problem: format!("matches no {what}"),
        }
    }
}
