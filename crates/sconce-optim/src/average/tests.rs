//! Averages against their formula; swapped in and out; saved and gone on with.

use crate::{Ema, EmaConfig, Swa, SwaConfig};
use candle_core::{DType, Device, Tensor};
use sconce_core::{Init, ParamStore, Parameters, Result, buffer, param};
use sconce_testkit::Random;
use sconce_testkit::property::check_same_bits;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Two parameters, one of them long enough for several threads, and two buffers.
fn store(dtype: DType) -> ParamStore {
    let store = ParamStore::new(dtype, &Device::Cpu);
    let vb = store.builder();
    param(&vb, (3, 2), "w", &Init::Const(0.)).unwrap();
    param(&vb, 70_000, "long", &Init::Const(0.)).unwrap();
    buffer(&vb, 2, "running_mean", &Init::Const(0.), dtype).unwrap();
    buffer(&vb, (), "num_batches_tracked", &Init::Const(0.), DType::I64).unwrap();
    store
}

fn fill(store: &ParamStore, seed: u64) {
    let mut random = Random::new(seed);
    for (name, var) in store.named_tensors() {
        let values = random.normal(var.shape(), DType::F64).unwrap();
        store
            .set(&name, &(values * 10.).unwrap().to_dtype(var.dtype()).unwrap())
            .unwrap();
    }
}

fn snapshot(store: &ParamStore) -> Vec<(String, Tensor)> {
    let copy = |(name, var): (String, candle_core::Var)| (name, var.as_detached_tensor().copy().unwrap());
    store.named_tensors().into_iter().map(copy).collect()
}

fn same(a: &[(String, Tensor)], b: &[(String, Tensor)]) {
    assert_eq!(a.len(), b.len());
    for ((name, a), (other, b)) in a.iter().zip(b) {
        assert_eq!(name, other);
        check_same_bits(name, a, b).unwrap();
    }
}

fn ema(decay: f64, use_buffers: bool) -> Ema {
    Ema::new(&EmaConfig { decay, use_buffers }).unwrap()
}

#[test]
fn averages_are_those_of_the_formula() {
    for (dtype, bound) in [(DType::F64, 1e-14), (DType::F32, 1e-5), (DType::BF16, 0.1)] {
        for use_buffers in [false, true] {
            let store = store(dtype);
            let (mut ema, mut swa) = (ema(0.7, use_buffers), Swa::new(&SwaConfig { use_buffers }));
            let mut expected: HashMap<String, [Tensor; 2]> = HashMap::new();
            for n in 0..5u64 {
                fill(&store, n);
                ema.update(&store).unwrap();
                swa.update(&store).unwrap();
                for (name, x) in snapshot(&store) {
                    let x = x.to_dtype(DType::F64).unwrap();
                    let copied = name.contains("num") || (name.contains("mean") && !use_buffers);
                    let next = match expected.get(&name).filter(|_| !copied) {
                        None => [x.clone(), x],
                        Some([e, s]) => [
                            ((e * 0.7).unwrap() + (&x * 0.3).unwrap()).unwrap(),
                            (((s * n as f64).unwrap() + x).unwrap() / (n + 1) as f64).unwrap(),
                        ],
                    };
                    expected.insert(name, next);
                }
            }
            assert_eq!((ema.n_averaged(), swa.n_averaged()), (5, 5));
            for (k, tensors) in [ema.tensors().unwrap(), swa.tensors().unwrap()]
                .into_iter()
                .enumerate()
            {
                for (name, ours) in tensors {
                    let expected = &expected[&name];
                    let ours = ours.to_dtype(DType::F64).unwrap();
                    let far = (ours - &expected[k]).unwrap().abs().unwrap().max_all().unwrap();
                    assert!(
                        far.to_scalar::<f64>().unwrap() <= bound * 10.,
                        "{dtype:?} {name} {k}: {far}"
                    );
                }
            }
        }
    }
}

/// Small steps of an average that bf16 has no room for.
#[test]
fn half_precision_is_averaged_in_f32() {
    let store = store(DType::BF16);
    let mut ema = ema(0.999, false);
    ema.update(&store).unwrap();
    let one = Tensor::ones((3, 2), DType::BF16, &Device::Cpu).unwrap();
    store.set("w", &one).unwrap();
    (0..3000).for_each(|_| ema.update(&store).unwrap());
    let (_, w) = ema.tensors().unwrap().swap_remove(0);
    let w = w
        .to_dtype(DType::F32)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    assert!((w[0] - 0.95).abs() < 0.01, "{w:?}");
}

#[test]
fn what_was_swapped_comes_back_to_the_bit() {
    for dtype in [DType::F32, DType::BF16] {
        let store = store(dtype);
        let mut ema = ema(0.5, false);
        for seed in 0..3 {
            fill(&store, seed);
            ema.update(&store).unwrap();
        }
        let (training, averages) = (snapshot(&store), ema.tensors().unwrap());
        ema.swap_in(&store).unwrap();
        same(&snapshot(&store), &averages);
        ema.swap_out(&store).unwrap();
        same(&snapshot(&store), &training);
        // An error within is handed on, and all is as it was.
        let failed: Result<()> = ema
            .within(&store, || Err(sconce_core::Error::UnknownName("x".into())))
            .unwrap();
        assert!(failed.is_err());
        same(&snapshot(&store), &training);
        // So is a panic.
        let panicked = catch_unwind(AssertUnwindSafe(|| ema.within(&store, || panic!("within"))));
        assert!(panicked.is_err());
        same(&snapshot(&store), &training);
    }
}

/// What a run on the averages does to buffers belongs to the averages.
#[test]
fn buffers_stay_with_the_averages() {
    for use_buffers in [false, true] {
        let store = store(DType::F64);
        let mut swa = Swa::new(&SwaConfig { use_buffers });
        fill(&store, 1);
        swa.update(&store).unwrap();
        let training = snapshot(&store);
        let gathered = Tensor::new(&[5f64, 6.], &Device::Cpu).unwrap();
        swa.within(&store, || store.set("running_mean", &gathered))
            .unwrap()
            .unwrap();
        same(&snapshot(&store), &training);
        let kept = swa.within(&store, || {
            store.get("running_mean").unwrap().to_vec1::<f64>().unwrap()
        });
        assert_eq!(kept.unwrap(), [5., 6.], "{use_buffers}");
    }
}

/// Averages of half precision have more digits than the store: a look at a loaded state leaves them.
#[test]
fn an_evaluation_changes_no_average() {
    for use_buffers in [false, true] {
        let store = store(DType::BF16);
        let mut average = ema(0.7, use_buffers);
        for seed in 0..3 {
            fill(&store, seed);
            average.update(&store).unwrap();
        }
        let state = average.state().unwrap();
        let mut loaded = ema(0.7, use_buffers);
        loaded.load_state(&state, &store).unwrap();
        loaded.within(&store, || ()).unwrap();
        same(&loaded.state().unwrap(), &state);
    }
}

#[test]
fn a_saved_state_goes_on_to_the_bit() {
    for dtype in [DType::F64, DType::F32, DType::BF16] {
        let store = store(dtype);
        let (mut one, mut two) = (ema(0.9, true), ema(0.9, true));
        let (mut mean, mut other) = (Swa::new(&SwaConfig::default()), Swa::new(&SwaConfig::default()));
        for seed in 0..3 {
            fill(&store, seed);
            one.update(&store).unwrap();
            mean.update(&store).unwrap();
        }
        let state = one.state().unwrap();
        assert_eq!(
            (state[0].0.as_str(), state[1].0.as_str()),
            ("n_averaged", "module.w")
        );
        two.load_state(&state, &store).unwrap();
        other.load_state(&mean.state().unwrap(), &store).unwrap();
        for seed in 3..6 {
            fill(&store, seed);
            one.update(&store).unwrap();
            two.update(&store).unwrap();
            mean.update(&store).unwrap();
            other.update(&store).unwrap();
        }
        same(&one.state().unwrap(), &two.state().unwrap());
        same(&mean.state().unwrap(), &other.state().unwrap());
    }
}

/// Frozen from the start: copied. Frozen later: averaged on. Added later: from what it is then.
#[test]
fn frozen_and_late_parameters() {
    let store = store(DType::F64);
    let set = |name: &str, value: f64| {
        let shape = store.get(name).unwrap();
        store
            .set(name, &shape.ones_like().unwrap().affine(value, 0.).unwrap())
            .unwrap();
    };
    let first = |ema: &Ema, name: &str| {
        let found = ema
            .tensors()
            .unwrap()
            .into_iter()
            .find(|(other, _)| other == name)
            .unwrap()
            .1;
        found.flatten_all().unwrap().to_vec1::<f64>().unwrap()[0]
    };
    let mut ema = ema(0.5, false);
    store.freeze("long").unwrap();
    set("w", 4.);
    set("long", 4.);
    ema.update(&store).unwrap();
    set("w", 8.);
    set("long", 8.);
    store.freeze("w").unwrap();
    param(&store.builder(), 1, "late", &Init::Const(3.)).unwrap();
    ema.update(&store).unwrap();
    assert_eq!(
        (first(&ema, "w"), first(&ema, "long"), first(&ema, "late")),
        (6., 8., 3.)
    );
    store.unfreeze("long").unwrap();
    set("long", 10.);
    set("late", 5.);
    ema.update(&store).unwrap();
    assert_eq!(
        (first(&ema, "w"), first(&ema, "long"), first(&ema, "late")),
        (7., 9., 4.)
    );
}

#[test]
fn misuse_is_named_and_changes_nothing() {
    for decay in [-0.1, 1.1, f64::NAN] {
        let error = Ema::new(&EmaConfig {
            decay,
            use_buffers: false,
        })
        .map(|_| ())
        .unwrap_err()
        .to_string();
        assert!(error.starts_with("Ema: decay is"), "{error}");
    }
    let store = store(DType::F32);
    let mut ema = ema(0.5, false);
    let starts = |error: Result<()>, words: &str| {
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    };
    starts(ema.swap_in(&store), "Ema: n_averaged is 0");
    starts(ema.swap_out(&store), "Ema: swapped in is false");
    ema.update(&store).unwrap();
    ema.swap_in(&store).unwrap();
    starts(ema.swap_in(&store), "Ema: swapped in is true");
    starts(ema.update(&store), "Ema: swapped in is true");
    starts(ema.load_state(&[], &store), "Ema: swapped in is true");
    ema.swap_out(&store).unwrap();

    let other = ParamStore::new(DType::F32, &Device::Cpu);
    starts(ema.update(&other), "Ema: parameters is without w");
    param(&other.builder(), (2, 3), "w", &Init::Const(0.)).unwrap();
    starts(
        ema.update(&other),
        "w (Ema): value has shape [2, 3], expected [3, 2]",
    );

    let state = ema.state().unwrap();
    let with = |name: &str, tensor: Tensor| {
        let mut state = state.clone();
        state.push((name.to_string(), tensor));
        state
    };
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    starts(
        ema.load_state(&state[1..], &store),
        "Ema: state is n_averaged None",
    );
    starts(
        ema.load_state(&with("module.x", zeros(&[1])), &store),
        "Ema: state is module.x",
    );
    starts(
        ema.load_state(&with("module.w", zeros(&[3, 2])), &store),
        "Ema: state is module.w, expected each name once",
    );
    let wrong = [state[0].clone(), ("module.w".to_string(), zeros(&[2, 3]))];
    starts(
        ema.load_state(&wrong, &store),
        "module.w (Ema): state has shape [2, 3], expected [3, 2]",
    );
    same(&ema.state().unwrap(), &state);
}

/// PyTorch's averaged model begins as a copy of the other that counts for nothing.
#[test]
fn a_state_without_an_update_is_written_over() {
    let store = store(DType::F64);
    fill(&store, 1);
    let prefixed = |(name, value): (String, Tensor)| (format!("module.{name}"), value);
    let mut state: Vec<_> = snapshot(&store).into_iter().map(prefixed).collect();
    state.push(("n_averaged".into(), Tensor::new(0i64, &Device::Cpu).unwrap()));
    fill(&store, 2);
    let mut average = ema(0.7, true);
    average.load_state(&state, &store).unwrap();
    average.update(&store).unwrap();
    same(&average.tensors().unwrap(), &snapshot(&store));
    assert_eq!(average.n_averaged(), 1);
}

#[test]
fn what_is_frozen_stays_averaged_after_a_load() {
    let store = store(DType::F64);
    let run = |loads: bool| {
        store.unfreeze("w").unwrap();
        let mut average = ema(0.5, false);
        for (seed, frozen) in [(1, false), (2, false), (3, true), (4, true)] {
            fill(&store, seed);
            if frozen {
                store.freeze("w").unwrap();
                if loads {
                    let state = average.state().unwrap();
                    average = ema(0.5, false);
                    average.load_state(&state, &store).unwrap();
                }
            }
            average.update(&store).unwrap();
        }
        average.tensors().unwrap()
    };
    same(&run(true), &run(false));
}

#[test]
fn a_state_with_gaps_is_refused() {
    let store = store(DType::F64);
    let mut average = ema(0.5, false);
    average.update(&store).unwrap();
    let state = average.state().unwrap();
    let without = |name: &str| -> Vec<_> { state.iter().filter(|(key, _)| key != name).cloned().collect() };
    let error = average
        .load_state(&without("module.long"), &store)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("state is without module.long, expected all tensors of the store"),
        "{error}"
    );
    let mut short = without("averaged");
    average.load_state(&short, &store).unwrap();
    short.push((
        "averaged".into(),
        Tensor::zeros(3, DType::U8, &Device::Cpu).unwrap(),
    ));
    let error = average.load_state(&short, &store).unwrap_err().to_string();
    assert!(
        error.contains("averaged (Ema): state has shape [3], expected [4]"),
        "{error}"
    );
}
