//! Worker threads: the same batches for any number of them, errors once, and no thread left behind.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor};
use sconce_data::{
    BatchSize, Bucketed, BucketedConfig, Dataset, Error, Loader, LoaderConfig, PadFeatures, Sample,
    TensorDataset, Workers,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

const THREADS: [usize; 4] = [0, 1, 2, 5];

/// `n` samples; one of them fails, or panics.
struct Set {
    n: usize,
    fails: Option<usize>,
    panics: Option<usize>,
    loaded: AtomicUsize,
}

impl Set {
    fn new(n: usize) -> Self {
        let loaded = AtomicUsize::new(0);
        Self {
            n,
            fails: None,
            panics: None,
            loaded,
        }
    }
}

impl Dataset for Set {
    fn len(&self) -> usize {
        self.n
    }

    fn get(&self, index: usize) -> Result<Sample> {
        self.loaded.fetch_add(1, Ordering::Relaxed);
        assert!(self.panics != Some(index), "no such picture");
        if self.fails == Some(index) {
            candle_core::bail!("disk on fire");
        }
        let x = Tensor::full(index as u32, 2, &Device::Cpu)?;
        Ok((x, Tensor::new(index as u32, &Device::Cpu)?))
    }
}

fn values(batch: Result<Sample>) -> Vec<u32> {
    batch.unwrap().1.to_vec1().unwrap()
}

/// An epoch's batches until the first error, that error's message, and what came after it.
fn run(loader: &Loader<&Set>, threads: usize) -> (Vec<Vec<u32>>, Option<String>, usize) {
    thread::scope(|scope| {
        let mut epoch = loader.epoch_on(scope, &Workers::new(threads), 0, 0);
        let mut batches = Vec::new();
        while let Some(batch) = epoch.next() {
            match batch {
                Ok(batch) => batches.push(values(Ok(batch))),
                Err(error) => {
                    let error = Error::from(error).to_string();
                    let left = epoch.len();
                    return (batches, Some(error), left + epoch.count());
                }
            }
        }
        (batches, None, epoch.count())
    })
}

#[test]
fn batches_do_not_depend_on_the_number_of_workers() {
    let x = Tensor::arange(0f32, 400., &Device::Cpu)
        .unwrap()
        .reshape((100, 4))
        .unwrap();
    let set = TensorDataset::new(&x, &x)
        .unwrap()
        .augment(3, |features, target, generator| {
            let mut noise = [0.; 4];
            generator.fill_normal(&mut noise, 0., 1.);
            let noise = Tensor::new(&noise, &Device::Cpu)?.to_dtype(DType::F32)?;
            Ok(((features + noise)?, target))
        });
    let loader = |size| {
        let cfg = LoaderConfig {
            shuffle: Some(9),
            ..LoaderConfig::new(size)
        };
        Loader::new(&set, &cfg).unwrap()
    };
    let bits = |batch: Result<Sample>| -> Vec<u32> {
        let rows = batch.unwrap().0.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        rows.into_iter().map(f32::to_bits).collect()
    };
    let by_8 = loader(8);
    let alone: Vec<_> = by_8.epoch(4).map(bits).collect();
    assert_eq!(alone.len(), 13);
    for threads in THREADS {
        for prefetch in [0, 1, 3, 100] {
            let workers = Workers { threads, prefetch };
            let same: Vec<_> =
                thread::scope(|scope| by_8.epoch_on(scope, &workers, 4, 0).map(bits).collect());
            assert_eq!(same, alone, "{workers:?}");
        }
    }
    // Nor do a sample's random numbers on the batch that it is in.
    let by_3: Vec<_> = loader(3).epoch(4).map(bits).collect();
    assert_eq!(by_3.concat(), alone.concat());
    assert_ne!(
        by_8.epoch(5).map(bits).collect::<Vec<_>>().concat(),
        alone.concat()
    );
}

#[test]
fn an_error_comes_once_with_the_sample_and_ends_the_epoch() {
    for (fails, panics, cause) in [
        (Some(7), None, "disk on fire"),
        (None, Some(7), "panicked: no such picture"),
    ] {
        let set = Set {
            fails,
            panics,
            ..Set::new(20)
        };
        let loader = Loader::new(&set, &LoaderConfig::new(3)).unwrap();
        for threads in THREADS {
            let (before, error, after) = run(&loader, threads);
            assert_eq!(before, [[0, 1, 2], [3, 4, 5]], "{threads} threads");
            assert_eq!(error.unwrap(), format!("sample 7: {cause}"), "{threads} threads");
            assert_eq!(after, 0, "{threads} threads");
        }
    }
}

#[test]
fn the_first_error_is_the_first_in_order() {
    // The panic comes in the last batch, which another worker loads meanwhile.
    let set = Set {
        fails: Some(4),
        panics: Some(8),
        ..Set::new(9)
    };
    let loader = Loader::new(&set, &LoaderConfig::new(3)).unwrap();
    for threads in THREADS {
        let (before, error, after) = run(&loader, threads);
        assert_eq!((before, after), (vec![vec![0, 1, 2]], 0));
        assert_eq!(error.unwrap(), "sample 4: disk on fire");
    }
}

#[test]
fn an_error_keeps_its_type() {
    let set = Set {
        fails: Some(0),
        ..Set::new(3)
    };
    let loader = Loader::new(&set, &LoaderConfig::all()).unwrap();
    let error = Error::from(loader.epoch(0).next().unwrap().unwrap_err());
    assert!(matches!(error, Error::Sample { index: 0, .. }), "{error:?}");
    let set = Set {
        panics: Some(1),
        ..Set::new(3)
    };
    let loader = Loader::new(&set, &LoaderConfig::all()).unwrap();
    let error = Error::from(loader.epoch(0).next().unwrap().unwrap_err());
    assert!(matches!(error, Error::Sample { index: 1, cause } if matches!(*cause, Error::Panic(_))));
}

#[test]
fn samples_that_do_not_go_together_are_the_batchs_error() {
    // Sample i has i features.
    let x = Tensor::arange(0u32, 20, &Device::Cpu).unwrap();
    let set = TensorDataset::new(&x, &x).unwrap();
    let set = set.map_features(|x| x.broadcast_as(x.to_scalar::<u32>()? as usize + 1));
    let loader = Loader::new(&set, &LoaderConfig::new(9)).unwrap();
    for threads in [0, 2] {
        let error = thread::scope(|scope| {
            let mut epoch = loader.epoch_on(scope, &Workers::new(threads), 6, 1);
            let error = Error::from(epoch.next().unwrap().unwrap_err());
            assert!(epoch.next().is_none());
            error
        });
        let message = error.to_string();
        let start = "batch 1 of epoch 6, of samples 9, 10, 11, 12, 13, 14, 15, 16, …: ";
        assert!(message.starts_with(start), "{message}");
    }
    // A panic in the collation too.
    let panics = |_: Vec<Sample>| -> Result<()> { panic!("{}", "cannot collate") };
    let loader = loader.with_collate(panics);
    let error = loader.epoch(0).next().unwrap().unwrap_err();
    let message = Error::from(error).to_string();
    assert!(message.ends_with(": panicked: cannot collate"), "{message}");
}

#[test]
fn no_more_is_loaded_ahead_than_allowed() {
    let set = Set::new(1000);
    let loader = Loader::new(&set, &LoaderConfig::new(1)).unwrap();
    for (threads, prefetch) in [(1, 1), (2, 4), (5, 3)] {
        set.loaded.store(0, Ordering::Relaxed);
        thread::scope(|scope| {
            let mut epoch = loader.epoch_on(scope, &Workers { threads, prefetch }, 0, 0);
            for taken in 1..=40 {
                assert_eq!(values(epoch.next().unwrap()), [taken as u32 - 1]);
                let loaded = set.loaded.load(Ordering::Relaxed);
                assert!(
                    (taken..=taken + prefetch).contains(&loaded),
                    "{loaded} of {taken} + {prefetch}"
                );
            }
        });
    }
}

#[test]
fn an_epoch_left_in_its_middle_leaves_no_thread() {
    let set = Set::new(100_000);
    let loader = Loader::new(&set, &LoaderConfig::new(2)).unwrap();
    for threads in THREADS {
        for taken in [0, 1, 7] {
            set.loaded.store(0, Ordering::Relaxed);
            // The scope ends when all its threads have.
            thread::scope(|scope| {
                let epoch = loader.epoch_on(scope, &Workers::new(threads), 0, 0);
                assert_eq!(epoch.take(taken).map(values).count(), taken);
            });
            let most = 2 * (taken + 2 * threads);
            assert!(set.loaded.load(Ordering::Relaxed) <= most);
        }
    }
    // A panic of the caller's passes through.
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        thread::scope(|scope| {
            let mut epoch = loader.epoch_on(scope, &Workers::new(2), 0, 0);
            epoch.next().unwrap().unwrap();
            panic!("the step failed");
        })
    }));
    assert_eq!(
        caught.unwrap_err().downcast_ref::<&str>(),
        Some(&"the step failed")
    );
}

/// Each sample waits until the other one is being loaded too.
struct Together(Mutex<usize>, Condvar);

impl Dataset for Together {
    fn len(&self) -> usize {
        2
    }

    fn get(&self, index: usize) -> Result<Sample> {
        let mut here = self.0.lock().unwrap();
        *here += 1;
        self.1.notify_all();
        let _all = self.1.wait_while(here, |here| *here < 2).unwrap();
        let x = Tensor::new(index as u32, &Device::Cpu)?;
        Ok((x.clone(), x))
    }
}

#[test]
fn two_workers_load_side_by_side() {
    let set = Together(Mutex::new(0), Condvar::new());
    let loader = Loader::new(&set, &LoaderConfig::new(1)).unwrap();
    let both: Vec<_> = thread::scope(|scope| {
        loader
            .epoch_on(scope, &Workers::new(2), 0, 0)
            .map(values)
            .collect()
    });
    assert_eq!(both, [[0], [1]]);
}

/// The third sample is there only when somebody opens the gate.
#[derive(Default)]
struct Gate {
    asked: Mutex<usize>,
    changed: Condvar,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Dataset for Gate {
    fn len(&self) -> usize {
        3
    }

    fn get(&self, index: usize) -> Result<Sample> {
        *self.asked.lock().unwrap() += 1;
        self.changed.notify_all();
        if index == 2 {
            let open = self.open.lock().unwrap();
            let _open = self.opened.wait_while(open, |open| !*open).unwrap();
        }
        let x = Tensor::new(index as u32, &Device::Cpu)?;
        Ok((x.clone(), x))
    }
}

#[test]
fn only_batches_that_are_not_loaded_yet_are_waited_for() {
    let set = Gate::default();
    let loader = Loader::new(&set, &LoaderConfig::new(1)).unwrap();
    let workers = Workers {
        threads: 1,
        prefetch: 3,
    };
    thread::scope(|scope| {
        let mut epoch = loader.epoch_on(scope, &workers, 0, 0);
        // The one worker asks for the third when it is done with the first two.
        let asked = set.asked.lock().unwrap();
        drop(set.changed.wait_while(asked, |asked| *asked < 3).unwrap());
        assert_eq!(epoch.by_ref().take(2).map(values).count(), 2);
        assert_eq!(epoch.waited(), Duration::ZERO);
        scope.spawn(|| {
            // The other thread waits long before.
            thread::sleep(Duration::from_millis(300));
            *set.open.lock().unwrap() = true;
            set.opened.notify_all();
        });
        assert_eq!(values(epoch.next().unwrap()), [2]);
        let waited = epoch.waited();
        assert!(waited > Duration::ZERO);
        assert!(epoch.next().is_none());
        assert_eq!(epoch.waited(), waited);
    });
    assert_eq!(loader.epoch(0).waited(), Duration::ZERO);
}

#[test]
fn threads_that_want_the_same_sample_compute_it_once() {
    let set = Set::new(10);
    for (capacity, computed) in [(usize::MAX, 10), (4, 4 + 3 * 6), (0, 30)] {
        set.loaded.store(0, Ordering::Relaxed);
        let cache = (&set).cache_at_most(capacity);
        // The same samples in three loaders at once, and then once more.
        let loader = Loader::new(&cache, &LoaderConfig::new(1)).unwrap();
        thread::scope(|scope| {
            let loader = &loader;
            let threads: Vec<_> = (0..2)
                .map(|_| scope.spawn(move || loader.epoch(0).map(values).collect::<Vec<_>>()))
                .collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap().concat(), (0..10).collect::<Vec<_>>());
            }
        });
        assert_eq!(loader.epoch(0).map(values).count(), 10);
        assert_eq!(
            set.loaded.load(Ordering::Relaxed),
            computed,
            "room for {capacity}"
        );
        assert_eq!(cache.kept(), capacity.min(10));
    }
}

#[test]
fn long_and_short_sequences_come_in_batches_of_their_own() {
    let lengths: Vec<usize> = (0..60).map(|i| 1 + i * 37 % 50).collect();
    let x = Tensor::new(
        lengths.iter().map(|&n| n as u32).collect::<Vec<_>>(),
        &Device::Cpu,
    )
    .unwrap();
    let set = TensorDataset::new(&x, &x).unwrap();
    let set = set.map_features(|n| n.broadcast_as(n.to_scalar::<u32>()? as usize));
    let sampler = Bucketed::new(lengths.clone(), &BucketedConfig::new(BatchSize::Tokens(200))).unwrap();
    let loader = Loader::with_batches(&set, sampler)
        .unwrap()
        .with_collate(PadFeatures { value: 0. });
    let seen = thread::scope(|scope| {
        let mut seen = 0;
        for batch in loader.epoch_on(scope, &Workers::new(2), 1, 0) {
            let (sequences, targets) = batch.unwrap();
            assert!(sequences.values.elem_count() <= 200);
            let sums = sequences.values.sum(1).unwrap().to_vec1::<u32>().unwrap();
            let targets = targets.to_vec1::<u32>().unwrap();
            assert_eq!(sums, targets.iter().map(|n| n * n).collect::<Vec<_>>());
            seen += targets.len();
        }
        seen
    });
    assert_eq!(seen, 60);
}
