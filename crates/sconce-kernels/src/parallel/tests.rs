use super::*;
use crate::simd::{Portable, Vector};

/// Runs a closure in pools of one, two and three threads, and asserts that the results are the same.
pub(crate) fn with_any_threads<R: PartialEq + std::fmt::Debug + Send>(f: impl Fn() -> R + Send + Sync) -> R {
    let alone = f();
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        assert!(pool.install(&f) == alone, "{threads} threads give another result");
    }
    alone
}

#[test]
fn every_task_runs_once() {
    for count in [0, 1, 2, 7, 1000] {
        let runs: Vec<_> = (0..count)
            .map(|_| std::sync::atomic::AtomicUsize::new(0))
            .collect();
        with_any_threads(|| {
            tasks(count, |i| {
                _ = runs[i].fetch_add(1, std::sync::atomic::Ordering::Relaxed)
            })
        });
        assert!(runs.into_iter().all(|run| run.into_inner() == 4));
    }
}

#[test]
fn zip_covers_all_lengths_in_lock_step() {
    for length in [0, 1, CHUNK - 1, CHUNK, THRESHOLD, THRESHOLD + 5, 10 * CHUNK + 3] {
        let x: Vec<usize> = (0..length).collect();
        let out = with_any_threads(|| {
            let (mut out, mut firsts) = (vec![0; length], vec![0; length]);
            zip(
                (&mut out[..], &x[..], &mut firsts[..]),
                |first, (out, x, firsts)| {
                    assert!(out.len() == x.len() && out.len() <= CHUNK && first % CHUNK == 0);
                    for (out, x) in out.iter_mut().zip(x) {
                        *out = 2 * x + 1;
                    }
                    firsts.fill(first);
                },
            );
            assert!(
                firsts
                    .iter()
                    .enumerate()
                    .all(|(i, &first)| first == i - i % CHUNK)
            );
            out
        });
        assert!(out.iter().enumerate().all(|(i, &x)| x == 2 * i + 1));
    }
}

#[test]
fn rows_stay_whole() {
    for (rows, cols) in [(0, 5), (3, 1), (5, 40_000), (700, 333), (100_000, 3)] {
        let x: Vec<f64> = (0..rows * cols).map(|i| i as f64).collect();
        let firsts = with_any_threads(|| {
            let mut heads = vec![0.; rows];
            zip_rows(cols, (Rows(&x[..], cols), &mut heads[..]), |first, (x, heads)| {
                for (i, (row, head)) in x.chunks_exact(cols).zip(heads).enumerate() {
                    assert_eq!(row[0], ((first + i) * cols) as f64);
                    *head = row[0];
                }
            });
            heads
        });
        assert!(
            firsts
                .iter()
                .enumerate()
                .all(|(i, &head)| head == (i * cols) as f64)
        );
    }
}

#[test]
fn sums_and_reductions_have_a_fixed_order() {
    for length in [0, 1, 1000, THRESHOLD + 77, 20 * CHUNK + 1] {
        let x: Vec<f32> = (0..length).map(|i| (i as f32).sin()).collect();
        let total = with_any_threads(|| sum(&x));
        let exact: f64 = x.iter().copied().map(f64::from).sum();
        assert!((f64::from(total) - exact).abs() < 1e-2);
        let order = with_any_threads(|| {
            reduce(
                (&x[..],),
                |first, (part,)| vec![(first, part.len())],
                |a, b| [a, b].concat(),
            )
            .unwrap_or_default()
        });
        assert!(order.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0));
        assert_eq!(order.iter().map(|part| part.1).sum::<usize>(), length);
    }
    let rows = vec![1f64; 300 * 1000];
    let blocks = reduce_rows(
        1000,
        (Rows(&rows[..], 1000),),
        |_, (part,)| part.len(),
        |a, b| a + b,
    );
    assert_eq!(blocks, Some(300_000));
}

#[test]
fn scan_is_a_running_total() {
    for length in [0, 1, CHUNK, CHUNK + 1, THRESHOLD + 9, 9 * CHUNK] {
        let x: Vec<u64> = (0..length as u64).collect();
        let out = with_any_threads(|| {
            let mut out = vec![0; length];
            scan(&mut out, &x, |a, b| a + b);
            out
        });
        assert!(
            out.iter()
                .enumerate()
                .all(|(i, &total)| total == (i * (i + 1) / 2) as u64)
        );
    }
}

#[test]
fn items_are_given_away_and_levels_travel() {
    use crate::simd::{Level, level, with_level};
    let items: Vec<String> = (0..50).map(|i| i.to_string()).collect();
    let seen = std::sync::Mutex::new(Vec::new());
    with_level(Level::Portable, || {
        for_each(items, |item| {
            assert_eq!(level(), Level::Portable);
            seen.lock().unwrap().push(item);
        });
    });
    assert_eq!(seen.into_inner().unwrap().len(), 50);
}

#[test]
fn a_panic_comes_back() {
    assert!(std::panic::catch_unwind(|| tasks(100, |i| assert!(i != 57))).is_err());
    assert!(std::panic::catch_unwind(|| zip((&[1][..], &[1, 2][..]), |_, _| {})).is_err());
    assert!(std::panic::catch_unwind(|| zip_rows(3, (Rows(&[1; 7][..], 3),), |_, _| {})).is_err());
}

#[test]
fn fresh_vectors_are_filled_by_whoever_walks_them() {
    // The last two are large enough to go past the cache: one in lines that don't begin where rows do, the other has
    // rows that are too long for it.
    for (rows, cols) in [(0, 3), (1, 1), (7, 5), (900, 200), (1501, 701), (40, 40_000)] {
        let y = with_any_threads(|| {
            let mut heads = vec![0.; rows];
            fresh(rows * cols, |y| {
                zip_rows(cols, (Rows(y, cols), &mut heads[..]), |first, (mut y, heads)| {
                    for (i, head) in heads.iter_mut().enumerate() {
                        y.write(Portable::new(), cols, |y| {
                            y.fill((first + i) as f64);
                            *head = y[0];
                        });
                    }
                });
            })
        });
        assert!(y.iter().enumerate().all(|(i, &y)| y == (i / cols) as f64));
    }
}

#[test]
fn fresh_vectors_with_gaps_are_refused() {
    assert!(std::panic::catch_unwind(|| fresh::<f32>(3, |_| {})).is_err());
    let part = |count| {
        move || {
            fresh::<f32>(3, |y| {
                zip((y,), |_, (mut y,)| {
                    y.write(Portable::new(), count, |y| y.fill(1.))
                })
            })
        }
    };
    assert!(std::panic::catch_unwind(part(2)).is_err());
    assert_eq!(part(3)(), [1.; 3]);
    assert!(std::panic::catch_unwind(part(4)).is_err());
    assert!(fresh::<f32>(0, |_| {}).is_empty());
    let stopped = || {
        fresh::<f32>(5 * CHUNK, |y| {
            zip((y,), |first, (mut y,)| {
                y.write(Portable::new(), CHUNK, |_| assert!(first != CHUNK))
            });
        })
    };
    assert!(std::panic::catch_unwind(stopped).is_err());
}

#[test]
fn fresh_vectors_are_mapped_from_others_in_pieces_of_any_length() {
    // The last goes past the cache.
    for (len, piece) in [(1, 1), (37, 5), (9000, 4099), ((1 << 20) + 3, 70_001)] {
        let x: Vec<f64> = (0..len).map(|i| i as f64).collect();
        let y = with_any_threads(|| {
            fresh(len, |y| {
                zip((y, &x[..]), |_, (mut y, x)| {
                    for x in x.chunks(piece) {
                        y.map1(Portable::new(), x, |x| x + x.same(1.));
                    }
                });
            })
        });
        assert!(y.iter().zip(&x).all(|(y, x)| *y == x + 1.), "{len}");
    }
    let more = || {
        fresh(3, |y| {
            zip((y,), |_, (mut y,)| y.map1(Portable::new(), &[1f32; 4], |x| x))
        })
    };
    assert!(std::panic::catch_unwind(more).is_err());
    let less = || {
        fresh(3, |y| {
            zip((y,), |_, (mut y,)| y.map1(Portable::new(), &[1f32; 2], |x| x))
        })
    };
    assert!(std::panic::catch_unwind(less).is_err());
}
