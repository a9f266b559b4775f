//! Sub-sampled chroma lands where the reference grid says (T.800 B.2), at odd offsets, in regions and reductions.

use super::writer::{ComponentShape, Shape};
use crate::geometry::Rect;
use crate::{DecodeRequest, Decoder, Image, UpSampling};

/// Chroma that grows by one for each column (blue) and falls by one for each row (red), so that between samples it
/// follows from where they lie, and nothing else.
fn blue(x: u32) -> i32 {
    50 + x as i32
}

fn red(y: u32) -> i32 {
    200 - y as i32
}

/// A codestream of constant luma and such chroma, its samples `further` columns and rows further than T.800 B.2 says.
fn gradient(image: Rect, (dx, dy): (u8, u8), tile: Rect, further: u32) -> Vec<u8> {
    let component = |dx, dy| ComponentShape { depth: 8, signed: false, dx, dy };
    let shape = Shape {
        image,
        tile,
        components: vec![component(1, 1), component(dx, dy), component(dx, dy)],
        levels: 2,
        code_block: (4, 4),
        precincts: Vec::new(),
        progression: 0,
        style: 0,
    };
    let chroma = shape.components[1].rect(image);
    let places = || {
        (chroma.y0..chroma.y1).flat_map(move |y| {
            (chroma.x0..chroma.x1).map(move |x| (x * u32::from(dx) + further, y * u32::from(dy) + further))
        })
    };
    let mut bytes = shape.write(&[
        vec![128; image.area() as usize],
        places().map(|(x, _)| blue(x)).collect(),
        places().map(|(_, y)| red(y)).collect(),
    ]);
    if further > 0 {
        let tile_part = bytes.windows(2).position(|marker| marker == [0xFF, 0x90]).unwrap();
        let part = |step: u8| ((further * 65_536 / u32::from(step)) as u16).to_be_bytes();
        let chroma = [part(dx), part(dy)].concat();
        let segment = [&[0xFF, 0x63, 0, 14, 0, 0, 0, 0][..], &chroma, &chroma].concat();
        bytes.splice(tile_part..tile_part, segment);
    }
    bytes
}

fn render(bytes: &[u8], request: &DecodeRequest) -> (Rect, Vec<[u8; 4]>) {
    let image = Image::open(bytes.to_vec()).unwrap();
    let (picture, report) = Decoder::cpu().render(&image, request).unwrap();
    assert!(report.is_complete());
    let rect = request.region.unwrap_or(image.area()).ceil_shift(request.reduce);
    assert_eq!(picture.size, rect.size());
    (rect, picture.bytes.chunks(4).map(|texel| texel.try_into().unwrap()).collect())
}

/// sRGB of the chroma that belongs at a place of the reference grid.
fn wanted(x: u32, y: u32) -> [i32; 3] {
    let (b, r) = (f64::from(blue(x)) - 128.0, f64::from(red(y)) - 128.0);
    [1.402 * r, -0.344_136 * b - 0.714_136 * r, 1.772 * b].map(|part| (128.0 + part).round() as i32)
}

fn assert_close(found: [u8; 4], wanted: [i32; 3], place: (u32, u32)) {
    let near = |(found, wanted): (&u8, i32)| (i32::from(*found) - wanted.clamp(0, 255)).abs() <= 1;
    assert!(found.iter().zip(wanted).all(near), "{found:?}, not {wanted:?}, at {place:?}");
}

#[test]
fn chroma_lies_on_the_line_between_samples_that_lie_at_multiples_of_their_separation() {
    let image = Rect::new(23, 5, 120, 88);
    for (dx, dy) in [(2, 2), (2, 1), (1, 2), (4, 2), (3, 3)] {
        for further in [0, 1] {
            if further == 1 && dx.min(dy) == 1 {
                continue;
            }
            let bytes = gradient(image, (dx, dy), Rect::new(11, 3, 51, 36), further);
            let (rect, texels) = render(&bytes, &DecodeRequest::default());
            // Outside the outermost samples, those are repeated.
            let edges = |from: u32, to: u32, step: u8| {
                let step = u32::from(step);
                (from.div_ceil(step) * step + further, (to - 1) / step * step + further)
            };
            let (left, right) = edges(image.x0, image.x1, dx);
            let (top, bottom) = edges(image.y0, image.y1, dy);
            for (y, row) in (rect.y0..).zip(texels.chunks(rect.width() as usize)) {
                for (x, texel) in (rect.x0..).zip(row) {
                    assert_close(*texel, wanted(x.clamp(left, right), y.clamp(top, bottom)), (x, y));
                }
            }
            for region in [Rect::new(23, 5, 24, 6), Rect::new(37, 20, 66, 47), Rect::new(52, 31, 120, 88)] {
                let (rect, part) =
                    render(&bytes, &DecodeRequest { region: Some(region), ..Default::default() });
                for (y, row) in (rect.y0..).zip(part.chunks(rect.width() as usize)) {
                    let whole = ((y - image.y0) * image.width() + rect.x0 - image.x0) as usize;
                    assert_eq!(row, &texels[whole..whole + row.len()], "{region:?}, row {y}");
                }
            }
        }
    }
}

#[test]
fn reduced_chroma_stays_in_place() {
    let image = Rect::new(23, 5, 120, 88);
    for (reduce, step) in [(1, 2), (2, 4)] {
        let request = DecodeRequest { reduce, ..Default::default() };
        let (rect, texels) = render(&gradient(image, (2, 2), image, 0), &request);
        // The wavelet keeps a straight line, but for where it mirrors it at the edges.
        let inside = Rect::new(rect.x0 + 6, rect.y0 + 6, rect.x1 - 6, rect.y1 - 6);
        for (y, row) in (rect.y0..).zip(texels.chunks(rect.width() as usize)) {
            for (x, texel) in (rect.x0..).zip(row) {
                if inside.contains(Rect::new(x, y, x + 1, y + 1)) {
                    assert_close(*texel, wanted(x * step, y * step), (x, y));
                }
            }
        }
    }
}

#[test]
fn repeated_chroma_is_that_of_the_sample_before() {
    let image = Rect::new(23, 5, 60, 40);
    let request = DecodeRequest { up_sampling: UpSampling::Repeated, ..Default::default() };
    let (rect, texels) = render(&gradient(image, (2, 2), image, 1), &request);
    for (y, row) in (rect.y0..).zip(texels.chunks(rect.width() as usize)) {
        for (x, texel) in (rect.x0..).zip(row) {
            let place = |at: u32, first: u32| (at / 2 * 2).max(first) + 1;
            assert_close(*texel, wanted(place(x, 24), place(y, 6)), (x, y));
        }
    }
}
