//! A bar while a file comes in, where someone can see it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for one file; hidden when standard error is no terminal.
pub(super) fn bar(name: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("  {msg} {wide_bar} {bytes} of {total_bytes}, {eta} left")
    {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar
}
