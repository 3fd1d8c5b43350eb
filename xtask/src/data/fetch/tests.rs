//! Against a small HTTP server on loopback, which can cut connections, ignore ranges and send nonsense.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::*;

/// How the server answers one connection.
#[derive(Clone, Copy)]
enum Answer {
    /// The file, or the range asked for.
    Honest,
    /// The same, but the connection ends after so many bytes of the body.
    CutAfter(usize),
    /// The whole file, whatever is asked for.
    NoRanges,
    /// Another range than the one asked for.
    WrongRange,
    Status(u16),
}

/// A server that gives `answers` in turn, then repeats the last one.
struct Server {
    address: String,
    /// The Range header of each request.
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    fn start(content: &[u8], answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/mnist/file.bin", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (seen, content, answers) = (ranges.clone(), content.to_vec(), answers.to_vec());
        thread::spawn(move || {
            for (i, stream) in listener.incoming().enumerate() {
                let answer = answers[i.min(answers.len() - 1)];
                serve(stream.unwrap(), &content, answer, &seen);
            }
        });
        Self { address, ranges }
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, content: &[u8], answer: Answer, seen: &Mutex<Vec<Option<String>>>) {
    let mut range = None;
    for line in BufReader::new(&stream).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("range:") {
            range = Some(value.trim().to_owned());
        }
        if line.is_empty() {
            break;
        }
    }
    seen.lock().unwrap().push(range.clone());
    let asked: usize = range.map_or(0, |r| {
        r.trim_start_matches("bytes=")
            .trim_end_matches('-')
            .parse()
            .unwrap()
    });
    let start = match answer {
        Answer::NoRanges => 0,
        Answer::WrongRange => asked.saturating_sub(1),
        _ => asked,
    };
    let (status, body) = match answer {
        Answer::Status(code) => (format!("{code} Reason"), &b"sorry"[..]),
        _ if start > 0 && start >= content.len() => ("416 Range Not Satisfiable".to_owned(), &b""[..]),
        _ if start > 0 => ("206 Partial Content".to_owned(), &content[start..]),
        _ => ("200 OK".to_owned(), content),
    };
    let last = content.len().saturating_sub(1);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{last}/{}\r\nConnection: close\r\n\r\n",
        body.len(),
        content.len()
    );
    let body = match answer {
        Answer::CutAfter(n) => &body[..n.min(body.len())],
        _ => body,
    };
    // A client that gives up early is its own business.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
}

fn content() -> Vec<u8> {
    (0..100_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn quick() -> Patience {
    Patience {
        retries: 2,
        pause: Duration::from_millis(1),
        silence: Duration::from_secs(5),
    }
}

struct Place {
    _folder: tempfile::TempDir,
    target: PathBuf,
    part: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("mnist/file.bin");
    Place {
        part: target.with_file_name("file.bin.part"),
        target,
        _folder: folder,
    }
}

fn get(server: &Server, place: &Place, content: &[u8]) -> Result<Outcome, FetchError> {
    fetch(
        &Source::address(&server.address),
        &place.target,
        Checksum::Sha256(&sha256(content)),
        &quick(),
    )
}

/// The Range header of each request.
type Asked = Vec<Option<String>>;

#[test]
fn what_the_server_does_and_what_is_asked_of_it() {
    let bytes = content();
    let whole = None;
    let from = |n: usize| Some(format!("bytes={n}-"));
    let table: &[(&str, &[Answer], usize, Asked)] = &[
        ("a plain download", &[Answer::Honest], 0, vec![whole.clone()]),
        (
            "goes on from a part",
            &[Answer::Honest],
            60_000,
            vec![from(60_000)],
        ),
        (
            "goes on after a cut",
            &[Answer::CutAfter(70_000), Answer::Honest],
            0,
            vec![whole.clone(), from(70_000)],
        ),
        (
            "a part is whole already",
            &[Answer::Honest],
            100_000,
            vec![from(100_000)],
        ),
        (
            "a server that ignores ranges",
            &[Answer::NoRanges],
            60_000,
            vec![from(60_000)],
        ),
        (
            "another range than asked for",
            &[Answer::WrongRange, Answer::Honest],
            60_000,
            vec![from(60_000), whole.clone()],
        ),
        (
            "one bad moment",
            &[Answer::Status(503), Answer::Honest],
            0,
            vec![whole.clone(), whole.clone()],
        ),
    ];
    for (name, answers, have, asked) in table {
        let (server, place) = (Server::start(&bytes, answers), place());
        fs::create_dir_all(place.part.parent().unwrap()).unwrap();
        if *have > 0 {
            fs::write(&place.part, &bytes[..*have]).unwrap();
        }
        let outcome = get(&server, &place, &bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(outcome, Outcome::Fetched { bytes: 100_000 }, "{name}");
        assert_eq!(fs::read(&place.target).unwrap(), bytes, "{name}");
        assert!(!place.part.exists(), "{name}");
        assert_eq!(server.ranges(), *asked, "{name}");
    }
}

#[test]
fn a_right_file_is_kept_and_a_wrong_one_replaced() {
    let (bytes, place) = (content(), place());
    let server = Server::start(&bytes, &[Answer::Honest]);
    fs::create_dir_all(place.target.parent().unwrap()).unwrap();
    fs::write(&place.target, b"something else").unwrap();
    assert_eq!(
        get(&server, &place, &bytes).unwrap(),
        Outcome::Fetched { bytes: 100_000 }
    );
    assert_eq!(get(&server, &place, &bytes).unwrap(), Outcome::Kept);
    assert_eq!(server.ranges().len(), 1);
}

#[test]
fn a_wrong_checksum_leaves_nothing_behind() {
    let (bytes, place) = (content(), place());
    let server = Server::start(b"an error page", &[Answer::Honest]);
    let error = get(&server, &place, &bytes).unwrap_err().to_string();
    for part in [&server.address, &sha256(&bytes), &sha256(b"an error page")] {
        assert!(error.contains(part.as_str()), "{error} lacks {part}");
    }
    assert_eq!(fs::read_dir(place.target.parent().unwrap()).unwrap().count(), 0);
    assert_eq!(server.ranges().len(), 1, "a wrong file is not asked for again");
}

#[test]
fn a_publishers_md5_counts_as_well() {
    // RFC 1321's example, under a name that would be decompressed for a SHA-256.
    let (server, place) = (Server::start(b"abc", &[Answer::Honest]), place());
    let (source, target) = (
        Source::address(&server.address),
        place.target.with_extension("gz"),
    );
    let get = |md5| fetch(&source, &target, Checksum::Md5(md5), &quick());
    let error = get("900150983cd24fb0d6963f7d28e17f73").unwrap_err().to_string();
    assert!(
        error.ends_with("MD5 is 900150983cd24fb0d6963f7d28e17f72, expected 900150983cd24fb0d6963f7d28e17f73"),
        "{error}"
    );
    assert!(!target.exists());
    let md5 = "900150983cd24fb0d6963f7d28e17f72";
    assert_eq!(get(md5).unwrap(), Outcome::Fetched { bytes: 3 });
    assert_eq!(get(md5).unwrap(), Outcome::Kept);
}

#[test]
fn a_part_that_does_not_fit_is_dropped() {
    let (bytes, place) = (content(), place());
    let server = Server::start(&bytes, &[Answer::Honest]);
    fs::create_dir_all(place.part.parent().unwrap()).unwrap();
    fs::write(&place.part, vec![7; 50_000]).unwrap();
    assert_eq!(
        get(&server, &place, &bytes).unwrap(),
        Outcome::Fetched { bytes: 100_000 }
    );
    assert_eq!(server.ranges(), [Some("bytes=50000-".to_owned()), None]);
}

#[test]
fn what_stays_away_is_named_with_its_reason() {
    let bytes = content();
    let (server, place) = (Server::start(&bytes, &[Answer::Status(404)]), place());
    let error = get(&server, &place, &bytes).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}: the server answered 404 Not Found", server.address)
    );
    assert_eq!(
        server.ranges().len(),
        1,
        "it won't be there at the next try either"
    );

    let server = Server::start(&bytes, &[Answer::Status(500)]);
    let error = get(&server, &place, &bytes).unwrap_err().to_string();
    assert!(
        error.ends_with("answered 500 Internal Server Error (tried 3 times)"),
        "{error}"
    );

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let source = Source::address(&format!("http://{closed}/x"));
    let error = fetch(
        &source,
        &place.target,
        Checksum::Sha256(&sha256(&bytes)),
        &quick(),
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.starts_with(&format!("http://{closed}/x: ")) && error.contains("refused"),
        "{error}"
    );
}

#[test]
fn a_body_that_always_stops_short_is_an_error_and_its_part_stays() {
    let (bytes, place) = (content(), place());
    let server = Server::start(&bytes, &[Answer::CutAfter(1000)]);
    let error = get(&server, &place, &bytes).unwrap_err().to_string();
    assert!(
        error.starts_with(&server.address) && error.ends_with("run it again to go on from there"),
        "{error}"
    );
    assert!(!place.target.exists());
    assert_eq!(fs::read(&place.part).unwrap(), bytes[..3000]);
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = Source::address(&format!("http://{}/x", listener.local_addr().unwrap()));
    let patience = Patience {
        retries: 0,
        pause: Duration::ZERO,
        silence: Duration::from_millis(50),
    };
    let error = fetch(
        &source,
        &place().target,
        Checksum::Sha256(&sha256(b"")),
        &patience,
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("timeout"), "{error}");
}

#[test]
fn a_mirror_is_a_folder_or_an_address() {
    let address = "http://127.0.0.1:8000/m/mnist/a.gz".to_owned();
    assert_eq!(
        Source::mirror("http://127.0.0.1:8000/m/", "mnist/a.gz"),
        Source::Address(address)
    );
    assert_eq!(
        Source::mirror("/data", "mnist/a.gz"),
        Source::Folder("/data/mnist/a.gz".into())
    );

    let (bytes, place, mirror) = (content(), place(), tempfile::tempdir().unwrap());
    let source = Source::mirror(&mirror.path().display().to_string(), "file.bin");
    let error = fetch(
        &source,
        &place.target,
        Checksum::Sha256(&sha256(&bytes)),
        &quick(),
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.starts_with(&mirror.path().join("file.bin").display().to_string()),
        "{error}"
    );
    fs::write(mirror.path().join("file.bin"), &bytes).unwrap();
    let outcome = fetch(
        &source,
        &place.target,
        Checksum::Sha256(&sha256(&bytes)),
        &quick(),
    )
    .unwrap();
    assert_eq!(outcome, Outcome::Fetched { bytes: 100_000 });
    assert_eq!(fs::read(&place.target).unwrap(), bytes);
}
