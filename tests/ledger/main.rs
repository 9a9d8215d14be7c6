//! The bits of every operator and gradient stay what they were: hashes of the outputs of some 1,000 calls for each backend, recorded in
//! `tests/data/ledger.txt`.
//!
//! A change that is meant to alter results records them anew, and its message says why:
//! `UPSAMPLE_RECORD_LEDGER=1 cargo test --all-features --test ledger`. Backends that the machine lacks keep their columns.

mod convolution;
mod rearrange;
mod resize;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use common::backends;
use ndarray::{Array, ArrayRef, Dimension, ShapeBuilder};
use upsample::Backend;

const COLUMNS: [&str; 5] = ["portable", "avx2", "avx512", "avx512vnni", "neon"];

fn column(backend: Backend) -> usize {
    let name = format!("{backend:?}").to_lowercase();
    COLUMNS.iter().position(|column| *column == name).unwrap()
}

/// What one backend computed: a hash for each call.
struct Ledger {
    backend: Backend,
    hashes: BTreeMap<String, u64>,
}

impl Ledger {
    /// Records a call's output. The hash covers the shape and the bits of every element.
    fn record<T: Copy + Into<f64>, D: Dimension>(&mut self, name: impl Into<String>, output: &ArrayRef<T, D>) {
        let shape = output.shape().iter().map(|&size| size as u64);
        let bits = output.iter().map(|&value| value.into().to_bits());
        let hash = shape.chain(bits).fold(0xcbf2_9ce4_8422_2325, fnv);
        let name = name.into();
        assert!(!name.contains('|'), "{name}: the character | separates the columns");
        assert!(self.hashes.insert(name.clone(), hash).is_none(), "{name} is recorded twice");
    }
}

/// One step of FNV-1a over the eight bytes of a word.
fn fnv(hash: u64, word: u64) -> u64 {
    word.to_le_bytes().iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Pseudo-random numbers in [-1, 1).
fn noise<D: Dimension>(shape: impl ShapeBuilder<Dim = D>, seed: u32) -> Array<f32, D> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    Array::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// The hashes in the file, one optional hash for each backend's column.
fn parse(text: &str) -> BTreeMap<String, [Option<u64>; COLUMNS.len()]> {
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('|').map(str::trim);
        let name = fields.next().unwrap().to_owned();
        let mut hashes = [None; COLUMNS.len()];
        for (hash, field) in hashes.iter_mut().zip(fields) {
            *hash = u64::from_str_radix(field, 16).ok();
        }
        rows.insert(name, hashes);
    }
    rows
}

fn format(rows: &BTreeMap<String, [Option<u64>; COLUMNS.len()]>) -> String {
    let mut text = format!("# call | {}\n", COLUMNS.join(" | "));
    for (name, hashes) in rows {
        text.push_str(name);
        for hash in hashes {
            match hash {
                Some(hash) => write!(text, " | {hash:016x}").unwrap(),
                None => text.push_str(" | -"),
            }
        }
        text.push('\n');
    }
    text
}

#[test]
fn bits_are_those_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/ledger.txt");
    let recorded = parse(&std::fs::read_to_string(&path).unwrap_or_default());
    let mut rows = recorded.clone();
    let (mut computed, mut wrong) = (BTreeSet::new(), Vec::new());
    for backend in backends() {
        let mut ledger = Ledger { backend, hashes: BTreeMap::new() };
        resize::calls(&mut ledger);
        convolution::calls(&mut ledger);
        rearrange::calls(&mut ledger);
        for (name, hash) in ledger.hashes {
            let row = rows.entry(name.clone()).or_default();
            // A backend that the recording machine did not have has nothing to compare with.
            if row[column(backend)].is_some_and(|recorded| recorded != hash) || row.iter().all(Option::is_none) {
                wrong.push(format!("{backend:?}: {name}"));
            }
            row[column(backend)] = Some(hash);
            computed.insert(name);
        }
    }
    println!("{} calls", computed.len());
    if std::env::var_os("UPSAMPLE_RECORD_LEDGER").is_some() {
        rows.retain(|name, _| computed.contains(name));
        std::fs::write(&path, format(&rows)).unwrap();
        return;
    }
    let gone: Vec<_> = recorded.keys().filter(|name| !computed.contains(*name) && (cfg!(feature = "half") || !is_half(name))).collect();
    assert!(gone.is_empty(), "recorded, but no longer called: {gone:#?}");
    assert!(wrong.is_empty(), "{} results differ from those recorded: {wrong:#?}", wrong.len());
}

/// Calls on the element types of the feature `half`.
fn is_half(name: &str) -> bool {
    name.contains("f16")
}
