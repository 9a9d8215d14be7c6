//! Every Resize and Upsample test of the ONNX standard, through the public API.

use common::{difference, json, npz, read};
use ndarray::ArrayD;
use serde_json::Value;
use upsample::{AspectRatio, AxesTarget, Coordinates, PerAxis, Profile, Resize, Rounding};

fn attribute<'a>(case: &'a Value, name: &str, default: &'a str) -> &'a str {
    case["attributes"][name].as_str().unwrap_or(default)
}

/// The description that a node stands for; `roi` holds starts, then ends, of `axes`.
fn description(case: &Value, roi: &[f64]) -> Resize {
    let attributes = &case["attributes"];
    let cubic = attributes["cubic_coeff_a"].as_f64();
    let mut resize = match attribute(case, "mode", "nearest") {
        "nearest" => Resize::nearest(),
        "linear" => Resize::linear(),
        "cubic" => cubic.map_or(Resize::cubic(), |a| Resize::cubic().cubic_coefficient(a)),
        mode => panic!("{mode}"),
    };
    resize = resize.profile(Profile::Onnx);
    if let Some(mode) = attributes["coordinate_transformation_mode"].as_str() {
        let count = roi.len() / 2;
        resize = resize.coordinates(match mode {
            "half_pixel" => PerAxis::All(Coordinates::HalfPixel),
            "half_pixel_symmetric" => PerAxis::All(Coordinates::HalfPixelSymmetric),
            "pytorch_half_pixel" => PerAxis::All(Coordinates::PytorchHalfPixel),
            "align_corners" => PerAxis::All(Coordinates::AlignCorners),
            "asymmetric" => PerAxis::All(Coordinates::Asymmetric),
            "tf_crop_and_resize" => {
                PerAxis::Each((0..count).map(|axis| Coordinates::TfCropAndResize { start: roi[axis], end: roi[axis + count] }).collect())
            }
            mode => panic!("{mode}"),
        });
    } else if case["op"] == "Upsample" {
        resize = resize.coordinates(Coordinates::Asymmetric).rounding(Rounding::Floor);
    }
    match attributes["nearest_mode"].as_str() {
        None => {}
        Some("floor") => resize = resize.rounding(Rounding::Floor),
        Some("ceil") => resize = resize.rounding(Rounding::Ceil),
        Some("round_prefer_floor") => resize = resize.rounding(Rounding::RoundPreferFloor),
        Some("round_prefer_ceil") => resize = resize.rounding(Rounding::RoundPreferCeil),
        Some(mode) => panic!("{mode}"),
    }
    if attributes["antialias"] == 1 {
        resize = resize.antialias(true);
    }
    if attributes["exclude_outside"] == 1 {
        resize = resize.exclude_outside(true);
    }
    let resize = resize.extrapolation(attributes["extrapolation_value"].as_f64().unwrap_or(0.0));
    resize.aspect_ratio(match attribute(case, "keep_aspect_ratio_policy", "stretch") {
        "not_larger" => AspectRatio::NotLarger,
        "not_smaller" => AspectRatio::NotSmaller,
        _ => AspectRatio::Stretch,
    })
}

#[test]
fn resize_and_upsample() {
    let cases = json("onnx/manifest.json");
    let mut seen = 0;
    for case in cases.as_array().unwrap().iter().filter(|case| case["op"] == "Resize" || case["op"] == "Upsample") {
        let name = case["name"].as_str().unwrap();
        let mut arrays = npz(&format!("onnx/{name}.npz"));
        let x: ArrayD<f32> = read(&mut arrays, "in_0");
        let expected: ArrayD<f32> = read(&mut arrays, "out_0");
        let inputs = case["inputs"].as_object().unwrap();
        let named = |wanted: &str| inputs.iter().find(|(_, name)| *name == wanted).map(|(number, _)| format!("in_{number}"));
        let floats = |arrays: &mut _, name: &str| read::<f32>(arrays, name).iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let all_axes: Vec<usize> = match case["attributes"]["axes"].as_array() {
            Some(axes) => axes.iter().map(|axis| axis.as_u64().unwrap() as usize).collect(),
            None => (0..x.ndim()).collect(),
        };
        let mut roi = named("roi").map_or(Vec::new(), |name| floats(&mut arrays, &name));
        let mut target = match named("scales") {
            Some(name) => AxesTarget::Scale(floats(&mut arrays, &name)),
            None => AxesTarget::Size(read::<i64>(&mut arrays, &named("sizes").unwrap()).iter().map(|&size| size as usize).collect()),
        };
        let mut axes = all_axes;
        if axes.len() == 4 {
            // Batch and channels, which none of the tests resizes.
            axes = vec![2, 3];
            roi = if roi.is_empty() { roi } else { vec![roi[2], roi[3], roi[6], roi[7]] };
            target = match target {
                AxesTarget::Scale(scales) => AxesTarget::Scale(scales[2..].to_vec()),
                AxesTarget::Size(sizes) => AxesTarget::Size(sizes[2..].to_vec()),
                other => panic!("{other:?} is not tested"),
            };
        }
        let found = description(case, &roi).resize_axes(x.view(), &axes, &target).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.shape(), expected.shape(), "{name}");
        let error = difference(&found.mapv(f64::from).view(), &expected.mapv(f64::from).view());
        assert!(error <= 1e-5, "{name}: {error:e}\n{found}\n{expected}");
        if attribute(case, "mode", "nearest") == "nearest" {
            assert_eq!(found, expected, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 40);
}
