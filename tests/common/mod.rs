//! Reading the reference numbers of `tests/data`.

mod backends;

use std::fs::File;
use std::path::PathBuf;

use ndarray::{ArrayD, ArrayRef, ArrayViewD, Dimension, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, ReadableElement};
use serde_json::Value;

pub use backends::backends;

/// A manifest and the arrays beside it.
pub struct Reference {
    pub cases: Vec<Value>,
    arrays: NpzReader<File>,
}

pub fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data").join(path)
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

/// The spatial sizes of an N×C×spatial array, as plans want them.
pub fn spatial<A, D: Dimension, const RANK: usize>(array: &ArrayRef<A, D>) -> [usize; RANK] {
    array.shape()[2..].try_into().unwrap()
}
