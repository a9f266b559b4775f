use wavetile::engine::{Backend, DecodeRequest, Decoder, Image, Picture, Result};

pub fn pixels(path: &str) -> Result<Picture> {
    let decoder = Decoder::new(Backend::Auto)?; // on a GPU if there is one; keep it
    let image = Image::open_file(path)?;
    let (picture, _report) = decoder.render(&image, &DecodeRequest::new().reduce(1))?;
    Ok(picture)
}
