//! The two executors, and decoding a file's components or picture with one of them.

use super::row::Outcome;
use std::path::Path;
use wavetile_engine::error::DeviceError;
use wavetile_engine::{Backend, DecodeRequest, Decoder, Error, Image, ImageOptions, UpSampling};
use wavetile_testing::plane::Plane;

/// The CPU, and the GPU or why there is none.
pub(super) struct Executors {
    cpu: Decoder,
    gpu: Result<Decoder, String>,
}

/// An opened file.
pub(super) struct Opened {
    image: Image,
}

impl Executors {
    /// # Errors
    /// There is an adapter, but it does not work.
    pub(super) fn new() -> Result<Self, String> {
        let gpu = match Decoder::new(Backend::Gpu) {
            Ok(decoder) => Ok(decoder),
            Err(Error::Device(DeviceError::NoAdapter { reason })) => Err(reason),
            Err(error @ Error::Device(DeviceError::NotBuilt)) => Err(error.to_string()),
            Err(error) => return Err(error.to_string()),
        };
        Ok(Self { cpu: Decoder::cpu(), gpu })
    }

    /// What the GPU executor runs on.
    pub(super) fn gpu_name(&self) -> String {
        self.gpu
            .as_ref()
            .map_or_else(|reason| format!("none ({reason})"), |gpu| gpu.backend_name().to_owned())
    }

    /// Why there is no GPU executor.
    #[cfg(test)]
    pub(super) fn no_gpu(&self) -> Option<&str> {
        self.gpu.as_ref().err().map(String::as_str)
    }

    /// Runs `compare` on both.
    pub(super) fn both(&self, mut compare: impl FnMut(&Decoder) -> Outcome) -> (Outcome, Outcome) {
        let gpu = match &self.gpu {
            Ok(decoder) => compare(decoder),
            Err(_) => Outcome::NotCompared("no graphics adapter".to_owned()),
        };
        (compare(&self.cpu), gpu)
    }
}

impl Opened {
    /// Opens codestream number `codestream` of a file. DICOM files are opened at the first codestream in them.
    pub(super) fn new(path: &Path, codestream: u32) -> Result<Self, String> {
        let mut bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if bytes.get(128..132) == Some(b"DICM") {
            // SOC and SIZ (T.800 A.4.1, A.5.1).
            let start = bytes.windows(4).position(|bytes| bytes == [0xFF, 0x4F, 0xFF, 0x51]);
            bytes.drain(..start.ok_or("there is no codestream in it")?);
        }
        let image = ImageOptions::new().codestream(codestream).open(bytes);
        Ok(Self { image: image.map_err(|error| error.to_string())? })
    }

    /// Component samples, and how much of the picture was there, 0.0 to 1.0.
    pub(super) fn components(
        &self,
        decoder: &Decoder,
        request: &DecodeRequest,
    ) -> Result<(Vec<Plane>, f64), String> {
        let decoded = decoder.components(&self.image, request);
        let (components, report) = decoded.map_err(|error| error.to_string())?;
        if report.damaged_blocks > 0 {
            return Err(format!("{} damaged code-blocks", report.damaged_blocks));
        }
        let planes = components.into_iter().map(|component| Plane {
            width: component.rect.width() as usize,
            height: component.rect.height() as usize,
            samples: component.samples,
        });
        Ok((planes.collect(), report.completeness()))
    }

    /// The whole picture as red, green, blue and alpha of 8 bits. The references repeat sub-sampled chroma.
    pub(super) fn picture(&self, decoder: &Decoder) -> Result<Vec<Plane>, String> {
        let request = DecodeRequest::new().up_sampling(UpSampling::Repeated);
        let rendered = decoder.render(&self.image, &request);
        let (picture, report) = rendered.map_err(|error| error.to_string())?;
        if !report.is_complete() {
            return Err(format!("not complete: {report:?}"));
        }
        let (width, height) = (picture.size.width as usize, picture.size.height as usize);
        Ok((0..4).map(|channel| Plane::of_texels(width, height, &picture.bytes, channel, 4)).collect())
    }
}
