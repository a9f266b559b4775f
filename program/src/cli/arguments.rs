//! Values of command line arguments.

use clap::ValueEnum;
use wavetile_engine::{DecodeRequest, Limits, Rect};

/// Where the passes after entropy decoding run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendArgument {
    /// The GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU.
    Gpu,
}

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Space {
    /// The picture: palette, channel definition, colour conversion and up-sampling applied.
    #[default]
    Rendered,
    /// The codestream's components as they are.
    Components,
}

/// How sub-sampled chroma is brought to the size of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum UpSamplingArgument {
    /// Along the lines between samples, from where these lie.
    #[default]
    Linear,
    /// Each sample is repeated up to the next one.
    Repeated,
}

/// How to reach a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportArgument {
    /// HTTP/3.
    H3,
    /// HTTP/2.
    H2,
    /// HTTP/1.1.
    Http,
    /// WebSocket.
    Ws,
    /// WebTransport.
    Wt,
}

/// What a picture may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LimitsArgument {
    /// For files of strangers: 512 MiB, and 16 384 pixels a side.
    Strict,
    /// Anything that fits in 4 GiB.
    #[default]
    Default,
    /// For files of one's own: as far as memory goes.
    Trusted,
}

impl From<LimitsArgument> for Limits {
    fn from(argument: LimitsArgument) -> Self {
        match argument {
            LimitsArgument::Strict => Self::strict(),
            LimitsArgument::Default => Self::default(),
            LimitsArgument::Trusted => Self::trusted(),
        }
    }
}

/// `X,Y,W,H` on the reference grid.
fn region(text: &str) -> Result<Rect, String> {
    let numbers: Vec<u32> = text
        .split(',')
        .map(|number| number.trim().parse::<u32>())
        .collect::<Result<_, _>>()
        .map_err(|_| "expected four whole numbers X,Y,W,H".to_owned())?;
    let &[x, y, width, height] = &numbers[..] else {
        return Err(format!("expected four numbers X,Y,W,H, found {}", numbers.len()));
    };
    if width == 0 || height == 0 {
        return Err("the region is empty".into());
    }
    let beyond = || "the region ends beyond 2^32 - 1".to_owned();
    Ok(Rect {
        x0: x,
        y0: y,
        x1: x.checked_add(width).ok_or_else(beyond)?,
        y1: y.checked_add(height).ok_or_else(beyond)?,
    })
}

/// Component indices, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Components(Vec<u32>);

impl std::str::FromStr for Components {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut indices = Vec::new();
        for index in text.split(',') {
            let index = index.trim().parse().map_err(|_| format!("{index:?} is not a component index"))?;
            if indices.contains(&index) {
                return Err(format!("component {index} is named twice"));
            }
            indices.push(index);
        }
        Ok(Self(indices))
    }
}

/// What of a picture is wanted.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct WindowArguments {
    /// Codestream of a file that has several (JPX), counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) codestream: u32,
    /// Resolution levels to discard: 1/2^N of full size
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=32))]
    reduce: u32,
    /// Part of the picture, on the reference grid
    #[arg(long, value_name = "X,Y,W,H", value_parser = region)]
    region: Option<Rect>,
    /// Quality layers to use
    #[arg(long, value_name = "N", value_parser = layers)]
    layers: Option<u16>,
    /// Components of the codestream to use, such as 0,2
    #[arg(long, value_name = "LIST")]
    components: Option<Components>,
}

impl WindowArguments {
    /// The request for it.
    pub(crate) fn request(&self) -> DecodeRequest {
        DecodeRequest::new()
            .reduce(self.reduce)
            .region(self.region)
            .layers(self.layers)
            .components(self.components.as_ref().map(|components| components.0.clone()))
    }
}

/// Number of layers, at least 1.
fn layers(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1 to 65535".into()),
        Ok(layers) => Ok(layers),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn regions_are_an_offset_and_a_size() {
        assert_eq!(region("10,20,30,40").unwrap(), Rect::new(10, 20, 40, 60));
        assert_eq!(region("0, 0, 4294967295, 1").unwrap(), Rect::new(0, 0, u32::MAX, 1));
        for text in ["", "1,2,3", "1,2,3,4,5", "1,2,0,4", "1,2,3,-4", "1,2,4294967295,1", "a,b,c,d"] {
            assert!(region(text).is_err(), "{text}");
        }
    }

    #[test]
    fn components_are_indices_in_the_order_given() {
        assert_eq!("2,0".parse(), Ok(Components(vec![2, 0])));
        for text in ["", "1,", "1,1", "-1", "x"] {
            assert!(text.parse::<Components>().is_err(), "{text}");
        }
        assert!(layers("0").is_err() && layers("65536").is_err());
        assert_eq!(layers("7"), Ok(7));
    }
}
