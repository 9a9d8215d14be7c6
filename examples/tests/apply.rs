//! The example `apply`: what it refuses, in which words, and what it writes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../apply/command.rs"]
mod command;

/// An empty folder for the files of a test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apply").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A file as NumPy writes it.
fn npy(descr: &str, fortran: bool, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let sizes: String = shape.iter().map(|size| format!("{size},")).collect();
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({sizes}), }}");
    [&b"\x93NUMPY\x01\x00\x76\x00"[..], format!("{header:117}\n").as_bytes(), bytes].concat()
}

fn floats(shape: &[usize], values: &[f32]) -> Vec<u8> {
    npy("<f4", false, shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

fn halves(shape: &[usize], bits: &[u16]) -> Vec<u8> {
    npy("<f2", false, shape, &bits.iter().flat_map(|bits| bits.to_le_bytes()).collect::<Vec<_>>())
}

/// Type, shape (as the header has them) and elements of a file that was written.
fn parts(file: &Path) -> (String, String, Vec<u8>) {
    let bytes = fs::read(file).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(end.is_multiple_of(64) && bytes[end - 1] == b'\n', "NumPy aligns elements to 64 bytes");
    let header = std::str::from_utf8(&bytes[10..end]).unwrap().trim_end();
    let (descr, rest) = header.strip_prefix("{'descr': '").unwrap().split_once("', 'fortran_order': False, 'shape': ").unwrap();
    (descr.to_owned(), rest.strip_suffix(", }").unwrap().to_owned(), bytes[end..].to_vec())
}

fn floats_of(file: &Path) -> Vec<f32> {
    let (descr, _, bytes) = parts(file);
    assert_eq!(descr, "<f4");
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

fn halves_of(file: &Path) -> Vec<u16> {
    let (descr, _, bytes) = parts(file);
    assert_eq!(descr, "<f2");
    bytes.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect()
}

/// Runs a command line, in which files stand without their folder.
fn apply(folder: &Path, line: &str) -> Result<Option<String>, String> {
    let in_folder = |word: &str| if word.ends_with(".npy") { folder.join(word).into_os_string() } else { OsString::from(word) };
    command::run(std::iter::once("apply").chain(line.split_whitespace()).map(in_folder))
}

fn write(folder: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// Runs each command line, none of which may touch its output, and compares the messages. Their folder stands in them as nothing.
fn expect_refusals(folder: &Path, command: &str, rows: &[(&str, &str)]) {
    fs::write(folder.join("out.npy"), "old").unwrap();
    let mut wrong = Vec::new();
    for (arguments, expected) in rows {
        let message = match apply(folder, &format!("{command} --output out.npy {arguments}")) {
            Err(message) => message.replace(&format!("{}/", folder.display()), ""),
            Ok(_) => "no refusal".to_owned(),
        };
        if message != *expected || fs::read(folder.join("out.npy")).unwrap() != b"old" {
            wrong.push(format!("{arguments}\n    expected: {expected}\n    found:    {message}"));
            fs::write(folder.join("out.npy"), "old").unwrap();
        }
    }
    let hidden = fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "files that were not finished are gone");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// 1×1×4×4 and others.
fn inputs(name: &str) -> PathBuf {
    let folder = folder(name);
    let ramp: Vec<f32> = (0_u8..16).map(f32::from).collect();
    write(
        &folder,
        &[
            ("x.npy", floats(&[1, 1, 4, 4], &ramp)),
            ("dy.npy", floats(&[1, 1, 8, 8], &[1.0; 64])),
            ("narrow.npy", floats(&[1, 1, 8, 7], &[1.0; 56])),
            ("batch.npy", floats(&[2, 1, 8, 8], &[1.0; 128])),
            ("signal.npy", floats(&[1, 1, 4], &ramp[..4])),
            ("field.npy", floats(&[4, 4], &ramp)),
            ("number.npy", floats(&[], &[1.0])),
            ("flat.npy", floats(&[1, 1, 0, 4], &[])),
            ("w.npy", floats(&[1, 1, 2, 2], &[1.0; 4])),
            ("w2.npy", floats(&[2, 1, 2, 2], &[1.0; 8])),
            ("b.npy", floats(&[1], &[1.0])),
            ("b2.npy", floats(&[2], &[1.0; 2])),
            ("double.npy", npy("<f8", false, &[1, 1, 2, 2], &[0; 32])),
            ("bytes.npy", npy("|u1", false, &[1, 1, 4, 4], &[0; 16])),
            ("long.npy", npy("<i8", false, &[1, 1, 2, 2], &[0; 32])),
            ("big-long.npy", npy(">i8", false, &[1, 1, 2, 2], &[0; 32])),
            ("unsigned.npy", npy("<u4", false, &[1, 1, 2, 2], &[0; 16])),
            ("bool.npy", npy("|b1", false, &[1, 1, 2, 2], &[0; 4])),
            ("complex.npy", npy("<c8", false, &[1, 1, 2, 2], &[0; 32])),
            ("text.npy", npy("<U1", false, &[1, 1, 2, 2], &[0; 16])),
            ("date.npy", npy("<M8[s]", false, &[1, 1, 2, 2], &[0; 32])),
            ("short.npy", npy("<f4", false, &[1, 1, 2, 2], &[0; 15])),
            ("longer.npy", npy("<f4", false, &[1, 1, 2, 2], &[0; 17])),
            ("huge.npy", npy("<f4", false, &[1 << 40, 1 << 40, 1, 1], &[0; 4])),
            ("vast.npy", npy("<f4", false, &[1, 1, 1 << 20, 1 << 20], &[0; 4])),
            ("negative.npy", b"\x93NUMPY\x01\x00\x3a\x00{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }".to_vec()),
            ("fields.npy", b"\x93NUMPY\x01\x00\x48\x00{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1, 1), }  ".to_vec()),
            ("cut.npy", floats(&[1], &[1.0])[..40].to_vec()),
            ("words.npy", b"not an array at all".to_vec()),
            ("empty.npy", Vec::new()),
        ],
    );
    folder
}

#[test]
fn resize_refuses_in_one_line() {
    let folder = inputs("resize-refusals");
    let rows = [
        ("--method linear --size 8", "error: the following required arguments were not provided: --input <INPUT>"),
        ("--input x.npy --size 8", "error: the following required arguments were not provided: --method <METHOD>"),
        ("--input x.npy --method linear", "neither --size nor --scale is given: one of them is needed"),
        ("--input x.npy --method linear --size 8 --scale 2", "--size and --scale exclude each other: give one of them"),
        ("--input x.npy --method linear --size 8.5", "error: invalid value '8.5' for '--size <SIZE>': invalid digit found in string"),
        ("--input x.npy --method linear --size -8", "error: invalid value '-8' for '--size <SIZE>': invalid digit found in string"),
        (
            "--input x.npy --method linear --size 8,8,8",
            "--size (or --scale) has 3 entries, expected one, or one for each of the 2 resized axes",
        ),
        (
            "--input x.npy --method linear --scale 2,2,2",
            "--scale (or --size) has 3 entries, expected one, or one for each of the 2 resized axes",
        ),
        ("--input x.npy --method linear --size 8,0", "--size: output: the width axis has size 0; it must be at least 1"),
        ("--input x.npy --method linear --scale 0", "--scale: scale of the height axis is 0; it must be a positive finite number"),
        ("--input x.npy --method linear --scale 1,-1", "--scale: scale of the width axis is -1; it must be a positive finite number"),
        ("--input x.npy --method linear --scale nan", "--scale: scale of the height axis is NaN; it must be a positive finite number"),
        ("--input x.npy --method linear --scale 0.1", "--scale: scale 0.1 makes the height axis of size 4 shorter than one pixel"),
        ("--input x.npy --method linear --size 8 --recompute-scale", "--recompute-scale goes with --scale, not with --size"),
        ("--input x.npy --method linear --size 8 --scale-rule round", "--scale-rule goes with --scale, not with --size"),
        ("--input x.npy --method linear --scale 2 --keep-aspect not-larger", "--keep-aspect goes with --size, not with --scale"),
        ("--input x.npy --method linear --scale 2 --keep-aspect not-smaller", "--keep-aspect goes with --size, not with --scale"),
        ("--input x.npy --method linear --scale 2 --rounding floor", "--rounding goes with --method nearest"),
        ("--input x.npy --method nearest-exact --scale 2 --rounding floor", "--rounding goes with --method nearest"),
        ("--input x.npy --method nearest-integer --scale 2 --rounding floor", "--rounding goes with --method nearest"),
        (
            "--input x.npy --method nearest-exact --scale 2 --coordinates asymmetric",
            "--coordinates goes with --method nearest: this method has positions of its own",
        ),
        (
            "--input x.npy --method nearest-integer --scale 2 --coordinates half-pixel",
            "--coordinates goes with --method nearest: this method has positions of its own",
        ),
        (
            "--input x.npy --method area --scale 2 --coordinates half-pixel",
            "--coordinates has no meaning for --method area, which averages what it touches",
        ),
        ("--input x.npy --method linear --scale 2 --cubic-a -0.5", "--cubic-a goes with --method cubic"),
        ("--input x.npy --method nearest --scale 2 --cubic-a -0.5", "--cubic-a goes with --method cubic"),
        ("--input x.npy --method area --scale 2 --cubic-a -0.5", "--cubic-a goes with --method cubic"),
        (
            "--input x.npy --method nearest --scale 2 --antialias",
            "--antialias goes with methods that have a filter, not with nearest or area",
        ),
        (
            "--input x.npy --method nearest-exact --scale 2 --antialias",
            "--antialias goes with methods that have a filter, not with nearest or area",
        ),
        ("--input x.npy --method area --scale 2 --antialias", "--antialias goes with methods that have a filter, not with nearest or area"),
        (
            "--input x.npy --method nearest --scale 2 --exclude-outside",
            "--exclude-outside goes with methods that have a filter, not with nearest or area",
        ),
        (
            "--input x.npy --method area --scale 2 --exclude-outside",
            "--exclude-outside goes with methods that have a filter, not with nearest or area",
        ),
        ("--input x.npy --method linear --scale 2 --roi 0,0,1,1", "--roi goes with --coordinates tf-crop-and-resize"),
        (
            "--input x.npy --method linear --scale 2 --coordinates tf-crop-and-resize",
            "--coordinates tf-crop-and-resize needs --roi: the starts of the resized axes, then their ends",
        ),
        (
            "--input x.npy --method linear --scale 2 --coordinates tf-crop-and-resize --roi 0,1",
            "--roi has 2 entries, expected the starts of the 2 resized axes, then their ends",
        ),
        (
            "--input x.npy --method linear --scale 2 --extrapolation 9",
            "--extrapolation goes with --coordinates tf-crop-and-resize: otherwise no position lies outside",
        ),
        (
            "--input x.npy --method linear --scale 2 --extrapolation 9 --coordinates half-pixel",
            "--extrapolation goes with --coordinates tf-crop-and-resize: otherwise no position lies outside",
        ),
        ("--input x.npy --method linear --scale 2 --axes 7", "--axes: axis 7: the array has 4 axes"),
        ("--input x.npy --method linear --scale 2 --axes 1,-5", "--axes: axis -5: the array has 4 axes"),
        ("--input x.npy --method linear --scale 2 --axes 1,-3", "--axes: axis -3 is named twice"),
        ("--input x.npy --method linear --scale 2 --axes 0,1,2,3", "--axes names 4 axes, at most 3 can be resized at a time"),
        (
            "--input field.npy --method linear --scale 2",
            "field.npy: an array of 2 axes, expected 3 (N,C,L), 4 (N,C,H,W) or 5 (N,C,D,H,W), or --axes",
        ),
        (
            "--input number.npy --method linear --scale 2",
            "number.npy: an array of 0 axes, expected 3 (N,C,L), 4 (N,C,H,W) or 5 (N,C,D,H,W), or --axes",
        ),
        ("--input number.npy --method linear --scale 2 --axes 0", "--axes: axis 0: the array has 0 axes"),
        ("--input flat.npy --method linear --scale 2", "flat.npy: the height axis has size 0; it must be at least 1"),
    ];
    expect_refusals(&folder, "resize", &rows);
}

#[test]
fn resize_names_files_and_types() {
    let folder = inputs("resize-files");
    fs::create_dir(folder.join("folder.npy")).unwrap();
    let takes = |file: &str, kind: &str| {
        format!("{file} holds {kind}: only nearest takes it; the other methods take <f2, <f4, <f8, |u1, <u2, |i1, <i2 and <i4")
    };
    let mut rows = Vec::new();
    for (file, kind) in [("long", "<i8"), ("big-long", "<i8"), ("unsigned", "<u4"), ("bool", "|b1"), ("complex", "<c8")]
        .map(|(name, kind)| (format!("{name}.npy"), kind))
    {
        rows.push((format!("--input {file} --method linear --scale 2"), takes(&file, kind)));
        rows.push((format!("--input {file} --method area --size 1"), takes(&file, kind)));
    }
    for (file, kind) in [("bytes.npy", "|u1"), ("long.npy", "<i8"), ("bool.npy", "|b1")] {
        let line = format!("--input x.npy --gradient {file} --method linear --size 4");
        rows.push((line, format!("{file} holds {kind}: gradients exist for <f2, <f4 and <f8")));
    }
    let gradients = [
        ("narrow.npy", "narrow.npy: axis 3 has size 7, expected 8"),
        ("batch.npy", "batch.npy: axis 0 has size 2, expected 1"),
        ("signal.npy", "signal.npy: an array of 3 axes, expected 4"),
    ];
    rows.extend(
        gradients.map(|(file, expected)| (format!("--input x.npy --gradient {file} --method linear --scale 2"), expected.to_owned())),
    );
    let unreadable = [
        ("missing.npy", "No such file or directory (os error 2)"),
        ("folder.npy", "Is a directory (os error 21)"),
        ("words.npy", "not an .npy file"),
        ("empty.npy", "not an .npy file"),
        ("cut.npy", "not an .npy file: it ends within its header"),
        ("short.npy", "15 bytes follow the header, its shape [1, 1, 2, 2] of <f4 needs 16"),
        ("longer.npy", "more bytes follow the header, its shape [1, 1, 2, 2] of <f4 needs 16"),
        ("huge.npy", "the shape [1099511627776, 1099511627776, 1, 1] is larger than memory can be"),
        ("vast.npy", "4 bytes follow the header, its shape [1, 1, 1048576, 1048576] of <f4 needs 4398046511104"),
        ("negative.npy", "the header's shape has the size -1"),
        ("fields.npy", "elements of several fields are not supported"),
        ("text.npy", "elements of type <U1 are not supported: expected bool, integers, floats or complex numbers"),
        ("date.npy", "elements of type <M8[s] are not supported: expected bool, integers, floats or complex numbers"),
    ];
    rows.extend(unreadable.map(|(file, expected)| (format!("--input {file} --method nearest --scale 2"), format!("{file}: {expected}"))));
    let rows: Vec<(&str, &str)> = rows.iter().map(|(line, expected)| (line.as_str(), expected.as_str())).collect();
    expect_refusals(&folder, "resize", &rows);
}

#[test]
fn conv_transpose_refuses_in_one_line() {
    let folder = inputs("conv-transpose-refusals");
    let rows = [
        ("--input x.npy", "error: the following required arguments were not provided: --weight <WEIGHT>"),
        ("--input x.npy --weight w.npy --gradient dy.npy", "error: the following required arguments were not provided: --of <OF>"),
        ("--input x.npy --weight w.npy --of input", "error: the following required arguments were not provided: --gradient <GRADIENT>"),
        (
            "--input x.npy --weight w.npy --precision exact",
            "error: invalid value 'exact' for '--precision <PRECISION>' [possible values: standard, reduced, strict]",
        ),
        (
            "--input x.npy --weight w.npy --bias b.npy --gradient dy.npy --of input --stride 2",
            "--bias does not go with --gradient: no gradient depends on it",
        ),
        (
            "--input x.npy --weight w.npy --padding 1 --auto-pad same-upper",
            "--padding does not go with --auto-pad, which computes the padding: give one of them",
        ),
        (
            "--input x.npy --weight w.npy --padding 0,1 --output-shape 4",
            "--padding does not go with --output-shape, which computes the padding: give one of them",
        ),
        (
            "--input x.npy --weight w.npy --auto-pad valid --output-shape 4",
            "--auto-pad valid does not go with --output-shape, which computes the padding",
        ),
        ("--input x.npy --weight w.npy --stride 0", "stride of the height axis is 0; it must be at least 1"),
        ("--input x.npy --weight w.npy --stride 1,1,1", "stride has 3 entries, expected one for each of the 2 axes"),
        ("--input x.npy --weight double.npy", "x.npy holds <f4, double.npy <f8: all files of a call must have one type"),
        ("--input x.npy --weight w.npy --bias double.npy", "x.npy holds <f4, double.npy <f8: all files of a call must have one type"),
        (
            "--input x.npy --weight w.npy --gradient bytes.npy --of bias",
            "x.npy holds <f4, bytes.npy |u1: all files of a call must have one type",
        ),
        ("--input bytes.npy --weight bytes.npy", "bytes.npy holds |u1: conv-transpose computes with <f2, <f4 and <f8"),
        ("--input long.npy --weight long.npy", "long.npy holds <i8: conv-transpose computes with <f2, <f4 and <f8"),
        ("--input field.npy --weight w.npy", "field.npy: an array of 2 axes, expected 3 (N,C,L), 4 (N,C,H,W) or 5 (N,C,D,H,W)"),
        ("--input number.npy --weight w.npy", "number.npy: an array of 0 axes, expected 3 (N,C,L), 4 (N,C,H,W) or 5 (N,C,D,H,W)"),
        ("--input signal.npy --weight w.npy", "w.npy: an array of 4 axes, expected 3"),
        ("--input x.npy --weight w.npy --bias w.npy", "w.npy: an array of 4 axes, expected 1"),
        ("--input x.npy --weight w.npy --bias b2.npy", "b2.npy: the channel axis has size 2, expected 1"),
        ("--input x.npy --weight w2.npy", "x.npy: the channel axis has size 1, expected 2"),
        ("--input x.npy --weight w.npy --stride 2 --gradient narrow.npy --of weight", "narrow.npy: the width axis has size 7, expected 8"),
        (
            "--input x.npy --weight w.npy --stride 2 --gradient batch.npy --of bias",
            "batch.npy: the batch axis has size 2, expected 1, that of x.npy",
        ),
        (
            "--input x.npy --weight w2.npy --stride 2 --gradient dy.npy --of bias",
            "w2.npy: the first axis has size 2, expected 1, the channels of x.npy",
        ),
    ];
    expect_refusals(&folder, "conv-transpose", &rows);
}

/// Elements of every type come out as they went in, little-endian; `parts` is how many numbers an element has.
#[test]
fn nearest_copies_every_type() {
    let folder = folder("types");
    let mut kinds = vec![("b".to_owned(), 1, 1)];
    kinds.extend([1, 2, 4, 8].iter().flat_map(|&size| [("i".to_owned(), size, 1), ("u".to_owned(), size, 1)]));
    kinds.extend([2, 4, 8].map(|size| ("f".to_owned(), size, 1)));
    kinds.extend([8, 16].map(|size| ("c".to_owned(), size, 2)));
    for (class, size, parts_of) in kinds {
        let element = |index: usize| -> Vec<u8> {
            (0..size).map(|byte| if class == "b" { index as u8 % 2 } else { (index * 16 + byte + 1) as u8 }).collect()
        };
        for (order, reversed) in [("<", false), (">", true), ("=", cfg!(target_endian = "big"))] {
            for fortran in [false, true] {
                // 1×1×2×3; in Fortran order the columns follow each other.
                let places = if fortran { [0, 3, 1, 4, 2, 5] } else { [0, 1, 2, 3, 4, 5] };
                let mut bytes: Vec<u8> = places.iter().flat_map(|&index| element(index)).collect();
                if reversed {
                    bytes.chunks_exact_mut(size / parts_of).for_each(<[u8]>::reverse);
                }
                let order = if size == 1 { "|" } else { order };
                write(&folder, &[("x.npy", npy(&format!("{order}{class}{size}"), fortran, &[1, 1, 2, 3], &bytes))]);
                apply(&folder, "resize --input x.npy --output y.npy --method nearest --scale 1,2").unwrap();
                let expected: Vec<u8> = (0..12).flat_map(|index| element(index / 2)).collect();
                let descr = format!("{}{class}{size}", if size == 1 { "|" } else { "<" });
                assert_eq!(parts(&folder.join("y.npy")), (descr, "(1, 1, 2, 6)".to_owned(), expected), "{order}{class}{size} {fortran}");
            }
        }
    }
}

/// What lies outside the region, in types that the crate does not compute with.
#[test]
fn nearest_extrapolates_every_type() {
    let folder = folder("extrapolation");
    let line = "resize --input x.npy --output y.npy --method nearest --size 2 --coordinates tf-crop-and-resize --roi 0,1.5";
    for (descr, inside, value, outside) in [
        ("|b1", vec![1], "", vec![0]),
        ("|b1", vec![0], "--extrapolation 0.5", vec![1]),
        ("<u4", vec![1; 4], "--extrapolation 258", vec![2, 1, 0, 0]),
        ("<u4", vec![1; 4], "--extrapolation -1", vec![0; 4]),
        ("<u8", vec![1; 8], "--extrapolation 258", vec![2, 1, 0, 0, 0, 0, 0, 0]),
        ("<i8", vec![1; 8], "--extrapolation -2", [vec![254], vec![255; 7]].concat()),
        ("<f2", vec![1; 2], "--extrapolation -2", vec![0x00, 0xc0]),
        ("<f4", vec![1; 4], "--extrapolation -2", (-2_f32).to_le_bytes().to_vec()),
        ("<c8", vec![1; 8], "--extrapolation -2", [(-2_f32).to_le_bytes(), [0; 4]].concat()),
        ("<c16", vec![1; 16], "--extrapolation -2", [(-2_f64).to_le_bytes(), [0; 8]].concat()),
    ] {
        write(&folder, &[("x.npy", npy(descr, false, &[1, 1, 2], &[inside.clone(), inside.clone()].concat()))]);
        apply(&folder, &format!("{line} {value}")).unwrap();
        let expected = (descr.to_owned(), "(1, 1, 2)".to_owned(), [inside, outside].concat());
        assert_eq!(parts(&folder.join("y.npy")), expected, "{descr} {value}");
    }
}

#[test]
fn options_do_what_they_say() {
    let folder = folder("options");
    write(
        &folder,
        &[
            ("x.npy", floats(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0])),
            ("five.npy", floats(&[1, 1, 5], &[0.0, 1.0, 2.0, 3.0, 4.0])),
            ("field.npy", floats(&[2, 1], &[1.0, 3.0])),
            ("w.npy", floats(&[1, 1, 2, 2], &[1.0; 4])),
            ("no-batch.npy", floats(&[0, 1, 2, 2], &[])),
            ("dy.npy", floats(&[1, 1, 4, 4], &[1.0; 16])),
            ("labels.npy", npy("|b1", false, &[1, 1, 2, 2], &[0; 4])),
        ],
    );
    let doubled = vec![1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 3.0, 3.0, 4.0, 4.0];
    for (line, shape, expected) in [
        ("resize --input x.npy --method nearest --size 4", "(1, 1, 4, 4)", doubled.clone()),
        ("resize --input x.npy --method nearest --scale 2", "(1, 1, 4, 4)", doubled.clone()),
        ("resize --input x.npy --method nearest --scale 2,1", "(1, 1, 4, 2)", vec![1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]),
        ("resize --input five.npy --method nearest --scale 1.5 --scale-rule floor", "(1, 1, 7)", vec![0.0, 0.0, 1.0, 2.0, 2.0, 3.0, 4.0]),
        (
            "resize --input five.npy --method nearest --scale 1.5 --scale-rule round",
            "(1, 1, 8)",
            vec![0.0, 0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0],
        ),
        ("resize --input x.npy --method nearest --scale 1 --keep-aspect stretch", "(1, 1, 2, 2)", vec![1.0, 2.0, 3.0, 4.0]),
        ("resize --input x.npy --method nearest --size 3,2 --keep-aspect not-larger", "(1, 1, 2, 2)", vec![1.0, 2.0, 3.0, 4.0]),
        ("resize --input field.npy --method linear --size 1 --axes -2", "(1, 1)", vec![2.0]),
        ("resize --input field.npy --method nearest --size 2,2 --axes 1,0", "(2, 2)", vec![1.0, 1.0, 3.0, 3.0]),
        ("resize --input no-batch.npy --method linear --scale 2", "(0, 1, 4, 4)", vec![]),
        ("resize --input x.npy --method nearest --scale 2 --gradient dy.npy", "(1, 1, 2, 2)", vec![4.0; 4]),
        ("resize --input labels.npy --method nearest --scale 2 --gradient dy.npy", "(1, 1, 2, 2)", vec![4.0; 4]),
        ("conv-transpose --input x.npy --weight w.npy --stride 2", "(1, 1, 4, 4)", doubled.clone()),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --precision strict", "(1, 1, 4, 4)", doubled.clone()),
        ("conv-transpose --input x.npy --weight w.npy --stride 2,2 --precision standard", "(1, 1, 4, 4)", doubled.clone()),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --padding 0 --auto-pad same-upper", "(1, 1, 4, 4)", doubled.clone()),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --output-shape 4", "(1, 1, 4, 4)", doubled),
        ("conv-transpose --input no-batch.npy --weight w.npy --stride 2", "(0, 1, 4, 4)", vec![]),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --gradient dy.npy --of input", "(1, 1, 2, 2)", vec![4.0; 4]),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --gradient dy.npy --of weight", "(1, 1, 2, 2)", vec![10.0; 4]),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --gradient dy.npy --of bias", "(1,)", vec![16.0]),
    ] {
        let answer = apply(&folder, &format!("{line} --output y.npy"));
        assert_eq!(answer, Ok(None), "{line}");
        assert_eq!(parts(&folder.join("y.npy")).1, shape, "{line}");
        assert_eq!(floats_of(&folder.join("y.npy")), expected, "{line}");
    }
}

/// In bits: 0x3c00 is 1, 0x3c01 the next larger, 0x3400 a quarter.
#[test]
fn halves_are_rounded_to_nearest_even() {
    let folder = folder("halves");
    write(
        &folder,
        &[
            ("x.npy", halves(&[1, 1, 2], &[0x0000, 0x3c00])),
            ("even.npy", halves(&[1, 1, 2], &[0x3c00, 0x3c01])),
            ("odd.npy", halves(&[1, 1, 2], &[0x3c01, 0x3c02])),
            ("w.npy", halves(&[1, 1, 2], &[0x3c00, 0x3800])),
            ("b.npy", halves(&[1], &[0x3400])),
            ("dy.npy", halves(&[1, 1, 4], &[0x3c00; 4])),
            ("big.npy", npy(">f2", false, &[1, 1, 2], &[0x00, 0x00, 0x3c, 0x00])),
        ],
    );
    for (line, expected) in [
        ("resize --input x.npy --method linear --scale 2", vec![0x0000, 0x3400, 0x3a00, 0x3c00]),
        ("resize --input big.npy --method linear --scale 2", vec![0x0000, 0x3400, 0x3a00, 0x3c00]),
        ("resize --input even.npy --method area --size 1", vec![0x3c00]),
        ("resize --input odd.npy --method area --size 1", vec![0x3c02]),
        ("resize --input x.npy --method nearest --scale 2", vec![0x0000, 0x0000, 0x3c00, 0x3c00]),
        ("resize --input x.npy --method nearest --scale 2 --gradient dy.npy", vec![0x4000, 0x4000]),
        ("conv-transpose --input x.npy --weight w.npy --bias b.npy --stride 2", vec![0x3400, 0x3400, 0x3d00, 0x3a00]),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --gradient dy.npy --of input", vec![0x3e00, 0x3e00]),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --gradient dy.npy --of weight", vec![0x3c00, 0x3c00]),
        ("conv-transpose --input x.npy --weight w.npy --stride 2 --gradient dy.npy --of bias", vec![0x4400]),
    ] {
        assert_eq!(apply(&folder, &format!("{line} --output y.npy")), Ok(None), "{line}");
        assert_eq!(halves_of(&folder.join("y.npy")), expected, "{line}");
    }
}

#[test]
fn files_are_replaced_whole() {
    let folder = folder("files");
    let x = floats(&[1, 1, 1], &[7.0]);
    write(&folder, &[("x.npy", x.clone()), ("y.npy", b"old".to_vec()), ("z.npy", b"old".to_vec())]);
    let line = |input: &str, output: &str| format!("resize --input {input} --output {output} --method nearest --size 2");
    // Over the input, over a file and over what a link leads to.
    apply(&folder, &line("x.npy", "y.npy")).unwrap();
    assert_eq!(floats_of(&folder.join("y.npy")), [7.0, 7.0]);
    apply(&folder, &line("x.npy", "x.npy")).unwrap();
    assert_eq!(floats_of(&folder.join("x.npy")), [7.0, 7.0]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("z.npy", folder.join("link.npy")).unwrap();
        apply(&folder, &line("x.npy", "link.npy")).unwrap();
        assert_eq!(floats_of(&folder.join("z.npy")), [7.0, 7.0]);
        assert!(folder.join("link.npy").is_symlink());
        assert_eq!(command::run(["apply".into()].into_iter().chain(to_null(&folder))), Ok(None));
    }
    let missing = apply(&folder, &line("x.npy", "no-folder/y.npy")).unwrap_err();
    assert!(missing.ends_with("no-folder/y.npy: No such file or directory (os error 2)"), "{missing}");
    let directory = apply(&folder, &format!("resize --input x.npy --output {} --method nearest --size 2", folder.display())).unwrap_err();
    assert!(directory.ends_with("files: Is a directory (os error 21)"), "{directory}");
    assert!(fs::read_dir(&folder).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with('.')));
}

/// What is no file is written to, not replaced.
#[cfg(unix)]
fn to_null(folder: &Path) -> Vec<OsString> {
    let input = folder.join("x.npy").into_os_string();
    let words = ["--output", "/dev/null", "--method", "nearest", "--size", "2"].map(OsString::from);
    [OsString::from("resize"), "--input".into(), input].into_iter().chain(words).collect()
}

#[test]
fn help_is_no_refusal() {
    for line in ["--help", "resize --help", "conv-transpose --help", "--version"] {
        assert!(apply(Path::new(""), line).unwrap().is_some(), "{line}");
    }
    for (line, expected) in
        [("", "no operator is named: resize or conv-transpose"), ("frobnicate", "error: unrecognized subcommand 'frobnicate'")]
    {
        let message = apply(Path::new(""), line).unwrap_err();
        assert!(message.contains(expected) && !message.contains('\n'), "{message}");
    }
}

/// Messages of the crate that `apply` has none of its own for.
#[test]
fn axes_are_named_once() {
    let x = ndarray::Array4::<f32>::ones((1, 1, 2, 2)).into_dyn();
    let error = upsample::Resize::linear().resize_axes(x.view(), &[7], &upsample::AxesTarget::Size(vec![4])).unwrap_err();
    assert_eq!(error.to_string(), "axis 7 must be below the array's rank 4 and named once");
}

/// `apply` reads 16-bit floats as `f32` and rounds them when it writes: these are the bits of the crate's own `f16`.
#[cfg(feature = "half")]
mod crates_own_halves {
    use half::f16;
    use ndarray::{Array1, Array4, ArrayD};
    use upsample::{ConvTranspose, Filter, Precision, Resize};

    use super::*;

    fn noise(shape: (usize, usize, usize, usize), seed: u32) -> Array4<f16> {
        let mut state = seed;
        Array4::from_shape_simple_fn(shape, || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f16::from_f32((state >> 8) as f32 / 8_388_608.0 - 1.0)
        })
    }

    fn save(folder: &Path, name: &str, array: &ArrayD<f16>) {
        let bits: Vec<u16> = array.iter().map(|value| value.to_bits()).collect();
        write(folder, &[(name, halves(array.shape(), &bits))]);
    }

    fn expect(folder: &Path, line: &str, expected: &ArrayD<f16>) {
        assert_eq!(apply(folder, &format!("{line} --output y.npy")), Ok(None), "{line}");
        let expected: Vec<u16> = expected.iter().map(|value| value.to_bits()).collect();
        assert_eq!(halves_of(&folder.join("y.npy")), expected, "{line}");
    }

    #[test]
    fn resizing() {
        let folder = folder("own-halves-resizing");
        let (x, dy) = (noise((2, 3, 13, 9), 1), noise((2, 3, 20, 31), 2));
        save(&folder, "x.npy", &x.clone().into_dyn());
        save(&folder, "dy.npy", &dy.clone().into_dyn());
        for (name, resize) in [
            ("nearest", Resize::nearest()),
            ("nearest-exact", Resize::nearest_exact()),
            ("linear", Resize::linear()),
            ("cubic", Resize::cubic()),
            ("area", Resize::area()),
            ("lanczos3", Resize::filter(Filter::Lanczos { lobes: 3 })),
            ("linear --antialias", Resize::linear().antialias(true)),
        ] {
            let larger = resize.plan([13, 9], [20, 31]).unwrap();
            let smaller = resize.plan([13, 9], [5, 4]).unwrap();
            let line = |rest: &str| format!("resize --input x.npy --method {name} {rest}");
            expect(&folder, &line("--size 20,31"), &larger.forward(&x).unwrap().into_dyn());
            expect(&folder, &line("--size 5,4"), &smaller.forward(&x).unwrap().into_dyn());
            expect(&folder, &line("--size 20,31 --gradient dy.npy"), &larger.input_gradient(&dy).unwrap().into_dyn());
        }
    }

    /// One small, and one that is computed with fewer multiplications where that is allowed.
    #[test]
    fn convolving() {
        let folder = folder("own-halves-convolving");
        for (inner, outer) in [(3, 2), (32, 32)] {
            let (x, weight) = (noise((2, inner, 12, 11), 3), noise((inner, outer, 4, 4), 4));
            let (dy, bias) = (noise((2, outer, 24, 22), 5), Array1::from_elem(outer, f16::from_f32(0.3)));
            for (name, array) in [("x.npy", &x), ("w.npy", &weight), ("dy.npy", &dy)] {
                save(&folder, name, &array.clone().into_dyn());
            }
            save(&folder, "b.npy", &bias.clone().into_dyn());
            for (name, precision) in [("standard", Precision::Standard), ("reduced", Precision::Reduced), ("strict", Precision::Strict)] {
                let plan = ConvTranspose::new().stride(2).padding(1).precision(precision).plan([12, 11], [4, 4]).unwrap();
                let line =
                    |rest: &str| format!("conv-transpose --input x.npy --weight w.npy --stride 2 --padding 1 --precision {name} {rest}");
                expect(&folder, &line("--bias b.npy"), &plan.forward(&x, &weight, Some(&bias)).unwrap().into_dyn());
                expect(&folder, &line("--gradient dy.npy --of input"), &plan.input_gradient(&dy, &weight).unwrap().into_dyn());
                expect(&folder, &line("--gradient dy.npy --of weight"), &plan.weight_gradient(&x, &dy).unwrap().into_dyn());
                expect(&folder, &line("--gradient dy.npy --of bias"), &plan.bias_gradient(&dy).unwrap().into_dyn());
            }
        }
    }
}
