//! Negative padding: a wider output of a transposed convolution, a cropped input of a convolution.

use ndarray::{Array1, Array3, Array4, array, s};
use upsample::checkerboard::Overlap;
use upsample::output_size::Window;
use upsample::rearrange::{crop, zero_pad};
use upsample::{ConvTranspose, Convolution, Error, PerAxis, ResizeConv, Update};

use crate::oracle::{cast, noise};

/// The reference implementation of the ONNX standard (onnx 1.23, `ReferenceEvaluator`): x = 1, 2, 3, weights 1 and 10, bias 0.5, stride 2.
#[test]
fn numbers_of_the_onnx_reference() {
    let (x, weight, bias) = (array![[[1.0, 2.0, 3.0]]], array![[[1.0, 10.0]]], array![0.5]);
    let deconv = ConvTranspose::new().stride(2);
    let both = deconv.clone().padding_of(-1, -2).forward(&x, &weight, Some(&bias)).unwrap();
    assert_eq!(both, array![[[0.5, 1.5, 10.5, 2.5, 20.5, 3.5, 30.5, 0.5, 0.5]]]);
    let one = deconv.padding_of(1, -2).forward(&x, &weight, Some(&bias)).unwrap();
    assert_eq!(one, array![[[10.5, 2.5, 20.5, 3.5, 30.5, 0.5, 0.5]]]);
}

/// What calls write: a wider output is the narrow one with the bias around, a gradient that of what is inside, whatever the layout.
#[test]
fn margins_are_the_bias_and_gradients_do_not_read_them() {
    let [x, weight, dy] =
        [(&[2, 3, 4, 5][..], 1), (&[3, 2, 4, 4], 2), (&[2, 2, 13, 17], 3)].map(|(shape, seed)| cast::<f32, 2>(&noise(shape, seed)));
    let bias: Array1<f32> = array![3.0, -7.0];
    let narrow = ConvTranspose::new().stride(2).plan([4, 5], [4, 4]).unwrap(); // 10 × 12
    let wide = ConvTranspose::new().stride(2).padding_of([-1, -5], [-2, 0]).plan([4, 5], [4, 4]).unwrap();
    assert_eq!(wide.output_size(), [13, 17]);
    let inside = s![.., .., 1..11, 5..];

    let y = narrow.forward(&x, &weight, Some(&bias)).unwrap();
    let mut expected = Array4::from_shape_fn((2, 2, 13, 17), |(_, channel, ..)| bias[channel]);
    expected.slice_mut(inside).assign(&y);
    assert_eq!(wide.forward(&x, &weight, Some(&bias)).unwrap(), expected);
    assert_eq!(wide.prepare(&weight).unwrap().forward(&x, Some(&bias)).unwrap(), expected);
    let mut last = Array4::from_elem((2, 13, 17, 2), f32::NAN);
    wide.forward_into(&x, &weight, Some(&bias), upsample::Tensor4Mut::from_nhwc(last.view_mut())).unwrap();
    assert_eq!(last.permuted_axes([0, 3, 1, 2]), expected);
    let zeros = zero_pad(&narrow.forward(&x, &weight, None).unwrap(), [1, 5], [13, 17]).unwrap();
    assert_eq!(wide.forward(&x, &weight, None).unwrap(), zeros);

    // What is in the margins is not even read: NaN times 0 would show.
    let inner = dy.slice(inside).to_owned();
    let mut dy = Array4::from_elem(dy.dim(), f32::NAN);
    dy.slice_mut(inside).assign(&inner);
    let (dx, dw) = (narrow.input_gradient(&inner, &weight).unwrap(), narrow.weight_gradient(&x, &inner).unwrap());
    assert_eq!(wide.input_gradient(&dy, &weight).unwrap(), dx);
    assert_eq!(wide.weight_gradient(&x, &dy).unwrap(), dw);
    let (mut dx_twice, mut dw_twice) = (dx.clone(), dw.clone());
    wide.input_gradient_into(&dy, &weight, &mut dx_twice, Update::Add).unwrap();
    wide.weight_gradient_into(&x, &dy, &mut dw_twice, Update::Add).unwrap();
    assert_eq!((dx_twice, dw_twice), (&dx * 2.0, &dw * 2.0));

    // The convolution reads what the transposed one writes.
    let conv = |begin: [isize; 2], end: [isize; 2]| Convolution::new().stride(2).padding_of(begin, end);
    let cropped = conv([-1, -5], [-2, 0]);
    let plain = conv([0, 0], [0, 0]);
    assert_eq!(cropped.forward(&dy, &weight, None).unwrap(), plain.forward(&inner, &weight, None).unwrap());
    assert_eq!(cropped.weight_gradient(&dy, &x, [4, 4]).unwrap(), plain.weight_gradient(&inner, &x, [4, 4]).unwrap());
    assert_eq!(cropped.input_gradient(&x, &weight, [13, 17]).unwrap(), zeros);
    let mut added = Array4::from_elem((2, 2, 13, 17), 1.0_f32);
    cropped.plan([13, 17], [4, 4]).unwrap().input_gradient_into(&x, &weight, &mut added, Update::Add).unwrap();
    assert!((added - &zeros).iter().all(|rest| (rest - 1.0).abs() < 1e-5));
}

/// A resize-convolution crops the enlarged picture.
#[test]
fn resize_convolutions_crop_the_enlarged_picture() {
    let (x, weight) = (cast::<f64, 2>(&noise(&[1, 2, 5, 6], 1)), cast::<f64, 2>(&noise(&[2, 3, 3, 2], 2)));
    let other_way = weight.view().permuted_axes([1, 0, 2, 3]);
    for resize in [upsample::Resize::nearest_exact(), upsample::Resize::bilinear()] {
        let up = ResizeConv::new().resize(resize.clone()).factor(3).padding_of([-2, 1], [0, -4]);
        let enlarged = resize.plan([5, 6], 3.0).unwrap().forward(&x).unwrap();
        let inside = crop(&enlarged, [2, 0], [13, 14]).unwrap();
        let expected = Convolution::new().padding_of([0, 1], [0, 0]).forward(&inside, other_way.view(), None).unwrap();
        let y = up.forward(&x, &weight, None).unwrap();
        assert_eq!(y.dim(), expected.dim());
        assert!(y.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}

/// Whatever numbers are given: literals, `usize`, `isize`, one or one for each axis, an array or a list.
#[test]
fn any_numbers_will_do() {
    let (of_usize, of_isize, list): (usize, isize, Vec<usize>) = (1, 1, vec![1, 1]);
    let operators = [
        ConvTranspose::new().padding(1),
        ConvTranspose::new().padding(of_usize),
        ConvTranspose::new().padding(of_isize),
        ConvTranspose::new().padding([of_usize; 2]),
        ConvTranspose::new().padding([of_isize; 2]),
        ConvTranspose::new().padding([1, 1]),
        ConvTranspose::new().padding(vec![1, 1]),
        ConvTranspose::new().padding(list.clone()),
        ConvTranspose::new().padding(PerAxis::All(1)),
        ConvTranspose::new().padding(PerAxis::Each(list)),
        ConvTranspose::new().padding_of(1, [of_usize, 1]),
    ];
    for operator in operators {
        assert_eq!(operator.plan([4, 4], [3, 3]).unwrap().output_size(), [4, 4]);
    }
    assert_eq!(ConvTranspose::new().padding([-1, 1]).plan([4, 4], [3, 3]).unwrap().output_size(), [8, 4]);
}

/// The ends of what can be written.
#[test]
fn paddings_beyond_every_size_are_refused() {
    let x = Array3::<f32>::ones((1, 1, 4));
    for (begin, end) in [(isize::MIN, 0), (0, isize::MIN), (isize::MIN, isize::MIN), (isize::MAX, isize::MAX)] {
        let deconv = ConvTranspose::new().padding_of(begin, end);
        let found = deconv.forward(&x, &x, None);
        assert!(
            matches!(found, Err(Error::SizeOverflow { .. } | Error::NoOutput { .. } | Error::TooLarge { .. })),
            "{begin}, {end}: {found:?}"
        );
        let found = Convolution::new().padding_of(begin, end).forward(&x, &x, None);
        assert!(
            matches!(found, Err(Error::SizeOverflow { .. } | Error::NoOutput { .. } | Error::TooLarge { .. })),
            "{begin}, {end}: {found:?}"
        );
        let found = ResizeConv::new().padding_of(begin, end).forward(&x, &x, None);
        assert!(
            matches!(found, Err(Error::SizeOverflow { .. } | Error::NoOutput { .. } | Error::TooLarge { .. })),
            "{begin}, {end}: {found:?}"
        );
    }
    // Far away from everything, one padding making up for the other.
    let y = ConvTranspose::new().padding_of(isize::MIN, isize::MAX - 9).forward(&x, &x, Some(&array![2.5])).unwrap();
    assert_eq!(y, Array3::from_elem((1, 1, 17), 2.5));
    let far = isize::MAX - 4;
    let y = ConvTranspose::new().padding_of(far, -far).forward(&x, &x, Some(&array![2.5])).unwrap();
    assert_eq!(y, Array3::from_elem((1, 1, 7), 2.5));
    let y = Convolution::new().padding_of(-far, far).forward(&x, &x, Some(&array![2.5])).unwrap();
    assert_eq!(y, Array3::from_elem((1, 1, 1), 2.5));
    let dx = ConvTranspose::new().padding_of(-far, far).input_gradient(&Array3::<f32>::ones((1, 1, 7)), &x).unwrap();
    assert_eq!(dx, Array3::<f32>::zeros((1, 1, 4)));
    let dw = ConvTranspose::new().padding_of(-far, far).weight_gradient(&x, &Array3::<f32>::ones((1, 1, 7)), [4]).unwrap();
    assert_eq!(dw, Array3::<f32>::zeros((1, 1, 4)));
}

/// The copies of the kernel that overlap on each pixel are counted in the margins, too: there are none.
#[test]
fn no_copies_overlap_in_the_margins() {
    for (begin, end) in [(-3, -1), (2, -4), (-2, 1), (9, -12), (-9, 9)] {
        let window = Window::new(3).stride(2).padding_of(begin, end);
        let counts = Overlap::of([4], [window]).unwrap().counts().mapv(|count| count as f64);
        let (x, weight) = (Array3::<f64>::ones((1, 1, 4)), Array3::<f64>::ones((1, 1, 3)));
        let y = ConvTranspose::new().stride(2).padding_of(begin, end).forward(&x, &weight, None).unwrap();
        assert_eq!(counts.to_vec(), y.into_raw_vec_and_offset().0, "{begin}, {end}");
    }
}
