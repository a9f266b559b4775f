//! A code-block as bytes: 10 of parameters, 3 for each codeword segment, then the segments.

use wavetile_engine::Size;
use wavetile_engine::low_level::codestream::code_block::{BlockCoder, Orientation};
use wavetile_engine::low_level::codestream::header::CodeBlockStyle;
use wavetile_engine::low_level::entropy::{Scratch, decode_block};
use wavetile_engine::low_level::plan::{BlockOrigin, Plan, PlannedBlock, Segment};

/// A code-block with its segments and their bytes.
pub struct BlockInput {
    block: PlannedBlock,
    segments: Vec<Segment>,
    data: Vec<u8>,
}

impl BlockInput {
    /// Reads any bytes, as far as they go; `None` if they are too few for the parameters.
    pub fn parse(bytes: &[u8], coder: BlockCoder) -> Option<Self> {
        let (&[w0, w1, h0, h1, kind, style, planes, clean_up, roi, count], rest) =
            bytes.split_first_chunk()?;
        let width = (u32::from(u16::from_be_bytes([w0, w1])) % 1024) + 1;
        let height = (u32::from(u16::from_be_bytes([h0, h1])) % 1024).min(4096 / width - 1) + 1;
        let ht = coder == BlockCoder::HighThroughput;
        let fraction = kind & 4 != 0;
        let bit_planes = planes % 32;
        // As the planner decides it.
        let packed_16 = u32::from(bit_planes) + u32::from(fraction) <= 15;
        let row = if packed_16 { width.div_ceil(2) } else { width };
        let (mut segments, mut data) = (Vec::new(), Vec::new());
        let count = usize::from(count % 120).min(rest.len() / 3);
        let (lengths, mut rest) = rest.split_at(count * 3);
        for (number, length) in lengths.as_chunks::<3>().0.iter().enumerate() {
            let length_bytes = usize::from(u16::from_be_bytes([length[1], length[2]])).min(rest.len());
            let (mine, after) = rest.split_at(length_bytes);
            rest = after;
            let start = data.len();
            data.extend_from_slice(mine);
            let most = if ht { 1 + number as u8 % 2 } else { 164 };
            segments.push(Segment { passes: u32::from(length[0] % most) + 1, bytes: start..data.len() });
            data.extend([0xFF, 0xFF]);
        }
        if ht {
            segments.truncate(2);
        }
        let block = PlannedBlock {
            size: Size::new(width, height),
            orientation: [Orientation::Ll, Orientation::Hl, Orientation::Lh, Orientation::Hh]
                [usize::from(kind & 3)],
            coder,
            style: CodeBlockStyle(style),
            bit_planes,
            clean_up_plane: if ht { clean_up % bit_planes.max(1) } else { 0 },
            roi_shift: roi % 38,
            fraction,
            packed_16,
            origin: BlockOrigin::default(),
            segments: 0..segments.len() as u32,
            staging: 0..(row * height) as usize,
        };
        Some(Self { block, segments, data })
    }

    /// Writes a block of a plan so that [`parse`](Self::parse) reads it again.
    pub fn write(plan: &Plan, block: &PlannedBlock) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((block.size.width as u16 - 1).to_be_bytes());
        bytes.extend((block.size.height as u16 - 1).to_be_bytes());
        let kind = match block.orientation {
            Orientation::Ll => 0,
            Orientation::Hl => 1,
            Orientation::Lh => 2,
            Orientation::Hh => 3,
        };
        let segments = &plan.segments[block.segments.start as usize..block.segments.end as usize];
        bytes.extend([kind | u8::from(block.fraction) << 2, block.style.0, block.bit_planes]);
        bytes.extend([block.clean_up_plane, block.roi_shift, segments.len() as u8]);
        for segment in segments {
            bytes.push(segment.passes as u8 - 1);
            bytes.extend((segment.bytes.len() as u16).to_be_bytes());
        }
        for segment in segments {
            bytes.extend(&plan.data[segment.bytes.clone()]);
        }
        bytes
    }

    /// Decodes it twice, the second time with used working memory, which must change nothing.
    pub fn decode(&self) {
        let mut scratch = Scratch::new();
        let mut once = vec![0u32; self.block.staging.len()];
        let outcome = decode_block(&self.block, &self.segments, &self.data, &mut scratch, &mut once);
        let mut again = vec![u32::MAX; once.len()];
        let repeated = decode_block(&self.block, &self.segments, &self.data, &mut scratch, &mut again);
        assert_eq!((outcome, once), (repeated, again));
    }
}
