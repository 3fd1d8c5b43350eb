//! Which instruction set runs.

use std::cell::Cell;
use std::sync::OnceLock;

/// An instruction set that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What every processor of the target has; never calls a library's fused multiply-add.
    Portable,
    /// aarch64's vectors.
    Neon,
    /// x86-64-v3: AVX2 and FMA.
    Avx2,
    /// x86-64-v4: AVX-512 F, BW, CD, DQ and VL.
    Avx512,
}

impl Level {
    /// Every level that this processor has, the best one last.
    pub fn available() -> impl Iterator<Item = Level> {
        [Level::Portable, Level::Neon, Level::Avx2, Level::Avx512]
            .into_iter()
            .filter(|level| level.exists())
    }

    /// Its name, as `SCONCE_SIMD` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Neon => "neon",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    fn exists(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => super::Avx2::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => super::Avx512::new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => super::Neon::new().is_some(),
            #[allow(unreachable_patterns, reason = "the other architecture's levels")]
            _ => false,
        }
    }
}

thread_local! {
    static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
}

/// The level that [`dispatch`](super::dispatch) uses on this thread.
///
/// It is the best available one, or what the environment variable `SCONCE_SIMD` names when the process first asks. A name
/// that is unknown, or that this processor lacks, is reported on standard error once and then ignored.
#[inline]
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    FORCED.get().unwrap_or_else(|| *LEVEL.get_or_init(choose))
}

fn choose() -> Level {
    let best = Level::available().last().unwrap_or(Level::Portable);
    let Ok(name) = std::env::var("SCONCE_SIMD") else {
        return best;
    };
    match Level::available().find(|level| level.name() == name) {
        Some(level) => level,
        None => {
            let names: Vec<&str> = Level::available().map(Level::name).collect();
            eprintln!(
                "SCONCE_SIMD={name}: this processor has {}; using {}",
                names.join(", "),
                best.name()
            );
            best
        }
    }
}

/// Runs a closure with another level on this thread, and on those that [`parallel`](crate::parallel) lends to it.
///
/// Tests go through all levels with it. A level that the processor lacks counts as portable.
pub fn with_level<R>(level: Level, f: impl FnOnce() -> R) -> R {
    let level = if level.exists() { level } else { Level::Portable };
    force(Some(level), f)
}

/// The level forced on this thread, to hand on to a helper thread.
pub(crate) fn forced() -> Option<Level> {
    FORCED.get()
}

pub(crate) fn force<R>(level: Option<Level>, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Level>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.replace(level));
    f()
}
