//! The numbers of PyTorch and of the ONNX standard's own tests, bit for bit: nothing is computed, only moved.

use std::fs::File;

use ndarray::{Array, Array1, Array4, ArrayD, Dimension, Ix3, Ix4, Ix5};
use ndarray_npy::{NpzReader, ReadableElement};
use serde_json::Value;
use upsample::output_size::{Window, conv_transpose};
use upsample::rearrange::{ChannelOrder, IndexSpace, MaxPool, MaxUnpool, pixel_shuffle, pixel_unshuffle};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

fn json(path: &str) -> Vec<Value> {
    serde_json::from_reader(File::open(format!("{DATA}/{path}")).unwrap()).unwrap()
}

fn npz(path: &str) -> NpzReader<File> {
    NpzReader::new(File::open(format!("{DATA}/{path}")).unwrap()).unwrap()
}

fn read<A: ReadableElement, D: Dimension>(npz: &mut NpzReader<File>, name: &str) -> Array<A, D> {
    let array: ArrayD<A> = npz.by_name(&format!("{name}.npy")).unwrap_or_else(|error| panic!("{name}: {error}"));
    array.into_dimensionality().unwrap()
}

fn sizes<const N: usize>(value: &Value) -> [usize; N] {
    let all: Vec<usize> = value.as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect();
    all.try_into().unwrap()
}

/// Equal, or both NaN.
#[track_caller]
fn assert_same<D: Dimension>(name: &str, found: &Array<f32, D>, expected: &Array<f32, D>) {
    assert_eq!(found.shape(), expected.shape(), "{name}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(found == expected || found.is_nan() && expected.is_nan(), "{name}: element {index} is {found}, expected {expected}");
    }
}

#[test]
fn onnx_depth_to_space_and_space_to_depth() {
    let mut seen = 0;
    for case in json("onnx/manifest.json") {
        let (name, op) = (case["name"].as_str().unwrap(), case["op"].as_str().unwrap());
        if !["DepthToSpace", "SpaceToDepth"].contains(&op) {
            continue;
        }
        let mut file = npz(&format!("onnx/{name}.npz"));
        let (x, expected): (Array4<f32>, Array4<f32>) = (read(&mut file, "in_0"), read(&mut file, "out_0"));
        let block = case["attributes"]["blocksize"].as_u64().unwrap() as usize;
        let order = match case["attributes"]["mode"].as_str() {
            Some("CRD") => ChannelOrder::ChannelFirst,
            Some("DCR") | None => ChannelOrder::DepthFirst,
            Some(other) => panic!("{other}"),
        };
        let y = if op == "DepthToSpace" { pixel_shuffle(&x, block, order) } else { pixel_unshuffle(&x, block, order) };
        assert_same(name, &y.unwrap(), &expected);
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn onnx_max_unpool() {
    let mut seen = 0;
    for case in json("onnx/manifest.json").into_iter().filter(|case| case["op"] == "MaxUnpool") {
        let name = case["name"].as_str().unwrap();
        let mut file = npz(&format!("onnx/{name}.npz"));
        let x: Array4<f32> = read(&mut file, "in_0");
        let indices: Array4<i64> = read(&mut file, "in_1");
        let (kernel, stride) = (sizes::<2>(&case["attributes"]["kernel_shape"]), sizes::<2>(&case["attributes"]["strides"]));
        let inferred = [0, 1].map(|axis| conv_transpose(x.shape()[axis + 2], &Window::new(kernel[axis]).stride(stride[axis])).unwrap());
        let size = match case["inputs"].get("2") {
            Some(_) => {
                let shape: Array1<i64> = read(&mut file, "in_2");
                [shape[2] as usize, shape[3] as usize]
            }
            None => inferred,
        };
        let unpool = MaxUnpool::to(size).index_space(IndexSpace::Tensor).counted_in(inferred);
        assert_same(name, &unpool.forward(&x, &indices).unwrap(), &read(&mut file, "out_0"));
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn pytorch_pixel_shuffle() {
    let mut file = npz("rearrange.npz");
    for (case, params) in json("rearrange.json").iter().enumerate().filter(|(_, params)| params["op"] == "pixel_shuffle") {
        let block = params["block"].as_u64().unwrap() as usize;
        let (x, y): (Array4<f32>, Array4<f32>) = (read(&mut file, &format!("{case}/x")), read(&mut file, &format!("{case}/y")));
        assert_same(&format!("block {block}"), &pixel_shuffle(&x, block, ChannelOrder::ChannelFirst).unwrap(), &y);
        assert_same(&format!("block {block}, back"), &pixel_unshuffle(&y, block, ChannelOrder::ChannelFirst).unwrap(), &x);
    }
}

/// The tests of one rank, whose array types differ.
macro_rules! pooling {
    ($name:ident, $rank:literal, $dim:ty, $pools:literal, $unpools:literal) => {
        #[test]
        fn $name() {
            let mut file = npz("rearrange.npz");
            let (mut pools, mut unpools) = (0, 0);
            for (case, params) in json("rearrange.json").iter().enumerate() {
                if params.get("kernel").is_none_or(|kernel| kernel.as_array().unwrap().len() != $rank) {
                    continue;
                }
                let name = format!("case {case}: {params}");
                let mut tensor = |name: &str| read::<f32, $dim>(&mut file, &format!("{case}/{name}"));
                if params["op"] == "max_unpool" {
                    let (y, z, dz, dy) = (tensor("y"), tensor("z"), tensor("dz"), tensor("dy"));
                    let indices: Array<i64, $dim> = read(&mut file, &format!("{case}/indices"));
                    let unpool = MaxUnpool::<$rank>::to(z.shape()[2..].try_into().unwrap());
                    assert_same(&name, &unpool.forward(&y, &indices).unwrap(), &z);
                    assert_same(&name, &unpool.input_gradient(&dz, &indices).unwrap(), &dy);
                    unpools += 1;
                } else {
                    let (x, y, dy, dx) = (tensor("x"), tensor("y"), tensor("dy"), tensor("dx"));
                    let indices: Array<i64, $dim> = read(&mut file, &format!("{case}/indices"));
                    let pool = MaxPool::<$rank>::new(sizes::<$rank>(&params["kernel"]))
                        .stride(sizes::<$rank>(&params["stride"]))
                        .padding(sizes::<$rank>(&params["padding"]))
                        .dilation(sizes::<$rank>(&params["dilation"]))
                        .ceil_mode(params["ceil_mode"].as_bool().unwrap());
                    let (found, found_indices) = pool.forward(&x).unwrap();
                    assert_same(&name, &found, &y);
                    assert_eq!(found_indices, indices, "{name}");
                    let size: [usize; $rank] = x.shape()[2..].try_into().unwrap();
                    let found = pool.input_gradient(&dy, &indices, size).unwrap();
                    for (found, expected) in found.iter().zip(&dx) {
                        assert!((found - expected).abs() < 1e-5, "{name}: {found} {expected}"); // sums in another order
                    }
                    pools += 1;
                }
            }
            assert_eq!((pools, unpools), ($pools, $unpools));
        }
    };
}
pooling!(pytorch_pooling_of_signals, 1, Ix3, 9, 1);
pooling!(pytorch_pooling_of_pictures, 2, Ix4, 21, 2);
pooling!(pytorch_pooling_of_volumes, 3, Ix5, 6, 1);
