//! What the examples draw, read and write.

use std::path::{Path, PathBuf};
use upsample_examples::{label, picture, test_card};

use ndarray::Array3;

use upsample_examples::picture::{Picture, Pixels};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures").join(name)
}

fn pixels(channels: usize, bits: usize) -> Pixels {
    let value = |(y, x, c): (usize, usize, usize)| 1000 * y + 77 * x + 13 * c;
    let shape = (5, 7, channels);
    if bits == 8 {
        Pixels::U8(Array3::from_shape_fn(shape, |index| (value(index) / 30) as u8))
    } else {
        Pixels::U16(Array3::from_shape_fn(shape, |index| value(index) as u16))
    }
}

#[test]
fn png_keeps_every_kind_of_picture() {
    for (channels, bits) in [(1, 8), (2, 8), (3, 8), (4, 8), (1, 16), (2, 16), (3, 16), (4, 16)] {
        let profile = [&[0; 16][..], if channels < 3 { b"GRAY" } else { b"RGB " }].concat();
        for profile in [None, Some(profile)] {
            let path = file(&format!("{channels}-channels-{bits}-bits.png"));
            let written = Picture { pixels: pixels(channels, bits), profile };
            picture::write(&path, &written).unwrap();
            assert_eq!(picture::read(&path).unwrap(), written, "{}", path.display());
        }
    }
}

/// What a format cannot keep is refused, and no file is left.
#[test]
fn formats_keep_pictures_or_refuse_them() {
    let kinds = [(1, 8), (2, 8), (3, 8), (4, 8), (1, 16), (2, 16), (3, 16), (4, 16)];
    for (extension, lossless, kept) in [
        ("jpg", false, &[(1, 8), (3, 8)][..]),
        ("webp", true, &[(3, 8), (4, 8)]),
        ("tiff", true, &[(1, 8), (3, 8), (4, 8), (1, 16), (3, 16), (4, 16)]),
        ("qoi", true, &[(3, 8), (4, 8)]),
    ] {
        for kind @ (channels, bits) in kinds {
            let path = file(&format!("{channels}-channels-{bits}-bits.{extension}"));
            let written = Picture { pixels: pixels(channels, bits), profile: None };
            assert_eq!(picture::write(&path, &written).is_ok(), kept.contains(&kind), "{}", path.display());
            assert_eq!(path.exists(), kept.contains(&kind), "{}", path.display());
            if kept.contains(&kind) {
                let read = picture::read(&path).unwrap();
                assert_eq!(read.pixels.kind(), written.pixels.kind(), "{}", path.display());
                assert!(!lossless || read.pixels == written.pixels, "{}", path.display());
            }
        }
    }
}

#[test]
fn test_card_of_any_size() {
    for (height, width) in [(0, 0), (1, 1), (2, 3), (1, 40), (90, 17), (180, 240)] {
        let card = test_card::test_card(height, width);
        assert_eq!(card.dim(), (height, width, 3));
        assert_eq!(card, test_card::test_card(height, width));
        assert!(test_card::gray_test_card(height, width).iter().all(|value| (0.0..=1.0).contains(value)));
    }
}

#[test]
fn labels_are_cut_at_the_border() {
    let mut page = Array3::zeros((12, 20, 3));
    label::draw(&mut page, [1, 1], 2, &[9, 8, 7], "A long label");
    assert_eq!(page[[1, 3, 1]], 8, "the top of A");
    assert!(page.iter().any(|&value| value == 0));
    assert_eq!(label::extent("AB", 2), [20, 24]);
}
