//! Reading the reference numbers of `tests/data`.
#![allow(dead_code)] // each test file uses its part

use std::fs::File;
use std::path::PathBuf;

use ndarray::{ArrayD, ArrayViewD, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, ReadableElement};
use serde_json::Value;
use upsample::Backend;

/// The backends that this machine has to run, whose features are asked for here, too: a test of each of them cannot pass without them.
pub fn backends() -> Vec<Backend> {
    let found = Backend::available();
    println!("backends: {found:?}");
    let mut expected = vec![Backend::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! has { ($($feature:tt),+) => { $(std::is_x86_feature_detected!($feature))&&+ } }
        let avx2 = has!("avx2", "fma", "f16c");
        let avx512 = avx2 && has!("avx512f", "avx512bw", "avx512dq", "avx512vl");
        let rows = [(Backend::Avx2, avx2), (Backend::Avx512, avx512), (Backend::Avx512Vnni, avx512 && has!("avx512vnni", "avx512vbmi"))];
        expected.extend(rows.into_iter().filter(|(_, has)| *has).map(|(backend, _)| backend));
    }
    #[cfg(target_arch = "aarch64")]
    expected.push(Backend::Neon);
    assert_eq!(found, expected, "the backends of this machine");
    found
}

/// A manifest and the arrays beside it.
pub struct Reference {
    pub cases: Vec<Value>,
    arrays: NpzReader<File>,
}

pub fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

pub fn json(path: &str) -> Value {
    serde_json::from_reader(File::open(data(path)).unwrap()).unwrap()
}

pub fn npz(path: &str) -> NpzReader<File> {
    NpzReader::new(File::open(data(path)).unwrap()).unwrap()
}

pub fn read<A: ReadableElement>(npz: &mut NpzReader<File>, name: &str) -> ArrayD<A> {
    npz.by_name::<OwnedRepr<A>, IxDyn>(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl Reference {
    pub fn open(manifest: &str, arrays: &str) -> Self {
        let cases = json(manifest)["cases"].as_array().unwrap().clone();
        Self { cases, arrays: npz(arrays) }
    }

    pub fn read<A: ReadableElement>(&mut self, name: &str) -> ArrayD<A> {
        read(&mut self.arrays, name)
    }
}

/// The numbers of an entry that may be one number or a list.
pub fn numbers(value: &Value, count: usize) -> Option<Vec<f64>> {
    match value {
        Value::Array(values) => Some(values.iter().map(|value| value.as_f64().unwrap()).collect()),
        Value::Number(number) => Some(vec![number.as_f64().unwrap(); count]),
        _ => None,
    }
}

/// The largest difference, relative to the largest expected value (at least 1).
pub fn difference(found: &ArrayViewD<f64>, expected: &ArrayViewD<f64>) -> f64 {
    assert_eq!(found.shape(), expected.shape(), "shape");
    let scale = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    let largest =
        found.iter().zip(expected).fold(0.0_f64, |largest, (a, b)| if a.is_nan() { f64::NAN } else { largest.max((a - b).abs()) });
    largest / scale
}
