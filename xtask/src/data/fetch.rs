//! Getting one file: from an address with resuming, or from a folder; checked before it appears under its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::digest::{self, Checksum, FileDigest};
use super::progress;
use crate::output;

/// Gets `source` to `target`, unless the right file is there already.
///
/// The bytes first go to `<target>.part`. It stays when a download is cut, so that the next one goes on from there; when its
/// content proves wrong it goes away.
pub(super) fn fetch(
    source: &Source,
    target: &Path,
    checksum: Checksum<'_>,
    patience: &Patience,
) -> Result<Outcome, FetchError> {
    if digest::is_right(target, checksum) {
        return Ok(Outcome::Kept);
    }
    let name = target
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(|e| FetchError::write(folder, e))?;
    }
    let download = Download {
        source,
        part: target.with_file_name(format!("{name}.part")),
        target,
        checksum,
        bar: progress::bar(&name),
    };
    let outcome = match source {
        Source::Address(address) => download.download_from(address, patience),
        Source::Folder(path) => download.copy_from(path),
    };
    download.bar.finish_and_clear();
    outcome
}

/// Where a file comes from.
#[derive(Debug, PartialEq)]
pub(super) enum Source {
    Address(String),
    Folder(PathBuf),
}

impl Source {
    pub(super) fn address(address: &str) -> Self {
        Self::Address(address.to_owned())
    }

    /// The file `name` of a mirror, which is a folder unless it looks like an address.
    pub(super) fn mirror(mirror: &str, name: &str) -> Self {
        if mirror.starts_with("http://") || mirror.starts_with("https://") {
            Self::Address(format!("{}/{name}", mirror.trim_end_matches('/')))
        } else {
            Self::Folder(Path::new(mirror).join(name))
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Address(address) => address.clone(),
            Self::Folder(path) => path.display().to_string(),
        }
    }
}

/// How a file came to be there.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Kept,
    /// `bytes`: the file's size
    Fetched {
        bytes: u64,
    },
}

/// How long to wait, and how often to try again.
pub(super) struct Patience {
    /// Tries after the first one.
    pub(super) retries: u32,
    /// Before the first of them; doubled for each that follows.
    pub(super) pause: Duration,
    /// For a connection, for an answer, and for the next bytes of a body.
    pub(super) silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            retries: 3,
            pause: Duration::from_secs(1),
            silence: Duration::from_secs(30),
        }
    }
}

/// Why a file could not be had; each names the address.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{address}: {what}")]
    Failed { address: String, what: String },
    #[error(
        "{address}: the content is not the expected one and was not kept: {kind} is {found}, expected {expected}"
    )]
    Checksum {
        address: String,
        /// Which checksum it is.
        kind: String,
        expected: String,
        found: String,
    },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl FetchError {
    fn write(path: &Path, source: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }
}

/// Why one try ended without the file.
enum Miss {
    /// Another try may help.
    Passing(String),
    /// It won't.
    Lasting(FetchError),
}

struct Download<'a> {
    source: &'a Source,
    part: PathBuf,
    target: &'a Path,
    checksum: Checksum<'a>,
    bar: ProgressBar,
}

impl Download<'_> {
    fn copy_from(&self, path: &Path) -> Result<Outcome, FetchError> {
        let mut file = File::open(path).map_err(|e| self.failed(e.to_string()))?;
        self.bar.set_length(file.metadata().map_or(0, |m| m.len()));
        self.remove_part()?;
        let result = self.take(&mut file, 0).and_then(|digest| self.accept(digest));
        result.map_err(|miss| match miss {
            Miss::Passing(what) => self.failed(what),
            Miss::Lasting(error) => error,
        })
    }

    fn download_from(&self, address: &str, patience: &Patience) -> Result<Outcome, FetchError> {
        let agent = agent(address, patience.silence);
        let mut pause = patience.pause;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.attempt(&agent, address) {
                Ok(outcome) => return Ok(outcome),
                Err(Miss::Lasting(error)) => return Err(error),
                Err(Miss::Passing(what)) if tries > patience.retries => {
                    let rest = if self.part.exists() {
                        "; run it again to go on from there"
                    } else {
                        ""
                    };
                    return Err(self.failed(format!("{what} (tried {tries} times){rest}")));
                }
                Err(Miss::Passing(what)) => {
                    let seconds = pause.as_secs_f64();
                    self.bar
                        .suspend(|| output::line(&format!("  {what}; trying again in {seconds} s")));
                    thread::sleep(pause);
                    pause *= 2;
                }
            }
        }
    }

    /// One request: for what is still missing if a part is here, else for the whole file.
    fn attempt(&self, agent: &Agent, address: &str) -> Result<Outcome, Miss> {
        let have = fs::metadata(&self.part).map_or(0, |m| m.len());
        // Compressed on the way, a range would count other bytes than ours.
        let mut request = agent.get(address).header("Accept-Encoding", "identity");
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = request.call().map_err(|e| Miss::Passing(e.to_string()))?;
        let start = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(have) => have,
            // The part may be whole already, or be longer than the file.
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                let digest = self.digest_of_part()?;
                return self.accept_resumed(digest);
            }
            StatusCode::PARTIAL_CONTENT => {
                self.remove_part().map_err(Miss::Lasting)?;
                return Err(Miss::Passing(
                    "the server sent another range than the one asked for".to_owned(),
                ));
            }
            status => {
                let what = format!("the server answered {status}");
                let passing = status.is_server_error()
                    || matches!(
                        status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                    );
                return Err(if passing {
                    Miss::Passing(what)
                } else {
                    Miss::Lasting(self.failed(what))
                });
            }
        };
        let length = response.body().content_length();
        if let Some(length) = length {
            self.bar.set_length(start + length);
        }
        let digest = self.take(&mut response.into_body().into_reader(), start)?;
        let came = fs::metadata(&self.part).map_or(0, |m| m.len()) - start;
        match length {
            Some(length) if came < length => Err(Miss::Passing(format!(
                "the connection was cut after {came} of {length} bytes"
            ))),
            _ if start > 0 => self.accept_resumed(digest),
            _ => self.accept(digest),
        }
    }

    /// Appends what the reader gives to the part, from `start` on, and hashes part and addition.
    fn take(&self, reader: &mut impl Read, start: u64) -> Result<io::Result<String>, Miss> {
        let lasting = |e| Miss::Lasting(FetchError::write(&self.part, e));
        let mut digest = FileDigest::of(self.target, self.checksum);
        // A .gz that can't be decompressed goes on to its end all the same: its error is the digest's.
        let mut damage = None;
        if start > 0 {
            damage = digest
                .read_from(&mut File::open(&self.part).map_err(lasting)?)
                .err();
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true);
        let mut part = if start > 0 {
            options.append(true)
        } else {
            options.truncate(true)
        }
        .open(&self.part)
        .map_err(lasting)?;
        self.bar.set_position(start);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match reader.read(&mut buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(|e| {
                    Miss::Passing(format!(
                        "cut after {} bytes of the file: {e}",
                        self.bar.position()
                    ))
                })?,
            };
            let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            part.write_all(bytes).map_err(lasting)?;
            if damage.is_none() {
                damage = digest.update(bytes).err();
            }
            self.bar.inc(n as u64);
        }
        part.sync_all().map_err(lasting)?;
        Ok(match damage {
            Some(error) => Err(error),
            None => digest.finish(),
        })
    }

    fn digest_of_part(&self) -> Result<io::Result<String>, Miss> {
        self.take(&mut io::empty(), fs::metadata(&self.part).map_or(0, |m| m.len()))
    }

    /// Gives the part its name if its content is right, else removes it.
    fn accept(&self, digest: io::Result<String>) -> Result<Outcome, Miss> {
        let found = match digest {
            Ok(found) if found == self.checksum.hex() => {
                let bytes = fs::metadata(&self.part).map_or(0, |m| m.len());
                let renamed = fs::rename(&self.part, self.target);
                return match renamed {
                    Ok(()) => Ok(Outcome::Fetched { bytes }),
                    Err(e) => {
                        self.remove_part().map_err(Miss::Lasting)?;
                        Err(Miss::Lasting(FetchError::write(self.target, e)))
                    }
                };
            }
            Ok(found) => found,
            Err(error) => format!("that of a damaged file ({error})"),
        };
        self.remove_part().map_err(Miss::Lasting)?;
        let expected = self.checksum.hex().to_owned();
        Err(Miss::Lasting(FetchError::Checksum {
            address: self.source.name(),
            kind: self.checksum.to_string(),
            expected,
            found,
        }))
    }

    /// The same, for a part whose beginning is older than this try: the beginning may be what is wrong.
    fn accept_resumed(&self, digest: io::Result<String>) -> Result<Outcome, Miss> {
        match self.accept(digest) {
            Err(Miss::Lasting(FetchError::Checksum { .. })) => Err(Miss::Passing(
                "the part from an earlier download doesn't fit and was dropped".to_owned(),
            )),
            other => other,
        }
    }

    fn remove_part(&self) -> Result<(), FetchError> {
        match fs::remove_file(&self.part) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FetchError::write(&self.part, e)),
            _ => Ok(()),
        }
    }

    fn failed(&self, what: String) -> FetchError {
        FetchError::Failed {
            address: self.source.name(),
            what,
        }
    }
}

/// The proxy of the environment is for the network: a server on this machine is reached directly.
fn agent(address: &str, silence: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(silence))
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence));
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|host| address.starts_with(host));
    if local {
        config.proxy(None).build().into()
    } else {
        config.build().into()
    }
}

/// Where a partial answer begins, from `Content-Range: bytes 5-9/10`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let value = response.headers().get("content-range")?.to_str().ok()?;
    value
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests;
